/** Durations as the server counts them: how many lay in each bucket. */

/** Counts of two moments together; null is none known. */
export function added(one: number[] | null, other: number[] | null): number[] | null {
  if (!one || !other) return one ?? other;
  return one.map((count, at) => count + (other[at] ?? 0));
}

export function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * The duration under which that part of all lay, in seconds, within its bucket by a straight line;
 * null of none. What lay above the last bound is said to have taken that long.
 *
 * @param counts one more than there are bounds
 * @param part from 0 to 1
 */
export function quantile(
  counts: readonly number[],
  bounds: readonly number[],
  part: number,
): number | null {
  const wanted = part * total(counts);
  if (total(counts) === 0) return null;
  let before = 0;
  for (const [at, count] of counts.entries()) {
    const upper = bounds[at];
    if (upper === undefined) break;
    if (count > 0 && before + count >= wanted) {
      const lower = bounds[at - 1] ?? 0;
      return lower + ((wanted - before) / count) * (upper - lower);
    }
    before += count;
  }
  return bounds.at(-1) ?? null;
}

/**
 * Quantiles of the steps of the last minute, at each step; null where nothing was answered.
 *
 * @param steps counts of each step, null where nothing is known
 * @param width how many steps are looked at together
 */
export function slidingQuantiles(
  steps: readonly (number[] | null)[],
  bounds: readonly number[],
  width: number,
  parts: readonly number[],
): (number | null)[][] {
  const sum = new Array<number>(bounds.length + 1).fill(0);
  const lines: (number | null)[][] = parts.map(() => []);
  const add = (counts: number[] | null | undefined, sign: 1 | -1) => {
    for (const [at, count] of (counts ?? []).entries()) sum[at] = (sum[at] ?? 0) + sign * count;
  };
  for (const [at, counts] of steps.entries()) {
    add(counts, 1);
    add(steps[at - width], -1);
    for (const [n, part] of parts.entries()) lines[n]?.push(quantile(sum, bounds, part));
  }
  return lines;
}
