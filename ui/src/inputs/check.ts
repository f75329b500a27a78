import type { TFunction } from "i18next";
import type { Datatype, FieldInfo, Json } from "../api/types";

/** What is wrong with a value; `at` is the place of the element, by its index along each axis. */
export type Problem =
  | { kind: "list"; axis: number; expected: number; got: Kind }
  | { kind: "size"; axis: number; expected: number; got: number }
  | { kind: "single"; at: number[] }
  | { kind: "type"; expected: "number" | "whole" | "text" | "bool"; got: Kind; at: number[] }
  | { kind: "fit"; datatype: Datatype; got: number; at: number[] }
  | { kind: "range"; got: number; at: number[] }
  | { kind: "choice"; got: string; at: number[] };

/** What a value of JSON is. */
export type Kind = "null" | "boolean" | "number" | "text" | "list" | "object";

const BOUNDS: Partial<Record<Datatype, readonly [number, number]>> = {
  INT8: [-128, 127],
  INT16: [-32768, 32767],
  INT32: [-2147483648, 2147483647],
  INT64: [-(2 ** 63), 2 ** 63],
  UINT8: [0, 255],
  UINT16: [0, 65535],
  UINT32: [0, 4294967295],
  UINT64: [0, 2 ** 64],
  FP16: [-65504, 65504],
  FP32: [-3.4028234663852886e38, 3.4028234663852886e38],
};

/** Whether values of this type are numbers. */
export const isNumeric = (datatype: Datatype) => datatype !== "BOOL" && datatype !== "BYTES";

/** Whether values of this type are numbers without a fraction. */
export const isWhole = (datatype: Datatype) => /^U?INT/.test(datatype);

/** The least and the largest value of a type, if it has such. */
export const boundsOf = (datatype: Datatype) => BOUNDS[datatype];

/** Whether a field takes a single value; a shape of `[1]` is one too. */
export function isSingle(field: Pick<FieldInfo, "shape">): boolean {
  return field.shape.length === 0 || (field.shape.length === 1 && field.shape[0] === 1);
}

/** Whether a field is a list that is short enough for a box for each of its values. */
export function isList(field: FieldInfo): boolean {
  const [size = 0] = field.shape;
  return field.shape.length === 1 && size > 0 && size <= 64;
}

/** Whether all fields are single values, so that rows of them are a table. */
export function isTabular(fields: readonly FieldInfo[]): boolean {
  const isFile = (field: FieldInfo) => field.kind === "image" || field.kind === "audio";
  return fields.length > 0 && fields.every((field) => isSingle(field) && !isFile(field));
}

/** A single value, also where it stands in a list of one, as the shape `[1]` writes it. */
export function single(value: Json | undefined): Json | undefined {
  return Array.isArray(value) && value.length === 1 ? value[0] : value;
}

/** What kind of value of JSON this is. */
export function kindOf(value: Json): Kind {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  if (typeof value === "string") return "text";
  return typeof value as "boolean" | "number" | "object";
}

function checkElement(
  value: Json,
  datatype: Datatype,
  nullable: boolean,
  at: number[],
): Problem | null {
  if (Array.isArray(value)) return { kind: "single", at: [...at] };
  if (value === null && nullable) return null;
  const wrong = (expected: "number" | "whole" | "text" | "bool"): Problem => ({
    kind: "type",
    expected,
    got: kindOf(value),
    at: [...at],
  });
  if (datatype === "BYTES") return typeof value === "string" ? null : wrong("text");
  if (datatype === "BOOL") return typeof value === "boolean" ? null : wrong("bool");
  const whole = isWhole(datatype);
  if (typeof value !== "number" || !Number.isFinite(value))
    return wrong(whole ? "whole" : "number");
  if (whole && !Number.isInteger(value)) return wrong("whole");
  const bounds = BOUNDS[datatype];
  return bounds && (value < bounds[0] || value > bounds[1])
    ? { kind: "fit", datatype, got: value, at: [...at] }
    : null;
}

/** The first place where a value does not have the shape and type; -1 in a shape is a free size. */
export function checkShape(
  value: Json,
  shape: readonly number[],
  datatype: Datatype,
  nullable = false,
): Problem | null {
  // A free size is that of the first list along its axis: a tensor is never ragged.
  const sizes = [...shape];
  const at: number[] = [];
  const walk = (part: Json): Problem | null => {
    const axis = at.length;
    const expected = sizes[axis];
    if (expected === undefined) return checkElement(part, datatype, nullable, at);
    if (!Array.isArray(part)) return { kind: "list", axis, expected, got: kindOf(part) };
    if (expected < 0) sizes[axis] = part.length;
    else if (part.length !== expected) return { kind: "size", axis, expected, got: part.length };
    for (const [index, item] of part.entries()) {
      at.push(index);
      const problem = walk(item);
      if (problem) return problem;
      at.pop();
    }
    return null;
  };
  return walk(value);
}

function checkMeaning(value: Json, field: FieldInfo, at: number[]): Problem | null {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const problem = checkMeaning(item, field, [...at, index]);
      if (problem) return problem;
    }
    return null;
  }
  if (value === null) return null;
  if (field.choices?.length && !field.choices.some((choice) => choice === value)) {
    return { kind: "choice", got: String(value), at };
  }
  const { minimum = -Infinity, maximum = Infinity } = field;
  const outside = typeof value === "number" && (value < minimum || value > maximum);
  return outside ? { kind: "range", got: value, at } : null;
}

/** The first thing that is wrong with a field's value: its shape, type, range or choice. */
export function checkField(value: Json, field: FieldInfo): Problem | null {
  if (field.kind === "image" || field.kind === "audio") return null;
  const [given, shape] = isSingle(field) ? [single(value) ?? null, []] : [value, field.shape];
  const problem = checkShape(given, shape, field.datatype, field.nullable);
  if (problem) return problem;
  const limited =
    field.choices?.length || field.minimum !== undefined || field.maximum !== undefined;
  return limited ? checkMeaning(given, field, []) : null;
}

/** The range of a field in words with its unit; null where it has none. */
export function rangeText(field: FieldInfo, t: TFunction): string | null {
  const { minimum, maximum } = field;
  const key =
    minimum === undefined
      ? maximum === undefined
        ? null
        : "inputs.range.atMost"
      : maximum === undefined
        ? "inputs.range.atLeast"
        : "inputs.range.between";
  if (key === null) return null;
  const range = t(key, { minimum, maximum });
  return field.unit ? `${range} ${field.unit}` : range;
}

/** A problem in words. */
export function problemText(problem: Problem, t: TFunction, field: FieldInfo): string {
  const where = "at" in problem && problem.at.length ? `[${problem.at.join(", ")}]: ` : "";
  return where + words(problem, t, field);
}

function words(problem: Problem, t: TFunction, field: FieldInfo): string {
  switch (problem.kind) {
    case "list":
      return t("inputs.problem.list", {
        axis: problem.axis,
        got: t(`inputs.kinds.${problem.got}`),
      });
    case "size":
      return t("inputs.problem.size", {
        count: problem.expected,
        axis: problem.axis,
        got: problem.got,
      });
    case "single":
      return t("inputs.problem.single");
    case "type":
      return t(`inputs.problem.${problem.expected}`, { got: t(`inputs.kinds.${problem.got}`) });
    case "fit":
      return t("inputs.problem.fit", { datatype: problem.datatype, got: problem.got });
    case "range":
      return t("inputs.problem.range", { range: rangeText(field, t) });
    case "choice":
      return t("inputs.problem.choice", { got: problem.got.slice(0, 40) });
  }
}

/** The number that a text is; undefined where it is none. */
export function toNumber(text: string | number): number | undefined {
  if (typeof text === "number") return Number.isFinite(text) ? text : undefined;
  const bare = text.trim();
  // `Number` also takes "0x10", "" and "Infinity".
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(bare)) return undefined;
  const number = Number(bare);
  return Number.isFinite(number) ? number : undefined;
}

/** The numbers of a text that separates them by commas, semicolons, spaces, tabs or newlines. */
export function parseNumbers(text: string): number[] | null {
  const bare = text.replace(/[[\]()]/g, " ").trim();
  // Cells of a spreadsheet keep their decimal comma, so there it separates nothing.
  const isComma = !/[;\t]/.test(bare);
  const parts = bare.split(isComma ? /\s*,\s*|\s+/ : /\s*;\s*|\s+/);
  const last = parts.at(-1) === "" ? parts.slice(0, -1) : parts;
  const numbers = last.map((part) => toNumber(isComma ? part : part.replace(",", ".")));
  return numbers.length && numbers.every((number) => number !== undefined) ? numbers : null;
}

/** The sizes along the axes of nested lists, by the first of each. */
export function shapeOf(value: Json): number[] {
  const shape: number[] = [];
  let part: Json | undefined = value;
  while (Array.isArray(part)) {
    shape.push(part.length);
    part = part[0];
  }
  return shape;
}

/** How many elements a shape has; a free size counts as 1. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * Math.max(size, size < 0 ? 1 : 0), 1);
}

/** Nested lists of zeros, empty texts or false; a free size is 1. */
export function zeros(shape: readonly number[], datatype: Datatype): Json {
  const [size, ...rest] = shape;
  if (size === undefined) return datatype === "BYTES" ? "" : datatype === "BOOL" ? false : 0;
  return Array.from({ length: size < 0 ? 1 : size }, () => zeros(rest, datatype));
}

/** How many elements a value has, and what its numbers come to. */
export interface Statistics {
  count: number;
  minimum: number;
  mean: number;
  maximum: number;
}

/** Count, minimum, mean and maximum; the last three are NaN where there are no numbers. */
export function statistics(value: Json): Statistics {
  let [count, numbers, sum, minimum, maximum] = [0, 0, 0, Infinity, -Infinity];
  const walk = (part: Json) => {
    if (Array.isArray(part)) {
      for (const item of part) walk(item);
      return;
    }
    count += 1;
    if (typeof part !== "number") return;
    numbers += 1;
    sum += part;
    minimum = Math.min(minimum, part);
    maximum = Math.max(maximum, part);
  };
  walk(value);
  return numbers
    ? { count, minimum, mean: sum / numbers, maximum }
    : { count, minimum: NaN, mean: NaN, maximum: NaN };
}

/** Nested lists as text that a person reads: the innermost ones on a line each. */
export function formatTensor(value: Json, indent = ""): string {
  if (!Array.isArray(value)) return JSON.stringify(value);
  if (!value.some(Array.isArray)) return `[${value.map((v) => JSON.stringify(v)).join(", ")}]`;
  const inner = `${indent}  `;
  const lines = value.map((item) => inner + formatTensor(item, inner));
  return `[\n${lines.join(",\n")}\n${indent}]`;
}
