import type { Line } from "./hour";

const MINUTE_S = 60;

/** The means of each minute, the newest first: the minute's time, then a value for each line. */
export function byMinute(times: number[], lines: Line[]): [number, ...(number | null)[]][] {
  const minutes = new Map<number, number[]>();
  for (const [at, time] of times.entries()) {
    const minute = Math.floor(time / MINUTE_S) * MINUTE_S;
    minutes.set(minute, [...(minutes.get(minute) ?? []), at]);
  }
  return [...minutes]
    .reverse()
    .map(([minute, places]) => [
      minute,
      ...lines.map((line) => mean(places.map((at) => line[at] ?? null))),
    ]);
}

function mean(values: (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

/** What is to say of a line in words; null where nothing is known. */
export function said(line: Line): { now: number; mean: number; most: number; at: number } | null {
  let [sum, count, most, at, now] = [0, 0, Number.NEGATIVE_INFINITY, 0, 0];
  for (const [place, value] of line.entries()) {
    if (value === null) continue;
    sum += value;
    count += 1;
    now = value;
    if (value > most) [most, at] = [value, place];
  }
  return count ? { now, mean: sum / count, most, at } : null;
}
