import { expect, test } from "vitest";
import { differences } from "./Compare";

test("equal answers have no differences", () => {
  expect(differences({ a: [1, { b: null }] }, { a: [1, { b: null }] })).toEqual([]);
});

test("each place that differs is told, from what to what", () => {
  expect(differences({ a: 1, b: { c: "x" } }, { a: 1.25, b: { c: "y" } })).toEqual([
    { path: "a", change: "1 → 1.25" },
    { path: "b.c", change: "x → y" },
  ]);
});

test("a part that one answer lacks is null there", () => {
  expect(differences({}, { a: [1] })).toEqual([{ path: "a", change: "null → [1]" }]);
});

test("all differences are found", () => {
  const long = Array.from({ length: 100 }, (_, at) => at);
  expect(
    differences(
      long,
      long.map((n) => n + 1),
    ),
  ).toHaveLength(100);
});
