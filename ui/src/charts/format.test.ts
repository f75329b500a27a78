import { expect, test } from "vitest";
import { age, bytes, cores, duration, short } from "./format";
import { byMinute, said } from "./table";

test("durations are written in the unit that suits them", () => {
  expect([0, 0.00025, 0.0123, 1.5, 60].map((value) => duration(value, "en"))).toEqual([
    "0 ms",
    "250 µs",
    "12.3 ms",
    "1.5 s",
    "60 s",
  ]);
});

test("sizes are written with three digits that count", () => {
  expect([0, 512, 1024, 12_345_678, 5 * 1024 ** 3].map((value) => bytes(value, "en"))).toEqual([
    "0 B",
    "512 B",
    "1 KiB",
    "11.8 MiB",
    "5 GiB",
  ]);
});

test("numbers stay short, however large or small", () => {
  expect([0, 0.0001, 0.25, 1234, 1_234_567].map((value) => short(value, "en"))).toEqual([
    "0",
    "<0.001",
    "0.25",
    "1,230",
    "1.23M",
  ]);
});

test("CPUs are written to the hundredth", () => {
  expect([0, 0.0031, 0.128, 3.5].map((value) => cores(value, "en"))).toEqual([
    "0",
    "0",
    "0.13",
    "3.5",
  ]);
});

test("an age has its two largest units at most", () => {
  const words = { d: "d", h: "h", min: "min", s: "s" };
  expect([8.9, 65, 3700, 90_000].map((seconds) => age(seconds, words))).toEqual([
    "8 s",
    "1 min",
    "1 h 1 min",
    "1 d 1 h",
  ]);
});

test("a chart as a table has the means of each minute, the newest first", () => {
  const times = [60, 90, 120];
  expect(
    byMinute(times, [
      [1, 3, 5],
      [null, null, 2],
    ]),
  ).toEqual([
    [120, 5, 2],
    [60, 2, null],
  ]);
});

test("a line is said by its last, mean and largest value", () => {
  expect(said([null, 1, 5, 3, null])).toEqual({ now: 3, mean: 3, most: 5, at: 2 });
  expect(said([null])).toBeNull();
});
