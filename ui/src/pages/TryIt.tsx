import {
  Button,
  Chip,
  Group,
  Loader,
  Paper,
  SimpleGrid,
  Skeleton,
  Stack,
  Tabs,
  Text,
  Title,
} from "@mantine/core";
import { IconPlayerPlay, IconX } from "@tabler/icons-react";
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "react-router";
import { AnswerView } from "../answers/AnswerView";
import { JsonView } from "../answers/JsonView";
import * as api from "../api/client";
import type { FieldInfo, Json, ModelInfo, Row } from "../api/types";
import { isCanvas } from "../inputs";
import { bareAddress, fromFragment } from "../share";
import { useFocusBack } from "../useFocusBack";
import { Fields, MayBeEmpty, StillMissing } from "./Fields";
import { OpenInput } from "./OpenInput";
import { examplesOf, isMissing, isSame, seen, shown, shownOf, took, whole } from "./rows";
import { Share } from "./Share";
import { Trouble } from "./Trouble";
import classes from "./TryIt.module.css";

const CodePanel = lazy(() =>
  import("../code/CodePanel").then((module) => ({ default: module.CodePanel })),
);

type Done = { kind: "done"; row: Row; got: api.Prediction };

type Outcome =
  | { kind: "none" }
  | { kind: "running"; since: number }
  | { kind: "cancelled" }
  | { kind: "failed"; error: Error }
  | Done;

/** What is filled in and what came of it, for as long as somebody is at this model. */
export function useTried() {
  const [row, setRow] = useState<Row>({});
  const [outcome, setOutcome] = useState<Outcome>({ kind: "none" });
  /** What is shown while the next answer is on its way, so that nothing jumps. */
  const [last, setLast] = useState<Done>();
  return { row, setRow, outcome, setOutcome, last, setLast };
}

/** The input on one side, the answer on the other. */
export function TryIt(props: { model: ModelInfo; tried: ReturnType<typeof useTried> }) {
  const { model, tried } = props;
  const { row, setRow, outcome, setOutcome, last, setLast } = tried;
  const { t } = useTranslation();
  const fields = useMemo(() => shown(model), [model]);
  const examples = useMemo(() => examplesOf(model), [model]);
  const example = examples[0]?.row;
  const [asked, setAsked] = useState(false);
  const [tab, setTab] = useState("answer");
  const control = useRef<AbortController>(undefined);
  const answer = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const latest = useRef(row);
  const location = useLocation();
  const isFirst = useRef(true);
  const missing = fields.filter((field) => isMissing(field, row));

  /** Whether an answer came. */
  async function run(input: Row): Promise<boolean> {
    control.current?.abort();
    const own = new AbortController();
    control.current = own;
    setAsked(false);
    setOutcome({ kind: "running", since: performance.now() });
    try {
      const got = await api.predict(model.name, whole(model, input), { signal: own.signal });
      const done = { kind: "done", row: input, got } as const;
      setOutcome(done);
      setLast(done);
      return true;
    } catch (error) {
      if (control.current !== own) return false; // a later run has taken its place
      setTab("answer");
      setOutcome(
        own.signal.aborted ? { kind: "cancelled" } : { kind: "failed", error: error as Error },
      );
      return false;
    }
  }

  /** Runs what was asked for with a press, and shows the answer where it stands below the input. */
  async function ask(input: Row) {
    if (!(await run(input))) return;
    const top = answer.current?.getBoundingClientRect().top ?? 0;
    if (top > innerHeight / 2) answer.current?.scrollIntoView();
  }

  function fill(input: Row) {
    latest.current = input;
    setRow(input);
  }

  function change(field: FieldInfo, value: Json | undefined) {
    // Controls may speak in one go, before anything is rendered anew.
    const { [field.name]: _, ...rest } = latest.current;
    const changed = value === undefined ? rest : { ...rest, [field.name]: value };
    fill(changed);
    // Whoever draws sees at once what becomes of it.
    const isWhole = fields.every((each) => !isMissing(each, changed));
    if (isCanvas(field) && isWhole) void run(changed);
  }

  function use(input: Row) {
    fill(input);
    void ask(input);
  }

  /** What comes from outside may name what the page does not show. */
  const open = (input: Row) => use(shownOf(model, input));

  useEffect(() => () => control.current?.abort(), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a link is read once each time it is followed
  useEffect(() => {
    let isOwn = true;
    const kept = last;
    void fromFragment(location.hash).then((shared) => {
      // By the browser's way back there is the link to the answer that was kept.
      const isKept = isFirst.current && JSON.stringify(shared) === JSON.stringify(kept?.row);
      isFirst.current = false;
      if (isOwn && shared && !isKept) open(shared);
    });
    return () => {
      isOwn = false;
    };
  }, [location]);

  const failure = outcome.kind === "failed" ? outcome.error : undefined;
  const isRunning = outcome.kind === "running";
  const from = useFocusBack(!isRunning, () => button.current);
  const answered = outcome.kind === "done" || isRunning ? last : undefined;
  const isOld = outcome.kind === "done" && !isSame(outcome.row, row);
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg" className={classes.sides}>
      <Paper
        withBorder
        p="lg"
        component="form"
        aria-label={t("app.input")}
        onSubmit={(event: React.FormEvent) => {
          event.preventDefault();
          setAsked(true);
          from.current = button.current;
          if (missing.length === 0) void ask(row);
        }}
      >
        <Stack gap="md">
          <Group justify="space-between">
            <Title order={2} size="h4">
              {t("app.input")}
            </Title>
            {examples.length > 0 && (
              <Group gap={6} role="group" aria-label={t("app.examples")}>
                {examples.map((each, at) => (
                  <Chip
                    // biome-ignore lint/suspicious/noArrayIndexKey: examples have no other name
                    key={at}
                    size="xs"
                    checked={row === each.row}
                    onChange={() => use(each.row)}
                  >
                    {each.name ?? t("app.example", { number: at + 1 })}
                  </Chip>
                ))}
              </Group>
            )}
          </Group>
          <MayBeEmpty fields={fields} />
          <Fields fields={fields} row={row} example={example} failure={failure} onChange={change} />
          {asked && <StillMissing fields={missing} />}
          <Group>
            {isRunning ? (
              // Keys, because else one element would become the other in the middle of a click, and
              // the click would submit the form.
              <Button
                key="cancel"
                color="red"
                variant="light"
                leftSection={<IconX size={16} />}
                onClick={() => control.current?.abort()}
              >
                {t("app.cancel")}
              </Button>
            ) : (
              <Button
                key="run"
                ref={button}
                type="submit"
                leftSection={<IconPlayerPlay size={16} />}
              >
                {t("app.run")}
              </Button>
            )}
            <Button
              variant="default"
              onClick={() => {
                control.current?.abort();
                control.current = undefined;
                fill({});
                // Else the old input were back when the page is loaded again.
                history.replaceState(history.state, "", bareAddress());
                setLast(undefined);
                setAsked(false);
                setOutcome({ kind: "none" });
              }}
            >
              {t("app.clear")}
            </Button>
            <OpenInput onOpen={open} />
          </Group>
        </Stack>
      </Paper>
      <Paper withBorder p="lg" className={classes.answer} component="section" ref={answer}>
        <Tabs value={tab} onChange={(chosen) => setTab(chosen ?? "answer")}>
          <Tabs.List>
            <Tabs.Tab value="answer">{t("app.tabs.answer")}</Tabs.Tab>
            <Tabs.Tab value="json">{t("app.tabs.json")}</Tabs.Tab>
            <Tabs.Tab value="code">{t("app.tabs.code")}</Tabs.Tab>
          </Tabs.List>
          <div className={classes.status} role="status">
            {isRunning && <Waiting since={outcome.since} onLong={() => setTab("answer")} />}
            {isOld && tab !== "code" && (
              <Text size="xs" c="dimmed">
                {t("kept.old")}
              </Text>
            )}
          </div>
          <Tabs.Panel value="answer">
            <div aria-live="polite" aria-busy={isRunning} data-testid="answer">
              <AnswerPane model={model} outcome={outcome} last={answered} isOld={isOld} />
            </div>
          </Tabs.Panel>
          <Tabs.Panel value="json">
            {answered ? (
              <div className={isOld ? classes.old : undefined}>
                <JsonView value={answered.got.answer} />
              </div>
            ) : (
              <Nothing />
            )}
          </Tabs.Panel>
          <Tabs.Panel value="code">
            {tab === "code" && (
              <Suspense fallback={<Skeleton h={220} />}>
                <CodePanel model={model} request={filled(model, row, example)} />
              </Suspense>
            )}
          </Tabs.Panel>
        </Tabs>
        {answered && (
          <Group justify="space-between" mt="md" gap="xs">
            <Text size="xs" c="dimmed" data-testid="took">
              {t("app.took", { ms: took(answered.got.tookMs), version: answered.got.version })}
            </Text>
            <Share model={model} row={answered.row} />
          </Group>
        )}
      </Paper>
    </SimpleGrid>
  );
}

function AnswerPane(props: {
  model: ModelInfo;
  outcome: Outcome;
  last: Done | undefined;
  isOld: boolean;
}) {
  const { model, outcome, last, isOld } = props;
  const { t } = useTranslation();
  if (outcome.kind === "failed") return <Trouble error={outcome.error} />;
  if (outcome.kind === "cancelled") return <Text c="dimmed">{t("app.cancelled")}</Text>;
  const isRunning = outcome.kind === "running";
  if (!last) return isRunning ? null : <Nothing />;
  // The same elements while the next answer is on its way: what was set in them stays.
  return (
    <div className={isRunning ? classes.stale : isOld ? classes.old : undefined}>
      <AnswerView model={model} request={seen(model, last.row)} answer={last.got.answer} />
    </div>
  );
}

/** Told only where it takes so long that one would wonder. */
function Waiting({ since, onLong }: { since: number; onLong: () => void }) {
  const { t } = useTranslation();
  const [now, setNow] = useState(since);
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 250);
    return () => clearInterval(timer);
  }, []);
  const seconds = (now - since) / 1000;
  const isLong = seconds >= 0.5;
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is told once
  useEffect(() => {
    if (isLong) onLong();
  }, [isLong]);
  if (!isLong) return null;
  return (
    <Group gap="xs">
      <Loader size="xs" />
      <Text size="sm">
        {t("app.running")} {seconds.toFixed(0)} s
      </Text>
    </Group>
  );
}

function Nothing() {
  const { t } = useTranslation();
  return (
    <Stack gap={4} align="center" py={60}>
      <Text fw={600}>{t("app.noAnswer")}</Text>
      <Text size="sm" c="dimmed" ta="center">
        {t("app.noAnswerHow")}
      </Text>
    </Stack>
  );
}

/** What the code shows: the request as it is sent, with the example where something is missing. */
function filled(model: ModelInfo, row: Row, example: Row | undefined): Row {
  const isWhole = shown(model).every((field) => !isMissing(field, row));
  return whole(model, isWhole ? row : { ...example, ...row });
}
