import { Group, NativeSelect, SimpleGrid, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { bytes, duration, short } from "../../charts/format";
import { busiest, type Hour, lineOf, summed, versionsIn } from "../../charts/hour";
import { type Named, TimeChart } from "../../charts/TimeChart";
import type { Link } from "../../live";
import { LinkBadge } from "../LinkBadge";

const ALL = "";
/** More versions than this are not told apart; with the others and the errors there are six lines. */
const MOST = 4;

/** A model's last hour: of all its versions beside each other, or of one. */
export function Charts({ hour, link }: { hour: Hour; link: Link }) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState(ALL);
  const versions = versionsIn(hour);
  const { times, lines } = hour;
  // Others that would be one are shown as what they are.
  const { shown, others } =
    chosen === ALL
      ? busiest(hour, versions.length > MOST + 1 ? MOST : MOST + 1)
      : { shown: [chosen], others: [] };
  const isOne = shown.length <= 1;
  const [only = ""] = shown;
  const line = (what: string, version: string) => lines[lineOf(what, version)] ?? [];
  const named = (what: string): Named[] =>
    shown.map((version) => ({
      name: isOne ? t(`figures.${what}`) : t("operate.charts.version", { version }),
      line: line(what, version),
    }));
  const sum = (what: string, of: string[]) => summed(of.map((version) => line(what, version)));
  const withOthers = (what: string): Named[] => [
    ...named(what),
    ...(others.length
      ? [{ name: t("operate.charts.others", { count: others.length }), line: sum(what, others) }]
      : []),
  ];
  const errors = sum("errors", [...shown, ...others]);
  const quantiles = (["p50", "p95", "p99"] as const).map((what) => ({
    name: t(`figures.${what}`),
    line: line(what, only),
  }));
  return (
    <section aria-label={t("operate.charts.title")} data-testid="charts">
      <Group justify="space-between" mb="sm" align="end">
        <Group gap="sm">
          <Title order={2} size="h4">
            {t("operate.charts.title")}
          </Title>
          <LinkBadge link={link} />
        </Group>
        {versions.length > 1 && (
          <NativeSelect
            aria-label={t("operate.charts.versions")}
            size="xs"
            value={chosen}
            data={[
              { value: ALL, label: t("operate.charts.all") },
              ...versions.map((version) => ({
                value: version,
                label: t("operate.charts.version", { version }),
              })),
            ]}
            onChange={(event) => setChosen(event.currentTarget.value)}
          />
        )}
      </Group>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <TimeChart
          title={t("operate.charts.traffic")}
          testId="chart-traffic"
          times={times}
          lines={[...withOthers("requests"), { name: t("figures.errors"), line: errors }]}
          written={short}
        />
        <TimeChart
          title={t(isOne ? "operate.charts.latency" : "operate.charts.latencyOf")}
          testId="chart-latency"
          times={times}
          lines={isOne ? quantiles : named("p95")}
          written={duration}
          isLog
        />
        <TimeChart
          title={t("operate.charts.waiting")}
          testId="chart-waiting"
          times={times}
          lines={withOthers("waiting")}
          written={short}
          least={4}
        />
        <TimeChart
          title={t("operate.charts.memory")}
          testId="chart-memory"
          times={times}
          lines={withOthers("memory")}
          written={bytes}
          isBinary
        />
      </SimpleGrid>
    </section>
  );
}
