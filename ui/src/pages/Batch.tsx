import { Alert, Button, Group, Paper, Progress, Stack, Table, Text, Title } from "@mantine/core";
import { IconDownload, IconTableImport } from "@tabler/icons-react";
import type { TFunction } from "i18next";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { newName } from "../answers/table";
import * as api from "../api/client";
import type { ModelInfo } from "../api/types";
import { parseCsv, toCsv } from "../csv";
import { checkField, isTabular, problemText } from "../inputs";
import { UploadButton } from "../inputs/Actions";
import {
  type CsvFile,
  cellValue,
  ownNumber,
  plainCell,
  readCsvFile,
  type Unfit,
  written,
} from "../inputs/table";
import { save } from "../save";
import { WideTable } from "../WideTable";
import { EditTable } from "./EditTable";
import { cellsOf, examplesOf, shown } from "./rows";

/** Rows of one request: small enough to show progress, and to share the model with others. */
const CHUNK = 500;
const PREVIEW = 8;
/** Names that are told; the template has them all. */
const FEW = 8;

type State =
  | { kind: "none" }
  | { kind: "running"; done: number; total: number }
  | { kind: "failed"; message: string }
  | { kind: "done"; name: string; file: CsvFile; table: string[][]; seconds: number };

/** A table as a file in, the same with the answers out. */
export default function Batch({ model }: { model: ModelInfo }) {
  const { t, i18n } = useTranslation();
  const [state, setState] = useState<State>({ kind: "none" });
  const control = useRef<AbortController>(undefined);
  const names = model.app.inputs;
  useEffect(() => () => control.current?.abort(), []);
  if (!isTabular(model.fields)) return <Alert color="gray">{t("batch.notTabular")}</Alert>;
  const few = names.length > FEW ? [...names.slice(0, FEW), "…"] : names;
  const count = new Intl.NumberFormat(i18n.language);

  async function score(file: File) {
    const own = new AbortController();
    control.current = own;
    const started = performance.now();
    try {
      const read = readCsvFile(await textOf(file), shown(model));
      if ("kind" in read) {
        setState({ kind: "failed", message: unfit(read, t) });
        return;
      }
      const total = read.rows.length;
      setState({ kind: "running", done: 0, total });
      const table = await scored(model, read, own.signal, t, (done) =>
        setState({ kind: "running", done, total }),
      );
      const seconds = (performance.now() - started) / 1000;
      setState({ kind: "done", name: file.name, file: read, table, seconds });
    } catch (error) {
      if (own.signal.aborted) setState({ kind: "none" });
      else setState({ kind: "failed", message: told(error, t) });
    }
  }

  return (
    <Stack gap="lg">
      <Paper withBorder p="lg">
        <Stack gap="md">
          <Title order={2} size="h4">
            {t("batch.file")}
          </Title>
          <Text size="sm">{t("batch.how", { names: few.join(", ") })}</Text>
          <Group>
            <UploadButton
              accept=".csv,text/csv"
              label={t("batch.choose")}
              variant="filled"
              size="sm"
              leftSection={<IconTableImport size={16} />}
              disabled={state.kind === "running"}
              onPick={(file) => void score(file)}
            />
            <Button
              variant="default"
              onClick={() => save(`${model.name}.csv`, toCsv([names, example(model)]), "text/csv")}
            >
              {t("batch.template")}
            </Button>
          </Group>
          {state.kind === "running" && (
            <Group role="status">
              <Progress
                value={(100 * state.done) / Math.max(1, state.total)}
                flex={1}
                aria-label={t("batch.progress", state)}
              />
              <Text size="sm">
                {t("batch.progress", {
                  done: count.format(state.done),
                  total: count.format(state.total),
                })}
              </Text>
              <Button
                size="compact-sm"
                color="red"
                variant="light"
                onClick={() => control.current?.abort()}
              >
                {t("app.cancel")}
              </Button>
            </Group>
          )}
          {state.kind === "failed" && (
            <Alert color="red" role="alert" title={t("app.errorTitle")}>
              {state.message}
            </Alert>
          )}
          {state.kind === "done" && (
            <Stack gap="sm">
              <Group>
                <Text data-testid="batch-done">
                  {t("batch.done", {
                    count: state.table.length - 1,
                    rows: count.format(state.table.length - 1),
                    seconds: state.seconds.toFixed(1),
                  })}
                </Text>
                <Button
                  leftSection={<IconDownload size={16} />}
                  onClick={() =>
                    save(
                      state.name.replace(/(\.csv)?$/i, "-answers.csv"),
                      written(state.table, state.file.form),
                      "text/csv",
                    )
                  }
                >
                  {t("batch.save")}
                </Button>
              </Group>
              {state.file.missing.length > 0 && (
                <Alert color="yellow" role="status">
                  {t("batch.missing", { names: state.file.missing.join(", ") })}
                </Alert>
              )}
              <Text size="sm" fw={600}>
                {t("batch.preview")}
              </Text>
              <WideTable label={t("batch.preview")} minWidth={480}>
                <Table
                  data={{
                    head: state.table[0] ?? [],
                    body: state.table.slice(1, PREVIEW + 1),
                  }}
                />
              </WideTable>
            </Stack>
          )}
        </Stack>
      </Paper>
      <Paper withBorder p="lg">
        <EditTable model={model} />
      </Paper>
    </Stack>
  );
}

/** The rows with the columns of the answers behind their own. */
async function scored(
  model: ModelInfo,
  { form, header, rows, places }: CsvFile,
  signal: AbortSignal,
  t: TFunction,
  progress: (done: number) => void,
): Promise<string[][]> {
  const byName = new Map(model.fields.map((field) => [field.name, field]));
  const cells = (row: string[], at: number) =>
    cellsOf(model, (name) => {
      const field = byName.get(name);
      const text = row[places.get(name) ?? -1] ?? "";
      const value = field && cellValue(text, field, form.separator);
      if (!field || value === undefined) return "";
      const problem = checkField(value, field);
      if (!problem) return plainCell(text, field, form.separator);
      const place = { row: at + 1, total: rows.length, name };
      throw new RowError(t("kept.cell", { ...place, text: problemText(problem, t, field) }));
    });
  const names = model.fields.map((field) => field.name);
  // Where rows differ in length, the answers stand under their names all the same.
  const width = rows.reduce((most, row) => Math.max(most, row.length), header.length);
  const own = (row: string[]) => Array.from({ length: width }, (_, at) => row[at] ?? "");
  const table: string[][] = [];
  for (let from = 0; from < rows.length; from += CHUNK) {
    const chunk = rows.slice(from, from + CHUNK);
    const sent = toCsv([names, ...chunk.map((row, at) => cells(row, from + at))]);
    const place = { from, count: chunk.length, total: rows.length };
    const answer = parseCsv(await sentChunk(model.name, sent, place, signal, t), ",");
    const [added = [], ...answers] = answer;
    if (from === 0) table.push([...own(header), ...added.map((name) => newName(name, header))]);
    for (const [at, row] of chunk.entries()) {
      table.push([...own(row), ...(answers[at] ?? []).map((cell) => ownNumber(cell, form))]);
    }
    progress(from + chunk.length);
  }
  return table;
}

/** Its text with the mark of its encoding, if it has one: spreadsheets ask for that. */
async function textOf(file: File): Promise<string> {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await file.arrayBuffer());
}

/** What is wrong with a file's rows, in words that name them. */
class RowError extends Error {}

async function sentChunk(
  model: string,
  csv: string,
  { from, count, total }: { from: number; count: number; total: number },
  signal: AbortSignal,
  t: TFunction,
): Promise<string> {
  try {
    return await api.predictCsv(model, new Blob([csv]), signal);
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    const { row } = error.detail;
    // The server knows the lines of the part only.
    const text = error.message.replace(/^row \d+ of the CSV: /, "");
    throw new RowError(
      typeof row === "number"
        ? t("kept.row", { row: from + row + 1, total, text })
        : t("batch.rowError", { from: from + 1, to: from + count, message: text }),
    );
  }
}

function told(error: unknown, t: TFunction): string {
  return error instanceof RowError ? error.message : t("error.unreachable");
}

function unfit(problem: Unfit, t: TFunction): string {
  if (problem.kind !== "noHeader") return t(`kept.${problem.kind}`);
  return t("batch.noHeader", { names: problem.names.join(", ") });
}

function example(model: ModelInfo): string[] {
  const first = examplesOf(model)[0]?.row ?? {};
  return model.app.inputs.map((name) => String(first[name] ?? ""));
}
