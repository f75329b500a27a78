import { expect, test } from "vitest";
import { faultOf, inPython, laidOut } from "./json";

test.each([["{}"], [" [1, -0.5e+3, true, null] "], ['{"a": [{"b": "\\u00e4 \\" ,"}], "c": {}}']])(
  "%s is JSON",
  (text) => {
    expect(faultOf(text)).toBeNull();
  },
);

test.each([
  ["", 1, 1, "", "early"],
  ['{"a": 1,\n "b": }', 2, 7, "}", "comma"],
  ['{"a": 1,}', 1, 9, "}", "comma"],
  ["[1, 2,]", 1, 7, "]", "comma"],
  ['{"a" 1}', 1, 6, "1", "other"],
  ['{"a"}', 1, 5, "}", "other"],
  ["{'a': 1}", 1, 2, "'", "quotes"],
  ["{a: 1}", 1, 2, "a", "other"],
  ["[1 2]", 1, 4, "2", "other"],
  ["[NaN]", 1, 2, "NaN", "nan"],
  ["[-Infinity]", 1, 2, "-Infinity", "nan"],
  ['{"a": 1', 1, 8, "", "early"],
  ['["a]', 1, 2, '"', "early"],
  ['["a\nb"]', 1, 2, '"', "control"],
  ["{} {}", 1, 4, "{", "more"],
  ["01", 1, 2, "1", "more"],
  ["[tru]", 1, 2, "tru", "other"],
  ["[1}", 1, 3, "}", "other"],
])("%j is none, which is said where it stops", (text, line, column, found, why) => {
  expect(faultOf(text)).toEqual({ line, column, found, why });
});

test("a text nested a thousand times is read all the same", () => {
  expect(faultOf("[".repeat(20_000))).toMatchObject({ why: "early", column: 20_001 });
});

test("numbers stay as they were written", () => {
  expect(laidOut('{"a":1.0,"b":[12345678901234567890,1e3]}')).toBe(
    '{"a": 1.0, "b": [12345678901234567890, 1e3]}',
  );
});

test("what is too wide for a line gets several, lists of numbers as few as they need", () => {
  const numbers = Array.from({ length: 30 }, (_, n) => n);
  const lines = laidOut(JSON.stringify({ name: "x, y: {", values: numbers, none: [] })).split("\n");
  expect(lines.slice(0, 3)).toEqual(["{", '  "name": "x, y: {",', '  "values": [']);
  expect(lines.length).toBeLessThan(10);
  expect(JSON.parse(lines.join("\n")).values).toEqual(numbers);
});

test("Python has its own words, and not inside of texts", () => {
  expect(inPython('{"a": true, "null": [false, null], "s": "a \\/ true"}')).toBe(
    '{"a": True, "null": [False, None], "s": "a / true"}',
  );
});
