import { describe, expect, it } from "vitest";
import type { FieldInfo } from "../api/types";
import {
  checkField,
  checkShape,
  countOf,
  formatTensor,
  isSingle,
  parseNumbers,
  shapeOf,
  statistics,
  toNumber,
  zeros,
} from "./check";

const field = (more: Partial<FieldInfo>): FieldInfo => ({
  name: "x",
  datatype: "FP32",
  shape: [],
  ...more,
});

describe("checkShape", () => {
  it("takes what has the shape and type", () => {
    expect(checkShape([[1, 2.5, 3]], [1, 3], "FP32")).toBeNull();
    expect(checkShape(["a", ""], [2], "BYTES")).toBeNull();
    expect(checkShape([true], [-1], "BOOL")).toBeNull();
    expect(checkShape(5, [], "INT64")).toBeNull();
  });

  it("tells the axis whose size is wrong", () => {
    const value = [
      [1, 2, 3],
      [1, 2, 3, 4],
    ];
    expect(checkShape(value, [2, 3], "FP32")).toEqual({
      kind: "size",
      axis: 1,
      expected: 3,
      got: 4,
    });
    expect(checkShape([[1]], [2, 1], "FP32")).toMatchObject({ axis: 0, expected: 2, got: 1 });
  });

  it("takes any size where it is free, the same one everywhere", () => {
    expect(checkShape([[1], [2], [3]], [-1, 1], "FP32")).toBeNull();
    expect(checkShape([[1, 2], [3]], [2, -1], "FP32")).toMatchObject({ axis: 1, expected: 2 });
  });

  it("tells lists that are missing or too many", () => {
    expect(checkShape([1, 2], [2, 2], "FP32")).toMatchObject({
      kind: "list",
      axis: 1,
      got: "number",
    });
    expect(checkShape([[1], [[2]]], [2, 1], "FP32")).toEqual({ kind: "single", at: [1, 0] });
  });

  it("tells elements of another type", () => {
    expect(checkShape([1, "a"], [2], "FP32")).toEqual({
      kind: "type",
      expected: "number",
      got: "text",
      at: [1],
    });
    expect(checkShape([1.5], [1], "INT32")).toMatchObject({ expected: "whole" });
    expect(checkShape([300], [1], "UINT8")).toMatchObject({ kind: "fit", got: 300 });
    expect(checkShape([true], [1], "UINT8")).toMatchObject({ got: "boolean" });
  });

  it("takes null only where it may be missing", () => {
    expect(checkShape([null], [1], "FP32")).toMatchObject({ got: "null" });
    expect(checkShape([null], [1], "FP32", true)).toBeNull();
  });
});

describe("checkField", () => {
  it("looks at range and choices", () => {
    const ranged = field({ minimum: 0, maximum: 10 });
    expect(checkField(10, ranged)).toBeNull();
    expect(checkField(11, ranged)).toEqual({ kind: "range", got: 11, at: [] });
    expect(checkField([1, -1], field({ shape: [2], minimum: 0 }))).toMatchObject({ at: [1] });
    const named = field({ datatype: "BYTES", choices: ["a", "b"], nullable: true });
    expect(checkField("a", named)).toBeNull();
    expect(checkField(null, named)).toBeNull();
    expect(checkField("c", named)).toMatchObject({ kind: "choice" });
  });

  it("takes a single value with and without its list of one", () => {
    expect(isSingle(field({ shape: [1] }))).toBe(true);
    expect(isSingle(field({ shape: [-1] }))).toBe(false);
    expect(checkField([1], field({ shape: [1] }))).toBeNull();
    expect(checkField(1, field({ shape: [1] }))).toBeNull();
  });
});

describe("numbers from text", () => {
  it("reads what a person writes", () => {
    expect(toNumber(" -1.5e3 ")).toBe(-1500);
    expect(toNumber("5.")).toBe(5);
    for (const text of ["", "-", "0x10", "Infinity", "1 2", "1e999"]) {
      expect(toNumber(text)).toBeUndefined();
    }
  });

  it.each([
    ["1, 2,3", [1, 2, 3]],
    ["1 2\n3\t4", [1, 2, 3, 4]],
    ["[1, 2,\n 3]", [1, 2, 3]],
    ["1\n2\n", [1, 2]],
    ["1,2,", [1, 2]],
    ["1,5\t2,5", [1.5, 2.5]],
    ["1,5; 2", [1.5, 2]],
  ])("parses %j", (text, numbers) => {
    expect(parseNumbers(text)).toEqual(numbers);
  });

  it("refuses what are not numbers only", () => {
    expect(parseNumbers("")).toBeNull();
    expect(parseNumbers("1, two")).toBeNull();
    expect(parseNumbers("1,,2")).toBeNull();
  });
});

describe("tensors", () => {
  it("makes zeros, and finds their shape", () => {
    expect(zeros([2, -1], "FP32")).toEqual([[0], [0]]);
    expect(zeros([1], "BYTES")).toEqual([""]);
    expect(shapeOf(zeros([2, 3, 4], "FP32"))).toEqual([2, 3, 4]);
    expect(countOf([2, -1, 4])).toBe(8);
    expect(countOf([2, 0])).toBe(0);
  });

  it("sums them up", () => {
    expect(statistics([[1, 2], [6]])).toEqual({ count: 3, minimum: 1, mean: 3, maximum: 6 });
    expect(statistics(["a"])).toEqual({ count: 1, minimum: NaN, mean: NaN, maximum: NaN });
  });

  it("writes the innermost lists on a line each", () => {
    const value = [
      [1, 2],
      [3, 4],
    ];
    expect(formatTensor(value)).toBe("[\n  [1, 2],\n  [3, 4]\n]");
    expect(JSON.parse(formatTensor([value]))).toEqual([value]);
  });
});
