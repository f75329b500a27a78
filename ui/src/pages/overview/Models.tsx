import { Anchor, Paper, Table, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { percent } from "../../answers/numbers";
import type { ModelTraffic } from "../../api/types";
import { bytes, duration, short } from "../../charts/format";
import { byTraffic } from "../../charts/hour";
import { WideTable } from "../../WideTable";
import { StateBadge } from "../StateBadge";
import classes from "./overview.module.css";

/** What each version does, the most active first. */
export function Models({ models }: { models: ModelTraffic[] }) {
  const { t } = useTranslation();
  const numbers = [
    t("overview.tiles.requests"),
    t("overview.tiles.errors"),
    t("figures.p50"),
    t("figures.p95"),
    t("figures.p99"),
    t("figures.waiting"),
    t("overview.tiles.hits"),
    t("figures.memory"),
  ];
  return (
    <Paper withBorder p="md">
      <Title order={2} size="h4" mb="xs">
        {t("overview.models.title")}
      </Title>
      {models.length === 0 && <Text c="dimmed">{t("overview.models.none")}</Text>}
      {models.length > 0 && (
        <WideTable label={t("overview.models.title")} minWidth={960}>
          <Table tabularNums data-testid="models">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t("overview.models.name")}</Table.Th>
                <Table.Th>{t("overview.models.version")}</Table.Th>
                <Table.Th>{t("overview.models.state")}</Table.Th>
                {numbers.map((name) => (
                  <Table.Th key={name} ta="right">
                    {name}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {byTraffic(models).map((model) => (
                <Row key={`${model.name} ${model.version}`} model={model} />
              ))}
            </Table.Tbody>
          </Table>
        </WideTable>
      )}
    </Paper>
  );
}

function Row({ model }: { model: ModelTraffic }) {
  const { i18n } = useTranslation();
  const language = i18n.language;
  const time = (seconds: number | null) => (seconds === null ? "–" : duration(seconds, language));
  const hits = model.cache_hit_rate;
  const cells: [string, string][] = [
    ["requests", short(model.requests_per_s, language)],
    ["errors", short(model.errors_per_s, language)],
    ["p50", time(model.p50_s)],
    ["p95", time(model.p95_s)],
    ["p99", time(model.p99_s)],
    ["waiting", short(model.waiting, language)],
    ["hits", hits === null ? "–" : percent(hits, language)],
    ["memory", bytes(model.resident_bytes, language)],
  ];
  return (
    <Table.Tr>
      <Table.Td>
        <Anchor component={Link} to={`/apps/${encodeURIComponent(model.name)}/operate`} size="sm">
          {model.name}
        </Anchor>
      </Table.Td>
      <Table.Td>{model.version}</Table.Td>
      <Table.Td miw={120}>
        <StateBadge state={model.state} />
      </Table.Td>
      {cells.map(([name, text]) => (
        <Table.Td key={name} ta="right" className={classes.number}>
          {text}
        </Table.Td>
      ))}
    </Table.Tr>
  );
}
