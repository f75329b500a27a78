import { NumberInput, Select, SimpleGrid, Text, TextInput } from "@mantine/core";
import { type ClipboardEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { FieldInfo, Json } from "../api/types";
import {
  checkField,
  isNumeric,
  isWhole,
  parseNumbers,
  problemText,
  rangeText,
  toNumber,
} from "./check";
import type { ControlProps } from "./control";
import { Frame } from "./Frame";
import { useDraft, useIds } from "./hooks";
import { cellText, cellValue } from "./table";

function textsOf(value: Json | undefined, size: number): string[] {
  const list = Array.isArray(value) ? value : [];
  return Array.from({ length: size }, (_, at) => cellText(list[at]));
}

/** The value of some texts, with null for those that are none yet; undefined where all are. */
function listOf(texts: readonly string[], field: FieldInfo): Json | undefined {
  if (texts.every((text) => text === "")) return undefined;
  const isNumber = isNumeric(field.datatype);
  return texts.map((text) => {
    const value = cellValue(text, field);
    return value === undefined || (isNumber && typeof value === "string") ? null : value;
  });
}

function pasted(text: string, field: FieldInfo): string[] | null {
  if (isNumeric(field.datatype)) return parseNumbers(text)?.map(String) ?? null;
  return text.replace(/[\r\n]+$/, "").split(/\t|\r?\n/);
}

/** A short list of values, each in a box of its own. */
export function ListControl({ field, value, onChange, error }: ControlProps) {
  const { t } = useTranslation();
  const [size = 1] = field.shape;
  const [draft, setDraft] = useDraft<string[]>(value);
  const [refused, setRefused] = useState<{ got: number; value: Json | undefined } | null>(null);
  const texts = draft ?? textsOf(value, size);
  const found = value === undefined ? null : checkField(value, field);
  // What is not given yet is counted below, and is no mistake.
  const problem = found?.kind === "type" && found.got === "null" ? null : found;
  const wrong = problem && "at" in problem ? problem.at[0] : undefined;
  const told = problem
    ? problemText(problem, t, field)
    : refused && refused.value === value
      ? t("inputs.list.count", { count: size, got: refused.got })
      : error;
  const hint = [
    field.description,
    rangeText(field, t) ?? field.unit,
    t("inputs.list.paste", { count: size }),
  ];
  const description = hint.filter(Boolean).join(" · ");
  const ids = useIds(description, told);

  const take = (next: string[]) => {
    const read = listOf(next, field);
    setRefused(null);
    setDraft(next, read);
    onChange(read);
  };
  const paste = (event: ClipboardEvent) => {
    const text = event.clipboardData.getData("text");
    const parts = pasted(text, field);
    // "1,5" is one number with a decimal comma, unless two are wanted.
    const isOne = !parts || parts.length < 2 || /^\s*[+-]?\d+,\d+\s*$/.test(text);
    if (isOne && parts?.length !== size) return;
    event.preventDefault();
    event.stopPropagation();
    if (parts?.length === size) take(parts);
    else setRefused({ got: parts?.length ?? 0, value });
  };

  return (
    <Frame ids={ids} field={field} description={description} error={told}>
      <SimpleGrid minColWidth="5.5rem" spacing="xs" onPasteCapture={paste}>
        {texts.map((text, at) => (
          <Cell
            // biome-ignore lint/suspicious/noArrayIndexKey: the boxes are their places in the list
            key={at}
            field={field}
            at={at}
            text={text}
            isWrong={wrong === at}
            onChange={(next) => take(texts.map((other, index) => (index === at ? next : other)))}
          />
        ))}
      </SimpleGrid>
      <Text size="xs" c="dimmed">
        {t("inputs.list.given", { given: texts.filter((text) => text !== "").length, size })}
      </Text>
    </Frame>
  );
}

interface CellProps {
  field: FieldInfo;
  at: number;
  text: string;
  isWrong: boolean;
  onChange: (text: string) => void;
}

function Cell({ field, at, text, isWrong, onChange }: CellProps): ReactNode {
  const shared = {
    label: String(at),
    "aria-label": `${field.name} ${at}`,
    size: "xs",
    error: isWrong,
    value: text,
  };
  const choices = field.choices ?? (field.datatype === "BOOL" ? [true, false] : []);
  if (choices.length) {
    return (
      <Select
        {...shared}
        data={[...new Set(choices.map(String))]}
        value={text || null}
        onChange={(next) => onChange(next ?? "")}
        allowDeselect={Boolean(field.nullable)}
      />
    );
  }
  if (!isNumeric(field.datatype)) {
    return <TextInput {...shared} onChange={(event) => onChange(event.currentTarget.value)} />;
  }
  return (
    <NumberInput
      {...shared}
      // The box reads a text digit by digit, and an exponent is none.
      value={/e/i.test(text) ? (toNumber(text) ?? text) : text}
      hideControls
      allowDecimal={!isWhole(field.datatype)}
      clampBehavior="none"
      {...(field.minimum !== undefined ? { min: field.minimum } : {})}
      {...(field.maximum !== undefined ? { max: field.maximum } : {})}
      onChange={(next) => onChange(String(next))}
    />
  );
}
