import type { History, MemoryPoint, ModelTraffic, Overview, TrafficPoint } from "../api/types";
import { added, slidingQuantiles } from "./buckets";

export const HOUR_S = 3600;
/** The shortest stretch that charts show: of a server that has just started, too. */
export const LEAST_S = 300;
export const MINUTE_S = 60;
const PARTS = [0.5, 0.95, 0.99] as const;

export type Line = (number | null)[];

/** What is known of the last hour, a value for each step; null where nothing is. */
export interface Hour {
  stepS: number;
  /** Seconds since 1970 of each step, evenly apart. */
  times: number[];
  /** By name; rates are per second. */
  lines: Record<string, Line>;
  /** Durations of answers: counts by bucket. */
  latency: (number[] | null)[];
  boundsS: number[];
  /** Of how many looks the last step is the mean; 0 where it is as the server told it. */
  looks: number;
}

/** What one look at the server adds. */
export interface Look {
  at: number;
  values: Record<string, number | null>;
  latency: number[] | null;
}

/** The name of a version's line. */
export const lineOf = (what: string, version: string) => `${what} ${version}`;

/** Points in their steps; null where there is none. */
function placed<T extends { at: number }>(times: number[], stepS: number, points: T[]) {
  const steps: (T | null)[] = times.map(() => null);
  for (const point of points) {
    const at = Math.round((point.at - (times[0] ?? 0)) / stepS);
    if (at >= 0 && at < steps.length) steps[at] = point;
  }
  return steps;
}

function bare(history: History): Hour {
  const { step_s: stepS, bounds_s: boundsS, server } = history;
  // The server's own steps are whole; where there are none yet, those of the models have to do.
  const known = server.length
    ? server.map((step) => step.at)
    : [history.traffic, ...history.versions.map((version) => version.points)].flatMap((points) =>
        points.map((point) => point.at),
      );
  const last = Math.max(...known);
  const first = Math.max(Math.min(...known), last - HOUR_S + stepS);
  const count = known.length ? Math.round((last - first) / stepS) + 1 : 0;
  const times = Array.from({ length: count }, (_, at) => last - (count - 1 - at) * stepS);
  return { stepS, boundsS, times, lines: {}, latency: times.map(() => null), looks: 0 };
}

/** The whole server's hour: requests, errors and rows per second, and what the machine did. */
export function serverHour(history: History): Hour {
  const hour = bare(history);
  const { times, stepS } = hour;
  const own = placed(times, stepS, history.server);
  const all = placed(times, stepS, history.traffic);
  // Points are left out where nothing happened: that is known, and is zero.
  const rate = (of: (point: TrafficPoint) => number): Line =>
    all.map((point) => (point ? of(point) / stepS : 0));
  const zero = new Array<number>(hour.boundsS.length + 1).fill(0);
  return {
    ...hour,
    lines: {
      requests: rate((point) => point.requests),
      errors: rate((point) => point.errors),
      rows: rate((point) => point.rows),
      cpu: own.map((step) => step?.cpu ?? null),
      memory: own.map((step) => step?.memory_bytes ?? null),
      connections: own.map((step) => step?.connections ?? null),
      waiting: own.map((step) => step?.waiting ?? null),
    },
    latency: all.map((point) => point?.latency ?? zero),
  };
}

/** A figure of all processes together. */
export function processSum(overview: Overview, what: "cpu" | "memory_bytes"): number {
  return overview.processes.reduce((sum, process) => sum + process[what], 0);
}

/** What an overview adds to it. */
export function serverLook(overview: Overview): Look {
  return {
    at: overview.at,
    values: {
      requests: overview.requests_per_s,
      errors: overview.errors_per_s,
      rows: overview.rows_per_s,
      cpu: processSum(overview, "cpu"),
      memory: processSum(overview, "memory_bytes"),
      connections: overview.connections,
      waiting: overview.waiting,
    },
    latency: overview.latency,
  };
}

/** A model's hour, with the lines of each of its versions. */
export function modelHour(history: History, name: string): Hour {
  const hour = bare(history);
  const { times, stepS, boundsS } = hour;
  for (const own of history.versions.filter((version) => version.name === name)) {
    const steps = placed(times, stepS, own.points);
    const rate = (of: (point: TrafficPoint) => number): Line =>
      steps.map((point) => (point ? of(point) / stepS : 0));
    const counts = steps.map((point) => point?.latency ?? null);
    const quantiles = slidingQuantiles(counts, boundsS, Math.round(MINUTE_S / stepS), PARTS);
    const set = (what: string, line: Line | undefined) => {
      hour.lines[lineOf(what, own.version)] = line ?? [];
    };
    set(
      "requests",
      rate((point) => point.requests),
    );
    set(
      "errors",
      rate((point) => point.errors),
    );
    set(
      "rows",
      rate((point) => point.rows),
    );
    set(
      "waiting",
      steps.map((point) => point?.waiting ?? 0),
    );
    set("memory", held(times, own.memory));
    for (const [at, what] of (["p50", "p95", "p99"] as const).entries()) set(what, quantiles[at]);
    hour.latency = hour.latency.map((all, at) => added(all, counts[at] ?? null));
  }
  return hour;
}

/** What holds from each of some moments on, at each time; the first of them for all before, too. */
function held(times: number[], changes: MemoryPoint[]): Line {
  return times.map(
    (time) =>
      (changes.findLast((change) => change.at <= time) ?? changes[0])?.resident_bytes ?? null,
  );
}

/** What an overview adds to it. */
export function modelLook(overview: Overview, name: string): Look {
  const values: Look["values"] = {};
  for (const model of overview.models.filter((each) => each.name === name)) {
    const set = (what: string, value: number | null) => {
      values[lineOf(what, model.version)] = value;
    };
    set("requests", model.requests_per_s);
    set("errors", model.errors_per_s);
    set("rows", model.rows_per_s);
    set("waiting", model.waiting);
    set("memory", model.resident_bytes);
    set("p50", model.p50_s);
    set("p95", model.p95_s);
    set("p99", model.p99_s);
  }
  return { at: overview.at, values, latency: null };
}

/**
 * An hour that goes on with one look more, and never over an hour.
 *
 * A step has the mean of its looks, and all their answers. The last step that the server told may
 * still be running: its rates are too low, and the first look stands in for them.
 */
export function extended(hour: Hour, look: Look): Hour {
  const last = hour.times.at(-1);
  const ahead = last === undefined ? 1 : Math.floor((look.at - last) / hour.stepS + 1e-6);
  if (ahead < 0) return hour;
  const from = last === undefined ? look.at : last + hour.stepS;
  const more = Array.from({ length: ahead }, (_, at) => from + at * hour.stepS);
  const times = [...hour.times, ...more];
  const cut = Math.max(0, times.length - Math.round(HOUR_S / hour.stepS));
  const looks = ahead === 0 ? hour.looks + 1 : 1;
  const names = new Set([...Object.keys(hour.lines), ...Object.keys(look.values)]);
  const lines: Hour["lines"] = {};
  for (const name of names) {
    const line = [...(hour.lines[name] ?? hour.times.map(() => null)), ...more.map(() => null)];
    line[line.length - 1] = mean(line.at(-1) ?? null, look.values[name] ?? null, looks);
    lines[name] = line.slice(cut);
  }
  const latency = [...hour.latency, ...more.map(() => null)];
  latency[latency.length - 1] = added(latency.at(-1) ?? null, look.latency);
  return { ...hour, times: times.slice(cut), lines, latency: latency.slice(cut), looks };
}

function mean(before: number | null, value: number | null, looks: number): number | null {
  if (value === null || before === null) return value;
  return before + (value - before) / looks;
}

/** Several lines as one; null where none of them knows anything. */
export function summed(lines: Line[]): Line {
  const length = Math.max(0, ...lines.map((line) => line.length));
  return Array.from({ length }, (_, at) => {
    const known = lines.flatMap((line) => line[at] ?? []);
    return known.length ? known.reduce((sum, value) => sum + value, 0) : null;
  });
}

/** The quantiles of the whole hour's answers, each over the minute before it. */
export function latencyLines(hour: Hour): { p50: Line; p95: Line; p99: Line } {
  const width = Math.round(MINUTE_S / hour.stepS);
  const [p50 = [], p95 = [], p99 = []] = slidingQuantiles(hour.latency, hour.boundsS, width, PARTS);
  return { p50, p95, p99 };
}

/** The versions of a model that an hour knows, the newest first. */
export function versionsIn(hour: Hour): string[] {
  const names = Object.keys(hour.lines).filter((name) => name.startsWith("requests "));
  return names
    .map((name) => name.slice("requests ".length))
    .sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
}

/** The versions with most requests of an hour, and all others; both the newest first. */
export function busiest(hour: Hour, most: number): { shown: string[]; others: string[] } {
  const versions = versionsIn(hour);
  const done = new Map(
    versions.map((version) => [
      version,
      (hour.lines[lineOf("requests", version)] ?? []).reduce<number>(
        (sum, value) => sum + (value ?? 0),
        0,
      ),
    ]),
  );
  const first = [...versions]
    .sort((a, b) => (done.get(b) ?? 0) - (done.get(a) ?? 0))
    .slice(0, most);
  return {
    shown: versions.filter((version) => first.includes(version)),
    others: versions.filter((version) => !first.includes(version)),
  };
}

/** The most active first; where equal, by name and then the newest version. */
export function byTraffic(models: readonly ModelTraffic[]): ModelTraffic[] {
  return [...models].sort(
    (a, b) =>
      b.requests_per_s - a.requests_per_s ||
      a.name.localeCompare(b.name) ||
      b.version.localeCompare(a.version, "en", { numeric: true }),
  );
}
