import { NativeSelect, Paper, SimpleGrid, Text, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { CostCurves, VersionCost } from "../../api/types";
import { CostChart } from "../../charts/CostChart";
import { newest } from "./versions";

/** What runs take, by their size, of one version in one place at a time. */
export function Cost({ cost }: { cost: CostCurves }) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState(0);
  const known = cost.versions
    .filter((own) => own.curves.some((curve) => curve.points.length))
    .sort(newest);
  const own = known[chosen] ?? known[0];
  const named = (each: VersionCost) =>
    [
      t("operate.charts.version", { version: each.version }),
      t(`operate.versions.${each.placement}`),
      t("operate.cost.threads", { count: each.threads }),
    ].join(", ");
  return (
    <section aria-label={t("operate.cost.title")} data-testid="cost">
      <Title order={2} size="h4">
        {t("operate.cost.title")}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {t("operate.cost.how")}
        {own && known.length === 1 && ` (${named(own)})`}
      </Text>
      {!own && (
        <Paper withBorder p="md">
          <Text size="sm" c="dimmed">
            {t("operate.cost.none")}
          </Text>
        </Paper>
      )}
      {known.length > 1 && (
        <NativeSelect
          maw={360}
          mb="sm"
          label={t("operate.charts.versions")}
          value={chosen}
          data={known.map((each, at) => ({ value: String(at), label: named(each) }))}
          onChange={(event) => setChosen(Number(event.currentTarget.value))}
        />
      )}
      {own && (
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
          <CostChart what="seconds" curves={own.curves} />
          <CostChart what="rows_per_s" curves={own.curves} />
        </SimpleGrid>
      )}
    </section>
  );
}
