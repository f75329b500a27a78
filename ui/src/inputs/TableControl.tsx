import {
  ActionIcon,
  Alert,
  Box,
  Group,
  List,
  Stack,
  Table,
  Text,
  VisuallyHidden,
} from "@mantine/core";
import { IconPlus, IconTrash, IconX } from "@tabler/icons-react";
import { type KeyboardEvent, memo, useCallback, useId, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { FieldInfo, Json, Row } from "../api/types";
import { ActionButton, UploadButton } from "./Actions";
import { checkField, isNumeric, problemText } from "./check";
import { MOST_BYTES } from "./files";
import { useDraft, useLatest, usePaste } from "./hooks";
import classes from "./inputs.module.css";
import { cellText, cellValue, isFilled, MOST_ROWS, pasteInto, readTable } from "./table";

interface TableControlProps {
  fields: FieldInfo[];
  rows: Row[];
  onChange: (rows: Row[]) => void;
  /** What is wrong with cells, by `row.field`; rows are counted from 0. */
  errors?: Record<string, string>;
}

const MOST_TOLD = 8;

/** Many rows to edit, to paste from a spreadsheet or to load from a CSV file. */
export function TableControl({ fields, rows, onChange, errors }: TableControlProps) {
  const { t } = useTranslation();
  const id = useId();
  const root = useRef<HTMLDivElement>(null);
  const [notes, setNotes] = useState<string[]>([]);
  const latest = useLatest({ rows, onChange });
  const edited = rows.slice(0, MOST_ROWS);
  const problems = useProblems(fields, rows, errors);

  const change = useCallback(
    (at: number, name: string, value: Json | undefined) => {
      const { rows, onChange } = latest.current;
      onChange(rows.map((row, index) => (index === at ? { ...row, [name]: value } : row)));
    },
    [latest],
  );
  const remove = useCallback(
    (at: number) => {
      const { rows, onChange } = latest.current;
      onChange(rows.filter((_, index) => index !== at));
    },
    [latest],
  );
  const tooMany = (total: number) =>
    total > MOST_ROWS ? [t("inputs.table.tooMany", { total, most: MOST_ROWS })] : [];

  usePaste(root, (event) => {
    const text = event.clipboardData?.getData("text") ?? "";
    const target = event.target instanceof HTMLElement ? event.target : null;
    const cell = target?.closest<HTMLElement>("[data-row]");
    const isInside = Boolean(target && root.current?.contains(target));
    // A text that goes into a box elsewhere is not ours, even with the pointer over the table.
    if (!isInside && target?.closest("input, textarea, select, [contenteditable]")) return;
    const isTable = /[\t\n\r]/.test(text.replace(/[\r\n]+$/, ""));
    if (!text || (!isTable && (cell || fields.length > 1))) return;
    event.preventDefault();
    const at = cell
      ? { row: Number(cell.dataset.row), column: Number(cell.dataset.column) }
      : { row: rows.findLastIndex(isFilled) + 1, column: 0 };
    const pasted = pasteInto(rows, fields, at, text);
    setNotes(tooMany(pasted.total));
    onChange(pasted.rows);
  });

  const upload = async (file: File) => {
    if (file.size > MOST_BYTES) {
      return setNotes([t("inputs.file.tooLarge", { size: MOST_BYTES / 1024 / 1024 })]);
    }
    const read = readTable(await file.text().catch(() => ""), fields);
    if (!read) return setNotes([t("inputs.table.noTable", { count: fields.length })]);
    setNotes([
      ...tooMany(read.total),
      ...(read.unknown.length
        ? [t("inputs.table.unknown", { names: read.unknown.join(", ") })]
        : []),
      ...(read.missing.length
        ? [t("inputs.table.missing", { names: read.missing.join(", ") })]
        : []),
    ]);
    latest.current.onChange(read.rows);
  };

  return (
    <Stack gap="xs" ref={root}>
      <Group gap="xs">
        <ActionButton
          leftSection={<IconPlus size={16} aria-hidden />}
          disabled={rows.length >= MOST_ROWS}
          onClick={() => onChange([...rows, {}])}
        >
          {t("inputs.table.add")}
        </ActionButton>
        <UploadButton
          accept=".csv,.tsv,.txt,text/csv,text/tab-separated-values"
          label={t("inputs.table.upload")}
          onPick={(file) => void upload(file)}
        />
        <ActionButton
          leftSection={<IconTrash size={16} aria-hidden />}
          disabled={rows.length === 0}
          onClick={() => {
            setNotes([]);
            onChange([]);
          }}
        >
          {t("inputs.table.clear")}
        </ActionButton>
        <Text size="sm" c="dimmed" aria-live="polite">
          {t("inputs.table.rows", { count: rows.length })}
        </Text>
      </Group>
      <Text size="xs" c="dimmed">
        {t("inputs.table.paste")}
      </Text>
      {notes.length > 0 && (
        <Alert
          color="yellow"
          role="status"
          p="xs"
          withCloseButton
          closeButtonLabel={t("inputs.close")}
          onClose={() => setNotes([])}
        >
          {notes.map((note) => (
            <Text key={note} size="sm">
              {note}
            </Text>
          ))}
        </Alert>
      )}
      <Table.ScrollContainer
        minWidth={fields.length * 110 + 90}
        maxHeight="28rem"
        type="native"
        mih="8rem"
        tabIndex={0}
        role="group"
        aria-label={t("inputs.table.label")}
      >
        <Table
          stickyHeader
          withTableBorder
          withColumnBorders
          horizontalSpacing={0}
          verticalSpacing={0}
          tabularNums
          aria-label={t("inputs.table.label")}
          onKeyDown={walk}
        >
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col" px="xs" py={6} w="3rem" c="dimmed">
                #
              </Table.Th>
              {fields.map((field) => (
                <Table.Th key={field.name} scope="col" px="xs" py={6} title={field.description}>
                  {field.name}
                  {field.unit && (
                    <Text span size="xs" c="dimmed" ml={4}>
                      {field.unit}
                    </Text>
                  )}
                </Table.Th>
              ))}
              <Table.Th w="2.5rem" scope="col">
                <VisuallyHidden>{t("inputs.remove")}</VisuallyHidden>
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {edited.map((row, at) => (
              <TableRow
                // biome-ignore lint/suspicious/noArrayIndexKey: rows have no names but their places
                key={at}
                at={at}
                row={row}
                fields={fields}
                errors={problems.byRow.get(at)}
                errorsId={id}
                onChange={change}
                onRemove={remove}
              />
            ))}
            {edited.length === 0 && (
              <Table.Tr>
                <Table.Td colSpan={fields.length + 2} p="md" ta="center" c="dimmed">
                  {t("inputs.table.empty")}
                </Table.Td>
              </Table.Tr>
            )}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Box mih="1.5rem" role="status">
        {problems.all.length > 0 && (
          <List size="sm" c="var(--mantine-color-error)" listStyleType="none">
            {problems.all.slice(0, MOST_TOLD).map((problem) => (
              <List.Item key={`${problem.row}.${problem.name}`} id={errorId(id, problem)}>
                {t("inputs.table.problem", { ...problem, row: problem.row + 1 })}
              </List.Item>
            ))}
            {problems.all.length > MOST_TOLD && (
              <List.Item>
                {t("inputs.table.more", { count: problems.all.length - MOST_TOLD })}
              </List.Item>
            )}
          </List>
        )}
        {rows.length > MOST_ROWS && (
          <Text size="sm" c="dimmed">
            {t("inputs.table.rest", { count: rows.length - MOST_ROWS, most: MOST_ROWS })}
          </Text>
        )}
      </Box>
    </Stack>
  );
}

interface CellProblem {
  row: number;
  name: string;
  text: string;
}

const errorId = (id: string, { row, name }: { row: number; name: string }) =>
  `${id}-${row}-${name.replace(/\s/g, "_")}`;

/** What is wrong with each cell: its own text first, else what the caller says. */
function useProblems(
  fields: readonly FieldInfo[],
  rows: readonly Row[],
  errors: Record<string, string> | undefined,
) {
  const { t } = useTranslation();
  const [kept] = useState(() => new Map<number, Record<string, string>>());
  return useMemo(() => {
    const all: CellProblem[] = [];
    const byRow = new Map<number, Record<string, string>>();
    for (const [at, row] of rows.slice(0, MOST_ROWS).entries()) {
      const own: Record<string, string> = {};
      for (const field of fields) {
        const value = row[field.name];
        const problem = value === undefined ? null : checkField(value, field);
        const text = problem ? problemText(problem, t, field) : errors?.[`${at}.${field.name}`];
        if (!text) continue;
        own[field.name] = text;
        all.push({ row: at, name: field.name, text });
      }
      // The same object as before spares the row a render.
      const before = kept.get(at);
      if (Object.keys(own).length) {
        const same = before && JSON.stringify(before) === JSON.stringify(own) ? before : own;
        byRow.set(at, same);
        kept.set(at, same);
      }
    }
    return { all, byRow };
  }, [fields, rows, errors, t, kept]);
}

/** Enter goes a row down, and with Shift up, as in a spreadsheet. */
function walk(event: KeyboardEvent<HTMLTableElement>): void {
  if (event.key !== "Enter" || event.nativeEvent.isComposing) return; // of a method of input
  if (!(event.target instanceof HTMLInputElement)) return;
  const { row, column } = event.target.dataset;
  if (row === undefined || column === undefined) return;
  event.preventDefault();
  const next = Number(row) + (event.shiftKey ? -1 : 1);
  const cell = `[data-row="${next}"][data-column="${column}"]`;
  event.currentTarget.querySelector<HTMLElement>(cell)?.focus();
}

interface TableRowProps {
  at: number;
  row: Row;
  fields: FieldInfo[];
  errors: Record<string, string> | undefined;
  errorsId: string;
  onChange: (at: number, name: string, value: Json | undefined) => void;
  onRemove: (at: number) => void;
}

const TableRow = memo(function TableRow(props: TableRowProps) {
  const { at, row, fields, errors, errorsId, onChange, onRemove } = props;
  const { t } = useTranslation();
  return (
    <Table.Tr>
      <Table.Th scope="row" px="xs" c="dimmed" fw={400}>
        {at + 1}
      </Table.Th>
      {fields.map((field, column) => (
        <Table.Td key={field.name}>
          <Cell
            field={field}
            at={at}
            column={column}
            value={row[field.name]}
            error={errors?.[field.name]}
            errorId={errorId(errorsId, { row: at, name: field.name })}
            onChange={(value) => onChange(at, field.name, value)}
          />
        </Table.Td>
      ))}
      <Table.Td ta="center">
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={t("inputs.table.removeRow", { row: at + 1 })}
          onClick={() => onRemove(at)}
        >
          <IconX size={16} aria-hidden />
        </ActionIcon>
      </Table.Td>
    </Table.Tr>
  );
});

interface CellProps {
  field: FieldInfo;
  at: number;
  column: number;
  value: Json | undefined;
  error: string | undefined;
  errorId: string;
  onChange: (value: Json | undefined) => void;
}

function Cell({ field, at, column, value, error, errorId, onChange }: CellProps) {
  const { t } = useTranslation();
  const [draft, setDraft] = useDraft<string>(value);
  const choices = field.choices ?? (field.datatype === "BOOL" ? [true, false] : []);
  const shown = cellText(value);
  const shared = {
    className: classes.cell,
    "data-row": at,
    "data-column": column,
    "aria-label": t("inputs.table.cell", { name: field.name, row: at + 1 }),
    "aria-invalid": error ? true : undefined,
    "aria-describedby": error ? errorId : undefined,
    title: error,
  };
  if (choices.length) {
    const known = choices.map(String);
    return (
      <select
        {...shared}
        value={shown}
        onChange={(event) => onChange(cellValue(event.currentTarget.value, field))}
      >
        <option value="">{field.nullable ? t("inputs.unknown") : "–"}</option>
        {shown && !known.includes(shown) && <option value={shown}>{shown}</option>}
        {[...new Set(known)].map((choice) => (
          <option key={choice} value={choice}>
            {choice}
          </option>
        ))}
      </select>
    );
  }
  return (
    <input
      {...shared}
      type="text"
      inputMode={isNumeric(field.datatype) ? "decimal" : "text"}
      autoComplete="off"
      placeholder={value === null ? t("inputs.unknown") : undefined}
      value={draft ?? shown}
      onChange={(event) => {
        const text = event.currentTarget.value;
        const read = cellValue(text, field);
        setDraft(text, read);
        if (!Object.is(read, value)) onChange(read);
      }}
    />
  );
}
