import { Button, Table as Grid, Group, Stack, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { Json } from "../api/types";
import { save } from "../save";
import { readable, shortened } from "./numbers";
import type { Table } from "./parts";
import { cellText, csv, joined } from "./table";

const SHOWN = 200;
const LETTERS = 60;

/** Many rows: what was asked and what was answered side by side, and all of it as a file. */
export function TableAnswer({
  inputs,
  answers,
  fileName = "answers.csv",
}: {
  inputs: Table;
  answers: Table;
  fileName?: string;
}) {
  const { t, i18n } = useTranslation();
  const table = useMemo(() => joined(inputs, answers), [inputs, answers]);
  const count = new Intl.NumberFormat(i18n.language);
  const columns = table.columns.map((name, at) => ({
    name,
    at,
    isNew: at >= inputs.columns.length,
  }));
  const rows = table.rows.slice(0, SHOWN).map((cells, at) => ({ cells, at }));
  const all = count.format(table.rows.length);
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          {table.rows.length > SHOWN
            ? t("answers.table.cut", { n: count.format(SHOWN), all })
            : t("answers.table.rows", { count: table.rows.length, n: all })}
        </Text>
        <Button
          size="compact-sm"
          variant="light"
          leftSection={<IconDownload size={16} aria-hidden />}
          onClick={() => save(fileName, csv(table), "text/csv")}
        >
          {t("answers.table.download")}
        </Button>
      </Group>
      <Grid.ScrollContainer
        minWidth={0}
        maxHeight="26rem"
        scrollAreaProps={{
          viewportProps: { tabIndex: 0, role: "group", "aria-label": t("answers.table.label") },
        }}
      >
        <Grid stickyHeader striped tabularNums withColumnBorders>
          <Grid.Thead>
            <Grid.Tr>
              <Grid.Th c="dimmed">{t("answers.table.row")}</Grid.Th>
              {columns.map(({ name, at, isNew }) => (
                <Grid.Th
                  key={at}
                  {...(isNew ? { c: "var(--mantine-primary-color-light-color)" } : {})}
                >
                  {name}
                </Grid.Th>
              ))}
            </Grid.Tr>
          </Grid.Thead>
          <Grid.Tbody>
            {rows.map(({ cells, at: row }) => (
              <Grid.Tr key={row}>
                <Grid.Td c="dimmed" ta="right">
                  {count.format(row + 1)}
                </Grid.Td>
                {columns.map(({ at, isNew }) => (
                  <Cell key={at} value={cells[at] ?? null} isNew={isNew} language={i18n.language} />
                ))}
              </Grid.Tr>
            ))}
          </Grid.Tbody>
        </Grid>
      </Grid.ScrollContainer>
    </Stack>
  );
}

function Cell({ value, isNew, language }: { value: Json; isNew: boolean; language: string }) {
  const text = cellText(value);
  const isNumber = typeof value === "number";
  const shown = isNumber ? readable(value, language) : shortened(text, LETTERS);
  return (
    <Grid.Td
      ta={isNumber ? "right" : "left"}
      fw={isNew ? 600 : 400}
      title={text === shown ? "" : shortened(text, 1000)}
    >
      {shown}
    </Grid.Td>
  );
}
