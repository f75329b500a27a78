import { Paper, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { percent } from "../../answers/numbers";
import type { Overview } from "../../api/types";
import { added, quantile } from "../../charts/buckets";
import { bytes, cores, duration, short } from "../../charts/format";
import { type Hour, MINUTE_S, processSum } from "../../charts/hour";
import classes from "./overview.module.css";

const NAMES = [
  "requests",
  "errors",
  "p95",
  "waiting",
  "hits",
  "cpu",
  "memory",
  "connections",
  "workers",
] as const;

/** A value, and what it is a part of. */
type Fact = [value: string, detail: string];

/** The figures of now. */
export function Tiles(props: { overview: Overview | undefined; hour: Hour | undefined }) {
  const { overview, hour } = props;
  const { t, i18n } = useTranslation();
  const language = i18n.language;

  function facts(look: Overview): Record<(typeof NAMES)[number], Fact> {
    const number = (value: number) => short(value, language);
    const p95 = hour ? lastMinute(hour) : null;
    const { memory_bytes: limit, cache_hit_rate: hits } = look;
    return {
      requests: [
        number(look.requests_per_s),
        t("overview.tiles.refused", { n: number(look.rejected_per_s) }),
      ],
      errors: [
        number(look.errors_per_s),
        look.requests_per_s > 0
          ? t("tiles.errorShare", {
              share: percent(Math.min(1, look.errors_per_s / look.requests_per_s), language),
            })
          : "",
      ],
      p95: [p95 === null ? "–" : duration(p95, language), t("overview.tiles.minute")],
      waiting: [number(look.waiting), t("overview.tiles.waitingOf")],
      hits: [
        hits === null ? "–" : percent(hits, language),
        t(hits === null ? "overview.tiles.noCache" : "overview.tiles.minute"),
      ],
      cpu: [
        cores(processSum(look, "cpu"), language),
        t("overview.tiles.cpuOf", { count: look.cpus, cpus: cores(look.cpus, language) }),
      ],
      memory: [
        bytes(processSum(look, "memory_bytes"), language),
        limit === null
          ? t("overview.tiles.memoryAll")
          : t("overview.tiles.memoryOf", { limit: bytes(limit, language) }),
      ],
      connections: [number(look.connections), t("overview.tiles.open")],
      workers: [number(look.workers), t("overview.tiles.restarts", { count: look.restarts })],
    };
  }

  const known = overview && facts(overview);
  return (
    <section aria-label={t("overview.tiles.label")}>
      <dl className={classes.tiles}>
        {NAMES.map((name) => (
          <Paper key={name} withBorder p="sm" data-testid={`tile-${name}`}>
            <Text component="dt" size="sm" c="dimmed">
              {t(`overview.tiles.${name}`)}
            </Text>
            <dd className={classes.fact}>
              <span className={classes.value}>{known?.[name][0] ?? "–"}</span>
              <span className={classes.detail}>{known?.[name][1]}</span>
            </dd>
          </Paper>
        ))}
      </dl>
    </section>
  );
}

function lastMinute(hour: Hour): number | null {
  const steps = hour.latency.slice(-Math.round(MINUTE_S / hour.stepS));
  const sum = steps.reduce<number[] | null>((all, counts) => added(all, counts), null);
  return sum && quantile(sum, hour.boundsS, 0.95);
}
