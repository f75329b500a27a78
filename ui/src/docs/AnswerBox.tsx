import { Alert, Button, Group, ScrollArea, Stack, Tabs, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import blocks from "../answers/answers.module.css";
import { Copy } from "../answers/Copy";
import { save } from "../save";
import classes from "./docs.module.css";
import { laidOut } from "./json";
import { fileName, type Got } from "./receive";
import { sized } from "./size";
import type { Phase } from "./useSending";

/** More than a person reads, and than a browser shows at once. */
const MOST_SHOWN = 100_000;

/** What came: status, time, headers, body. */
export function AnswerBox({ phase }: { phase: Phase }) {
  const { t, i18n } = useTranslation();
  const got = "got" in phase ? phase.got : undefined;
  const said = {
    idle: "",
    running: got
      ? t("docs.try.receiving", { size: sized(got.bytes.size, i18n.language) })
      : t("docs.try.running"),
    cancelled: t("docs.try.cancelled"),
    failed: "",
    done: "",
  }[phase.kind];
  return (
    <Stack gap="xs" mt={phase.kind === "idle" ? 0 : "md"}>
      <div role="status">
        {said && <Text size="sm">{said}</Text>}
        {got && <Line got={got} />}
      </div>
      {phase.kind === "failed" && (
        <Alert color="red" role="alert">
          {t("docs.try.failed")}
        </Alert>
      )}
      {got && <Parts got={got} />}
    </Stack>
  );
}

function Line({ got }: { got: Got }) {
  const { t, i18n } = useTranslation();
  const ms = new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 1 }).format(got.tookMs);
  return (
    <Group gap="sm" data-testid="answered">
      <Text
        fw={700}
        size="sm"
        component="span"
        className={got.status < 400 ? classes.good : classes.bad}
      >
        {got.status} {got.statusText}
      </Text>
      {got.isWhole && (
        <Text size="sm" c="dimmed" component="span">
          {t("docs.answer.took", { ms })} · {sized(got.bytes.size, i18n.language)}
        </Text>
      )}
    </Group>
  );
}

function Parts({ got }: { got: Got }) {
  const { t } = useTranslation();
  return (
    <Tabs defaultValue="body" keepMounted={false}>
      <Tabs.List aria-label={t("docs.answer.title")}>
        <Tabs.Tab value="body">{t("docs.answer.body")}</Tabs.Tab>
        <Tabs.Tab value="headers">{t("docs.answer.headers")}</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="body" pt="sm">
        <Content got={got} />
      </Tabs.Panel>
      <Tabs.Panel value="headers" pt="sm">
        <Block
          label={t("docs.answer.headers")}
          text={got.headers.map(([name, value]) => `${name}: ${value}`).join("\n")}
        />
      </Tabs.Panel>
    </Tabs>
  );
}

function Content({ got }: { got: Got }) {
  const { t, i18n } = useTranslation();
  const text = useMemo(() => readable(got), [got]);
  const refusal = useMemo(() => refusalOf(got), [got]);
  const count = new Intl.NumberFormat(i18n.language).format(MOST_SHOWN);
  if (got.bytes.size === 0) return <Text size="sm">{t("docs.answer.empty")}</Text>;
  return (
    <Stack gap="xs">
      {refusal && (
        <Alert color="red" role="alert">
          {refusal}
        </Alert>
      )}
      {got.type.startsWith("image/") && <Picture bytes={got.bytes} />}
      {text === null ? (
        <Text size="sm">
          {t("docs.answer.binary", {
            size: sized(got.bytes.size, i18n.language),
            type: got.type || "?",
          })}
        </Text>
      ) : (
        <Block label={t("docs.answer.title")} text={text.slice(0, MOST_SHOWN)} whole={got.text} />
      )}
      {text !== null && text.length > MOST_SHOWN && (
        <Text size="sm" c="dimmed">
          {t("docs.answer.cut", { shown: count })}
        </Text>
      )}
      {got.isWhole && (
        <div>
          <Button
            variant="default"
            size="compact-sm"
            leftSection={<IconDownload size={14} aria-hidden />}
            onClick={() => save(fileName(got.type), got.bytes, got.type)}
          >
            {t("docs.answer.save")}
          </Button>
        </div>
      )}
    </Stack>
  );
}

/** The text as it is shown: JSON over several lines, where it is not too long for that. */
function readable({ text, type, isWhole }: Got): string | null {
  if (text === null || !isWhole || text.length > 5 * MOST_SHOWN) return text;
  return /[/+]json$/.test(type) ? laidOut(text) : text;
}

/** What an error says in words. */
function refusalOf({ status, text, isWhole }: Got): string | null {
  if (status < 400 || text === null || !isWhole) return null;
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === "string" ? error : null;
  } catch {
    return null; // of something between this page and the server
  }
}

function Block(props: { label: string; text: string; whole?: string | null }) {
  const { label, text, whole } = props;
  return (
    <div className={blocks.block}>
      <div className={blocks.corner}>
        <Copy value={whole ?? text} />
      </div>
      <ScrollArea.Autosize
        mah="24rem"
        viewportProps={{ tabIndex: 0, role: "group", "aria-label": label }}
      >
        <pre className={blocks.code} data-testid="answer-text">
          {text}
        </pre>
      </ScrollArea.Autosize>
    </div>
  );
}

function Picture({ bytes }: { bytes: Blob }) {
  const { t } = useTranslation();
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(bytes);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [bytes]);
  return url ? <img className={classes.picture} src={url} alt={t("docs.answer.picture")} /> : null;
}
