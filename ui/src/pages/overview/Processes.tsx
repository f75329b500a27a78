import { Paper, Table, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Process } from "../../api/types";
import { age, bytes, cores } from "../../charts/format";
import { WideTable } from "../../WideTable";
import classes from "./overview.module.css";

const ORDER = ["supervisor", "control", "worker", "engine"];

/** Each process of the server, with what it takes. */
export function Processes({ processes }: { processes: Process[] }) {
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  const words = t("live.age", { returnObjects: true }) as Parameters<typeof age>[1];
  const sorted = [...processes].sort(
    (a, b) =>
      ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) ||
      (a.index ?? 0) - (b.index ?? 0) ||
      a.pid - b.pid,
  );
  return (
    <Paper withBorder p="md">
      <Title order={2} size="h4" mb="xs">
        {t("overview.processes.title")}
      </Title>
      <WideTable label={t("overview.processes.title")} minWidth={480}>
        <Table tabularNums data-testid="processes">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("overview.processes.kind")}</Table.Th>
              <Table.Th ta="right">{t("overview.processes.pid")}</Table.Th>
              <Table.Th ta="right">{t("figures.cpu")}</Table.Th>
              <Table.Th ta="right">{t("figures.memory")}</Table.Th>
              <Table.Th ta="right">{t("overview.processes.age")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {sorted.map((process) => (
              <Table.Tr key={process.pid}>
                <Table.Td>
                  {t(`overview.processes.${process.kind}`, { index: process.index ?? "" })}
                </Table.Td>
                <Table.Td ta="right" className={classes.number}>
                  {process.pid}
                </Table.Td>
                <Table.Td ta="right" className={classes.number}>
                  {cores(process.cpu, language)}
                </Table.Td>
                <Table.Td ta="right" className={classes.number}>
                  {bytes(process.memory_bytes, language)}
                </Table.Td>
                <Table.Td ta="right" className={classes.number}>
                  {age(process.uptime_s, words)}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
    </Paper>
  );
}
