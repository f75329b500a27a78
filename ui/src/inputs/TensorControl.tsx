import { Group, Paper, SimpleGrid, Stack, Text, Textarea } from "@mantine/core";
import { IconGridDots } from "@tabler/icons-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { FieldInfo, Json } from "../api/types";
import { ActionButton, ExampleButton, RemoveButton, UploadButton } from "./Actions";
import {
  checkField,
  countOf,
  formatTensor,
  isNumeric,
  parseNumbers,
  problemText,
  rangeText,
  shapeOf,
  statistics,
  zeros,
} from "./check";
import type { ControlProps } from "./control";
import { Frame } from "./Frame";
import { MOST_BYTES } from "./files";
import { useDraft, useIds, useLatest, useProblem } from "./hooks";
import classes from "./inputs.module.css";

/** A longer text is no longer shown: nobody reads it, and the page would be slow. */
const MOST_CHARACTERS = 20_000;

/** More zeros than these are more than a request takes. */
const MOST_ZEROS = 4_000_000;

/** A value from text: JSON, or numbers with anything between where a list of them is wanted. */
function read(text: string, field: FieldInfo): Json | undefined {
  if (!text.trim()) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    const isList = field.shape.length === 1 && isNumeric(field.datatype);
    // What is no JSON stays the text that it is, so that nothing typed is lost.
    return (isList ? parseNumbers(text) : null) ?? text;
  }
}

/** A value's text; null where it is too long to be shown. */
function textOf(value: Json): string | null {
  if (typeof value === "string") return value;
  // Each element takes two characters or more.
  if (countOf(shapeOf(value)) * 2 > MOST_CHARACTERS) return null;
  const text = formatTensor(value);
  return text.length > MOST_CHARACTERS ? null : text;
}

/** The shape as a person reads it: a free size is "any". */
function shapeText(shape: readonly number[], any: string): string {
  return `[${shape.map((size) => (size < 0 ? any : size)).join(", ")}]`;
}

/** Any other tensor: nested lists as text, from a file, of zeros, or from the example. */
export function TensorControl({ field, value, onChange, error, example }: ControlProps) {
  const { t } = useTranslation();
  const latest = useLatest(onChange);
  const [draft, setDraft] = useDraft<string>(value);
  const [failed, setFailed] = useProblem(value);
  const text = useMemo(() => (value === undefined ? "" : textOf(value)), [value]);
  const problem = useMemo(() => {
    if (value === undefined) return null;
    if (typeof value === "string") return t("inputs.tensor.noJson");
    const found = checkField(value, field);
    return found && problemText(found, t, field);
  }, [value, field, t]);
  const told = failed ? t(failed, { size: MOST_BYTES / 1024 / 1024 }) : (problem ?? error);
  const takes = `${field.datatype} ${shapeText(field.shape, t("inputs.tensor.any"))}`;
  const hint = [field.description, takes, rangeText(field, t) ?? field.unit];
  const description = hint.filter(Boolean).join(" · ");
  const ids = useIds(description, told);

  const type = (next: string) => {
    const given = read(next, field);
    setFailed(null);
    setDraft(next, given);
    onChange(given);
  };
  const upload = async (file: File) => {
    if (file.size > MOST_BYTES) return setFailed("inputs.file.tooLarge");
    const given = read(await file.text().catch(() => ""), field);
    // A whole request has the value under the field's name.
    const isRequest = typeof given === "object" && given !== null && !Array.isArray(given);
    const own = isRequest ? given[field.name] : given;
    if (own === undefined || typeof own === "string") return setFailed("inputs.tensor.noJson");
    setFailed(null);
    latest.current(own);
  };

  return (
    <Stack gap="xs">
      {value !== undefined && text === null ? (
        <Frame ids={ids} field={field} description={description} error={told}>
          <Summary value={value} />
        </Frame>
      ) : (
        <Textarea
          label={field.name}
          description={description}
          error={told}
          classNames={{ input: classes.code ?? "" }}
          autosize
          minRows={4}
          maxRows={16}
          spellCheck={false}
          autoCapitalize="off"
          value={draft ?? text ?? ""}
          onChange={(event) => type(event.currentTarget.value)}
          placeholder={placeholder(field)}
        />
      )}
      <Group gap="xs">
        {example !== undefined && <ExampleButton onClick={() => onChange(example)} />}
        <ActionButton
          leftSection={<IconGridDots size={16} aria-hidden />}
          disabled={countOf(field.shape) > MOST_ZEROS}
          onClick={() => onChange(zeros(field.shape, field.datatype))}
        >
          {t(isNumeric(field.datatype) ? "inputs.tensor.zeros" : "inputs.tensor.blank")}
        </ActionButton>
        <UploadButton
          accept="application/json,.json"
          label={t("inputs.tensor.upload")}
          onPick={(file) => void upload(file)}
        />
        <RemoveButton
          disabled={value === undefined}
          onClick={() => {
            setFailed(null);
            onChange(undefined);
          }}
        />
      </Group>
    </Stack>
  );
}

/** A small value of the right depth, as an example of how it is written. */
function placeholder(field: FieldInfo): string {
  const shape = field.shape.map((size) => Math.min(Math.abs(size), 2));
  return formatTensor(zeros(shape, field.datatype)).replace(/\s+/g, " ");
}

function Summary({ value }: { value: Json }) {
  const { t } = useTranslation();
  const found = useMemo(() => statistics(value), [value]);
  const short = (number: number) => String(Number(number.toPrecision(5)));
  const parts: [string, string][] = [
    ["inputs.tensor.shape", shapeText(shapeOf(value), "?")],
    ["inputs.tensor.count", String(found.count)],
  ];
  if (!Number.isNaN(found.mean)) {
    parts.push(
      ["inputs.tensor.minimum", short(found.minimum)],
      ["inputs.tensor.mean", short(found.mean)],
      ["inputs.tensor.maximum", short(found.maximum)],
    );
  }
  return (
    <Paper withBorder p="sm" mih="7rem">
      <Stack gap="xs">
        <Text size="sm" c="dimmed">
          {t("inputs.tensor.long")}
        </Text>
        <SimpleGrid minColWidth="6.5rem" spacing="xs">
          {parts.map(([key, shown]) => (
            <Stack key={key} gap={0}>
              <Text size="xs" c="dimmed">
                {t(key)}
              </Text>
              <Text size="sm" ff="monospace">
                {shown}
              </Text>
            </Stack>
          ))}
        </SimpleGrid>
      </Stack>
    </Paper>
  );
}
