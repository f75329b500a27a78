import { Group, SimpleGrid, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import * as figures from "../../api/figures";
import type { Overview as Look } from "../../api/types";
import { bytes, cores, duration, short } from "../../charts/format";
import { HeatMap } from "../../charts/HeatMap";
import { type Hour, latencyLines, serverHour, serverLook } from "../../charts/hour";
import { TimeChart } from "../../charts/TimeChart";
import { useSession } from "../../session";
import { failedAt, useFigures } from "../../useFigures";
import { useTitle } from "../../useTitle";
import { Errors } from "../Errors";
import { LinkBadge } from "../LinkBadge";
import { LostAlert } from "../LostAlert";
import { Trouble } from "../Trouble";
import { Models } from "./Models";
import { Processes } from "./Processes";
import { Tiles } from "./Tiles";

const load = async () => serverHour(await figures.serverHistory());

/** What the server does now and did within the last hour, for whoever operates it. */
export default function Overview() {
  const { t } = useTranslation();
  const { session } = useSession();
  const { overview, hour, error, link, reload } = useFigures(load, serverLook);
  const isLost = link === "lost";
  useTitle(t("overview.title"));
  return (
    <Stack gap="lg">
      <Group justify="space-between" align="end">
        <div>
          <Title order={1}>{t("overview.title")}</Title>
          <Text c="dimmed" size="sm" mih={22}>
            {overview && t("overview.version", { version: overview.server_version })}
          </Text>
        </div>
        <LinkBadge link={link} />
      </Group>
      <LostAlert link={link} overview={overview} />
      {error && !hour && !isLost && <Trouble error={error} retry={reload} />}
      {(overview || !isLost) && <Tiles overview={overview} hour={hour} />}
      {hour && <Charts hour={hour} overview={overview} />}
      {!hour && !error && !isLost && <Skeleton h={{ base: 1930, md: 940 }} />}
      {overview && <Models models={overview.models} />}
      {overview && <Processes processes={overview.processes} />}
      {!overview && !isLost && (
        <>
          <Skeleton h={180} />
          <Skeleton h={265} />
        </>
      )}
      {session?.permissions.includes("admin") && (
        <Errors
          load={figures.serverErrors}
          of=""
          failedAt={failedAt(overview)}
          link={link}
          withModel
        />
      )}
    </Stack>
  );
}

function Charts({ hour, overview }: { hour: Hour; overview: Look | undefined }) {
  const { t } = useTranslation();
  const { times, lines } = hour;
  const named = (what: string) => ({ name: t(`figures.${what}`), line: lines[what] ?? [] });
  const quantiles = useMemo(() => latencyLines(hour), [hour]);
  return (
    <section aria-label={t("overview.charts.label")}>
      <Title order={2} size="h4" mb="sm">
        {t("overview.charts.label")}
      </Title>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <TimeChart
          title={t("overview.charts.traffic")}
          testId="chart-traffic"
          times={times}
          lines={[named("requests"), named("errors")]}
          written={short}
        />
        <TimeChart
          title={t("overview.charts.latency")}
          testId="chart-latency"
          times={times}
          lines={[
            { name: t("figures.p50"), line: quantiles.p50 },
            { name: t("figures.p95"), line: quantiles.p95 },
            { name: t("figures.p99"), line: quantiles.p99 },
          ]}
          written={duration}
          isLog
        />
        <TimeChart
          title={t("overview.charts.cpu")}
          testId="chart-cpu"
          times={times}
          lines={[named("cpu")]}
          written={cores}
          least={overview?.cpus ?? 1}
        />
        <TimeChart
          title={t("overview.charts.memory")}
          testId="chart-memory"
          times={times}
          lines={[named("memory")]}
          written={bytes}
          isBinary
        />
        <TimeChart
          title={t("overview.charts.load")}
          testId="chart-load"
          times={times}
          lines={[named("connections"), named("waiting")]}
          written={short}
          least={4}
        />
        <HeatMap title={t("overview.charts.heat")} hour={hour} />
      </SimpleGrid>
    </section>
  );
}
