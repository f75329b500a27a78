import { added } from "./buckets";

/** How many answers took how long when. */
export interface Heat {
  /** Columns from the oldest to the newest, each with its counts by bucket from the quickest up. */
  columns: (number[] | null)[];
  /** The time at which each column begins. */
  times: number[];
  /** The buckets that are shown: from the first used to the last, in places of the bounds. */
  first: number;
  last: number;
  most: number;
}

/**
 * The counts of many steps in columns.
 *
 * @param most how many columns there may be
 * @param least how many steps are shown: empty ones come before those that are known
 */
export function heat(
  known: readonly number[],
  counts: readonly (number[] | null)[],
  most: number,
  least = 0,
): Heat {
  const stepS = (known[1] ?? 0) - (known[0] ?? 0);
  const absent = known.length > 1 ? Math.max(0, least - known.length) : 0;
  const before = Array.from({ length: absent }, (_, at) => (known[0] ?? 0) - (absent - at) * stepS);
  const times = [...before, ...known];
  const latency = [...before.map(() => null), ...counts];
  const width = Math.max(1, Math.ceil(times.length / Math.max(1, most)));
  const columns: (number[] | null)[] = [];
  const begins: number[] = [];
  for (let from = 0; from < times.length; from += width) {
    const own = latency.slice(from, from + width);
    columns.push(own.reduce<number[] | null>((all, counts) => added(all, counts), null));
    begins.push(times[from] ?? 0);
  }
  const sums = whole(columns);
  const used = sums.flatMap((sum, at) => (sum > 0 ? [at] : []));
  return {
    columns,
    times: begins,
    first: used[0] ?? 0,
    last: used.at(-1) ?? 0,
    most: Math.max(0, ...columns.flatMap((column) => column ?? [])),
  };
}

/** How strong a count is shown, from 0 to 1: by its logarithm, so that single ones are seen too. */
export function strength(count: number, most: number): number {
  if (count <= 0 || most <= 0) return 0;
  return most <= 1 ? 1 : 0.15 + (0.85 * Math.log(count)) / Math.log(most);
}

/** All counts of an hour by bucket. */
export function whole(latency: readonly (number[] | null)[]): number[] {
  return latency.reduce<number[]>((all, counts) => {
    if (!counts) return all;
    return all.length ? (added(all, counts) ?? all) : [...counts];
  }, []);
}
