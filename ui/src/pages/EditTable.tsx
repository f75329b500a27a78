import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { AnswerView } from "../answers/AnswerView";
import * as api from "../api/client";
import type { Json, ModelInfo, Row } from "../api/types";
import { TableControl } from "../inputs/TableControl";
import { Trouble } from "./Trouble";

/** Rows to edit, or to paste from a spreadsheet, and the same rows with their answers. */
export function EditTable({ model }: { model: ModelInfo }) {
  const { t } = useTranslation();
  const [rows, setRows] = useState<Row[]>([{}]);
  const [done, setDone] = useState<{ request: Row; got: api.Prediction }>();
  const [error, setError] = useState<Error>();
  const [isBusy, setIsBusy] = useState(false);
  const wrong = error instanceof api.ApiError ? error : undefined;

  async function run() {
    setIsBusy(true);
    setError(undefined);
    const request = columns(model, rows);
    try {
      setDone({ request, got: await api.predict(model.name, request) });
    } catch (failure) {
      setError(failure as Error);
    } finally {
      setIsBusy(false);
    }
  }

  return (
    <Stack gap="md">
      <div>
        <Title order={2} size="h4">
          {t("batch.edit")}
        </Title>
        <Text size="sm" c="dimmed">
          {t("batch.editHow")}
        </Text>
      </div>
      <TableControl fields={model.fields} rows={rows} onChange={setRows} errors={places(wrong)} />
      <Group>
        <Button leftSection={<IconPlayerPlay size={16} />} loading={isBusy} onClick={run}>
          {t("app.run")}
        </Button>
      </Group>
      {error && <Trouble error={error} />}
      {done && !error && (
        <AnswerView model={model} request={done.request} answer={done.got.answer} />
      )}
    </Stack>
  );
}

/** Each field with the values of all rows. */
function columns(model: ModelInfo, rows: Row[]): Row {
  return Object.fromEntries(
    model.fields.map((field): [string, Json] => [
      field.name,
      rows.map((row) => row[field.name] ?? null),
    ]),
  );
}

/** Where an error is, as far as it says so. */
function places(error: api.ApiError | undefined): Record<string, string> {
  const { tensor, row } = error?.detail ?? {};
  if (!error || typeof tensor !== "string" || typeof row !== "number") return {};
  return { [`${row}.${tensor}`]: error.message };
}
