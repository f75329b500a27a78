import { expect, test } from "vitest";
import { added, quantile, slidingQuantiles } from "./buckets";

const BOUNDS = [0.01, 0.1, 1];

test("a quantile lies within its bucket, as far as its share of it goes", () => {
  expect(quantile([0, 10, 0, 0], BOUNDS, 0.5)).toBeCloseTo(0.055);
  expect(quantile([10, 0, 0, 0], BOUNDS, 0.5)).toBeCloseTo(0.005);
  expect(quantile([50, 45, 5, 0], BOUNDS, 0.95)).toBeCloseTo(0.1);
  expect(quantile([50, 45, 5, 0], BOUNDS, 0.99)).toBeCloseTo(0.82);
});

test("of nothing there is none, and above the last bound only the bound is known", () => {
  expect(quantile([0, 0, 0, 0], BOUNDS, 0.5)).toBeNull();
  expect(quantile([0, 0, 0, 3], BOUNDS, 0.5)).toBe(1);
});

test("an empty bucket is never the answer", () => {
  expect(quantile([0, 0, 1, 0], BOUNDS, 0)).toBeCloseTo(0.1);
});

test("counts are added bucket by bucket, and what is unknown adds nothing", () => {
  expect(added([1, 2], [3, 4])).toEqual([4, 6]);
  expect(added(null, [3, 4])).toEqual([3, 4]);
  expect(added(null, null)).toBeNull();
});

test("quantiles slide over a number of steps and forget what is older", () => {
  const steps = [[4, 0, 0, 0], null, [0, 0, 4, 0], null, null];
  const [median = []] = slidingQuantiles(steps, BOUNDS, 2, [0.5]);
  expect(median.map((value) => value && Number(value.toFixed(3)))).toEqual([
    0.005,
    0.005,
    0.55,
    0.55,
    null,
  ]);
});
