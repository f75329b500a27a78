import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { AnswerView } from "../answers/AnswerView";
import * as api from "../api/client";
import type { FieldInfo, Json, ModelInfo, Row } from "../api/types";
import { TableControl } from "../inputs/TableControl";
import { isFilled } from "../inputs/table";
import { useFocusBack } from "../useFocusBack";
import { shown, whole } from "./rows";
import { Trouble } from "./Trouble";

/** Rows to edit, or to paste from a spreadsheet, and the same rows with their answers. */
export function EditTable({ model }: { model: ModelInfo }) {
  const { t } = useTranslation();
  const fields = useMemo(() => shown(model), [model]);
  const [rows, setRows] = useState<Row[]>([{}]);
  const [done, setDone] = useState<{ request: Row; got: api.Prediction }>();
  const [error, setError] = useState<Error>();
  const [isBusy, setIsBusy] = useState(false);
  const from = useFocusBack(!isBusy, () => undefined);
  const wrong = error instanceof api.ApiError ? error : undefined;

  async function run() {
    setIsBusy(true);
    setError(undefined);
    try {
      const all = columns(
        model.fields,
        rows.map((row) => whole(model, row)),
      );
      const got = await api.predict(model.name, all);
      setDone({ request: columns(fields, rows), got });
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
      <TableControl fields={fields} rows={rows} onChange={setRows} errors={places(wrong)} />
      <Group>
        <Button
          leftSection={<IconPlayerPlay size={16} />}
          loading={isBusy}
          disabled={!rows.some(isFilled)}
          onClick={(event) => {
            from.current = event.currentTarget;
            void run();
          }}
        >
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
function columns(fields: FieldInfo[], rows: Row[]): Row {
  return Object.fromEntries(
    fields.map((field): [string, Json] => [field.name, rows.map((row) => row[field.name] ?? null)]),
  );
}

/** Where an error is, as far as it says so. */
function places(error: api.ApiError | undefined): Record<string, string> {
  const { tensor, row } = error?.detail ?? {};
  if (!error || typeof tensor !== "string" || typeof row !== "number") return {};
  return { [`${row}.${tensor}`]: error.message };
}
