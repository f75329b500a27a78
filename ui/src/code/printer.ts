import { filled } from "../answers/pretty";
import type { Json } from "../api/types";

/** Something that stands in a program as it is written. */
export class Verbatim {
  constructor(readonly text: string) {}
}

/** A value of JSON, in which some values are written otherwise. */
export type Printable = Json | Verbatim | Printable[] | { [key: string]: Printable };

/** What a language calls what is no number and no text. */
export interface Words {
  null: string;
  true: string;
  false: string;
}

/** Of JSON, and so of JavaScript. */
export const JSON_WORDS: Words = { null: "null", true: "true", false: "false" };
/** Of Python. */
export const PYTHON_WORDS: Words = { null: "None", true: "True", false: "False" };

const WIDTH = 80;

/** A value as a language writes it: on one line where it fits, else over several. */
export function printed(value: Printable, words: Words = JSON_WORDS, indent = ""): string {
  if (value instanceof Verbatim) return value.text;
  if (value === null) return words.null;
  if (typeof value === "boolean") return value ? words.true : words.false;
  // Texts of JSON are texts of Python and JavaScript, too; NaN is null, as when it is sent.
  if (typeof value === "number" && !Number.isFinite(value)) return words.null;
  if (typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}  `;
  const isList = Array.isArray(value);
  const items = isList
    ? value.map((item) => printed(item, words, inner))
    : Object.entries(value).map(
        ([key, item]) => `${JSON.stringify(key)}: ${printed(item, words, inner)}`,
      );
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  const flat = `${open}${items.join(", ")}${close}`;
  const isShort = flat.length + indent.length <= WIDTH && !flat.includes("\n");
  if (isShort || items.length === 0) return flat;
  const isPlain = isList && value.every((item) => item === null || typeof item !== "object");
  const lines = isPlain ? filled(items, WIDTH - inner.length) : items;
  return `${open}\n${lines.map((line) => inner + line).join(",\n")}\n${indent}${close}`;
}

/** A text as one word of a POSIX shell. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
