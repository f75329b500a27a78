import { Group, NativeSelect, SimpleGrid, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { bytes, duration, short } from "../../charts/format";
import { type Hour, lineOf, summed, versionsIn } from "../../charts/hour";
import { type Named, TimeChart } from "../../charts/TimeChart";
import type { Link } from "../../live";
import { LinkBadge } from "../LinkBadge";

const ALL = "";
/** More lines than this are not told apart. */
const MOST = 5;

/** A model's last hour: of all its versions beside each other, or of one. */
export function Charts({ hour, link }: { hour: Hour; link: Link }) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState(ALL);
  const versions = versionsIn(hour);
  const { times, lines } = hour;
  const shown = chosen === ALL ? versions.slice(0, MOST) : [chosen];
  const isOne = shown.length <= 1;
  const [only = ""] = shown;
  const line = (what: string, version: string) => lines[lineOf(what, version)] ?? [];
  const named = (what: string): Named[] =>
    shown.map((version) => ({
      name: isOne ? t(`figures.${what}`) : t("operate.charts.version", { version }),
      line: line(what, version),
    }));
  const errors = summed(shown.map((version) => line("errors", version)));
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
          lines={[...named("requests"), { name: t("figures.errors"), line: errors }]}
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
          lines={named("waiting")}
          written={short}
          least={4}
        />
        <TimeChart
          title={t("operate.charts.memory")}
          testId="chart-memory"
          times={times}
          lines={named("memory")}
          written={bytes}
          isBinary
        />
      </SimpleGrid>
    </section>
  );
}
