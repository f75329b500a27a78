import {
  Alert,
  Button,
  FileButton,
  Group,
  Paper,
  Progress,
  Stack,
  Table,
  Text,
  Title,
} from "@mantine/core";
import { IconDownload, IconTableImport } from "@tabler/icons-react";
import type { TFunction } from "i18next";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "../api/client";
import type { ModelInfo } from "../api/types";
import { parseCsv, toCsv } from "../csv";
import { isTabular } from "../inputs";
import { save } from "../save";
import { WideTable } from "../WideTable";
import { EditTable } from "./EditTable";
import { cellsOf, examplesOf } from "./rows";

/** Rows of one request: small enough to show progress, and to share the model with others. */
const CHUNK = 500;
const PREVIEW = 8;
/** Names that are told; the template has them all. */
const FEW = 8;

type State =
  | { kind: "none" }
  | { kind: "running"; done: number; total: number }
  | { kind: "failed"; message: string }
  | { kind: "done"; name: string; table: string[][]; seconds: number };

/** A table as a file in, the same with the answers out. */
export default function Batch({ model }: { model: ModelInfo }) {
  const { t, i18n } = useTranslation();
  const [state, setState] = useState<State>({ kind: "none" });
  const control = useRef<AbortController>(undefined);
  const names = model.app.inputs;
  useEffect(() => () => control.current?.abort(), []);
  if (!isTabular(model.fields)) return <Alert color="gray">{t("batch.notTabular")}</Alert>;
  const shown = names.length > FEW ? [...names.slice(0, FEW), "…"] : names;
  const count = new Intl.NumberFormat(i18n.language);

  async function score(file: File) {
    const own = new AbortController();
    control.current = own;
    const started = performance.now();
    try {
      const [header = [], ...rows] = parseCsv(await file.text());
      const absent = names.filter((name) => !header.includes(name));
      if (absent.length) {
        setState({ kind: "failed", message: t("batch.noHeader", { names: absent.join(", ") }) });
        return;
      }
      setState({ kind: "running", done: 0, total: rows.length });
      const table = await scored(model, header, rows, own.signal, (done) =>
        setState({ kind: "running", done, total: rows.length }),
      );
      const seconds = (performance.now() - started) / 1000;
      setState({ kind: "done", name: file.name, table, seconds });
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
          <Text size="sm">{t("batch.how", { names: shown.join(", ") })}</Text>
          <Group>
            <FileButton accept=".csv,text/csv" onChange={(file) => file && void score(file)}>
              {(button) => (
                <Button
                  leftSection={<IconTableImport size={16} />}
                  disabled={state.kind === "running"}
                  {...button}
                >
                  {t("batch.choose")}
                </Button>
              )}
            </FileButton>
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
                {t("batch.cancel")}
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
                    rows: count.format(state.table.length - 1),
                    seconds: state.seconds.toFixed(1),
                  })}
                </Text>
                <Button
                  leftSection={<IconDownload size={16} />}
                  onClick={() =>
                    save(
                      state.name.replace(/(\.csv)?$/i, "-answers.csv"),
                      toCsv(state.table),
                      "text/csv",
                    )
                  }
                >
                  {t("batch.save")}
                </Button>
              </Group>
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
  header: string[],
  rows: string[][],
  signal: AbortSignal,
  progress: (done: number) => void,
): Promise<string[][]> {
  const names = model.fields.map((field) => field.name);
  const places = new Map(header.map((name, at) => [name, at]));
  const cells = (row: string[]) => cellsOf(model, (name) => row[places.get(name) ?? -1] ?? "");
  const table: string[][] = [];
  for (let from = 0; from < rows.length; from += CHUNK) {
    const chunk = rows.slice(from, from + CHUNK);
    const sent = toCsv([names, ...chunk.map(cells)]);
    const answer = parseCsv(await sentChunk(model.name, sent, from, chunk.length, signal), ",");
    if (from === 0) table.push([...header, ...(answer[0] ?? [])]);
    for (const [at, row] of chunk.entries()) table.push([...row, ...(answer[at + 1] ?? [])]);
    progress(from + chunk.length);
  }
  return table;
}

/** Which rows a refused request had. */
class ChunkError extends Error {
  constructor(
    readonly from: number,
    readonly to: number,
    message: string,
  ) {
    super(message);
  }
}

async function sentChunk(
  model: string,
  csv: string,
  from: number,
  count: number,
  signal: AbortSignal,
): Promise<string> {
  try {
    return await api.predictCsv(model, new Blob([csv]), signal);
  } catch (error) {
    if (error instanceof api.ApiError) throw new ChunkError(from + 1, from + count, error.message);
    throw error;
  }
}

function told(error: unknown, t: TFunction): string {
  if (error instanceof ChunkError) {
    return t("batch.rowError", { from: error.from, to: error.to, message: error.message });
  }
  return t("error.unreachable");
}

function example(model: ModelInfo): string[] {
  const first = examplesOf(model)[0]?.row ?? {};
  return model.app.inputs.map((name) => String(first[name] ?? ""));
}
