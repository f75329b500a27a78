import { expect, test } from "vitest";
import { heat, strength, whole } from "./heat";

test("steps are gathered into as many columns as there is room for", () => {
  const map = heat([0, 5, 10, 15, 20], [[0, 1, 0, 0], [0, 0, 2, 0], null, null, [0, 4, 0, 0]], 3);
  expect(map.columns).toEqual([[0, 1, 2, 0], null, [0, 4, 0, 0]]);
  expect(map.times).toEqual([0, 10, 20]);
  expect([map.first, map.last, map.most]).toEqual([1, 2, 4]);
});

test("of a short time the empty steps before it are shown too", () => {
  const map = heat([100, 105], [[1], [2]], 10, 4);
  expect(map.times).toEqual([90, 95, 100, 105]);
  expect(map.columns).toEqual([null, null, [1], [2]]);
});

test("nothing is a map of nothing", () => {
  expect(heat([], [], 10)).toEqual({ columns: [], times: [], first: 0, last: 0, most: 0 });
});

test("a single answer is seen beside thousands, and nothing is not", () => {
  expect(strength(0, 5000)).toBe(0);
  expect(strength(1, 5000)).toBeCloseTo(0.15);
  expect(strength(5000, 5000)).toBe(1);
  expect(strength(70, 5000)).toBeGreaterThan(0.5);
  expect(strength(1, 1)).toBe(1);
});

test("all counts together", () => {
  expect(whole([null, [1, 2], [3, 4]])).toEqual([4, 6]);
});
