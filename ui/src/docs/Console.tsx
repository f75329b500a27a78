import { Alert, Button, Group, NativeSelect, Paper, Stack, Text, TextInput } from "@mantine/core";
import { IconSend } from "@tabler/icons-react";
import { type FormEvent, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import * as client from "../api/client";
import { Confirm } from "../Confirm";
import { useSession } from "../session";
import { useFocusBack } from "../useFocusBack";
import { AnswerBox } from "./AnswerBox";
import { BodyEditor } from "./BodyEditor";
import { CodeBox } from "./CodeBox";
import { useDocs } from "./context";
import classes from "./docs.module.css";
import { exampleFor } from "./examples";
import { accepted, bodiesOf, type Operation, type Parameter } from "./openapi";
import { type Level, PartTitle } from "./parts";
import { choices, type Draft, drafted, keyOf, requestOf, settable } from "./request";
import { Sender } from "./Sender";
import { useSending } from "./useSending";

/** Fills in a request, sends it, shows the answer, and the same as code. */
export function Console(props: {
  operation: Operation;
  media: string;
  onMedia: (media: string) => void;
  level: Level;
}) {
  const { operation, media, onMedia, level } = props;
  const { t } = useTranslation();
  const { api, key } = useDocs();
  const { session, set } = useSession();
  const [first, setFirst] = useState<Draft>(() => drafted(api, operation));
  const [own, setOwn] = useState<Draft>(first);
  const [isTried, setTried] = useState(false);
  const [isAsked, setAsked] = useState(false);
  const { phase, send, cancel, reset } = useSending();
  const form = useRef<HTMLFormElement>(null);
  const isBusy = phase.kind === "running";
  const from = useFocusBack(!isAsked && !isBusy, () => undefined);
  const draft = useMemo(() => ({ ...own, media }), [own, media]);
  const model = operation.fixed.name ?? draft.values["path/name"] ?? "";

  useEffect(() => {
    const control = new AbortController();
    void exampleFor(api, operation, model, control.signal).then((example) => {
      if (example === undefined || control.signal.aborted) return;
      const { bodies } = drafted(api, operation, example);
      setFirst((known) => ({ ...known, bodies }));
      setOwn((known) => ({ ...known, bodies }));
    });
    return () => control.abort();
  }, [api, operation, model]);

  const { request, problems } = useMemo(
    () => requestOf(api, operation, draft),
    [api, operation, draft],
  );
  const shown = isTried ? problems : {};
  const change = (part: Partial<Draft>) => setOwn({ ...own, ...part });

  async function go() {
    setAsked(false);
    await send(request, key);
    // Signing in or out by hand is signing in or out of the page.
    if (operation.path === "/session" && operation.method !== "GET" && !key) {
      await client.whoAmI().then(set, () => {}); // the answer above tells what became of it
    }
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (Object.keys(problems).length > 0) {
      reset();
      // After the marks are there.
      requestAnimationFrame(() => {
        form.current?.querySelector<HTMLElement>('[aria-invalid="true"], [data-problem]')?.focus();
      });
    } else {
      from.current = (event.nativeEvent as SubmitEvent).submitter;
      if (operation.takesAway) setAsked(true);
      else void go();
    }
  }

  const bodies = bodiesOf(api, operation);
  const answers = accepted(api, operation);
  const parameters = settable(api, operation);
  const control = (parameter: Parameter) => {
    const name = keyOf(parameter);
    return (
      <ParameterControl
        key={name}
        parameter={parameter}
        known={choices(api, parameter)}
        value={draft.values[name] ?? ""}
        problem={shown[name]}
        onChange={(value) => change({ values: { ...draft.values, [name]: value } })}
      />
    );
  };
  return (
    <Paper withBorder p="md" className={classes.console}>
      <form ref={form} onSubmit={submit} noValidate>
        <PartTitle level={level}>{t("docs.try.title")}</PartTitle>
        <Stack gap="sm">
          {parameters.filter((each) => each.in !== "header").map(control)}
          {bodies.length > 0 && (
            <div>
              {bodies.length > 1 && (
                <NativeSelect
                  label={t("docs.try.media")}
                  mb="xs"
                  data={bodies.map(([type]) => type)}
                  value={media}
                  onChange={(event) => onMedia(event.currentTarget.value)}
                />
              )}
              <BodyEditor
                operation={operation}
                draft={draft}
                first={first}
                problems={shown}
                onChange={change}
                onSubmit={() => form.current?.requestSubmit()}
              />
            </div>
          )}
          {parameters.filter((each) => each.in === "header").map(control)}
          {answers.length > 1 && (
            <NativeSelect
              label={t("docs.try.accept")}
              data={[{ value: "", label: t("docs.try.anyAccept") }, ...answers]}
              value={draft.accept}
              onChange={(event) => change({ accept: event.currentTarget.value })}
            />
          )}
          <Sender permission={operation.permission} session={session} />
          <Group gap="xs">
            <Button type="submit" leftSection={<IconSend size={16} />} loading={isBusy}>
              {t("docs.try.send")}
            </Button>
            {isBusy && (
              <Button variant="default" onClick={cancel}>
                {t("app.cancel")}
              </Button>
            )}
          </Group>
        </Stack>
      </form>
      <AnswerBox phase={phase} />
      <CodeBox
        operation={operation}
        draft={draft}
        request={request}
        problems={problems}
        level={level}
      />
      {isAsked && (
        <Confirm
          title={t("docs.try.sure")}
          action={t("docs.try.sureYes")}
          refusal={t("docs.try.sureNo")}
          isDangerous
          onConfirm={() => void go()}
          onClose={() => setAsked(false)}
        >
          <Text size="sm">{t("docs.try.sureHow")}</Text>
          <Alert color="red" variant="light" role="presentation">
            <Text size="sm" ff="monospace">
              {operation.method} {request.path}
            </Text>
            <Text size="sm">{operation.summary}</Text>
          </Alert>
        </Confirm>
      )}
    </Paper>
  );
}

function ParameterControl(props: {
  parameter: Parameter;
  /** The values that it may have; none where any. */
  known: string[];
  value: string;
  problem: string | undefined;
  onChange: (value: string) => void;
}) {
  const { parameter, known, value, problem, onChange } = props;
  const { t } = useTranslation();
  const shared = {
    label: parameter.name,
    required: Boolean(parameter.required),
    error: problem && t(problem),
    value,
    onChange: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value),
  };
  const unset = parameter.required ? [] : [{ value: "", label: t("docs.try.unset") }];
  if (known.length > 0) return <NativeSelect {...shared} data={[...unset, ...known]} />;
  return (
    <TextInput
      {...shared}
      placeholder={parameter.required ? undefined : t("docs.try.unset")}
      autoComplete="off"
      spellCheck={false}
    />
  );
}
