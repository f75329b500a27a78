import { filled } from "../answers/pretty";

/** Where a text stops being JSON. */
export interface JsonFault {
  line: number;
  column: number;
  /** What stands there: a few characters, none where the text ends too early. */
  found: string;
  /** What is known of it. */
  why: "early" | "more" | "comma" | "quotes" | "nan" | "control" | "other";
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: which a text of JSON cannot hold
const TEXT = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;
const SPACE = /[ \t\r\n]*/y;
const NOT_NUMBERS = /^-?(?:NaN|Infinity)\b/;
const SHOWN = 12;

/** The first fault of a text that should be JSON; null where it is. */
export function faultOf(text: string): JsonFault | null {
  try {
    JSON.parse(text);
    return null;
  } catch {
    // What browsers say of it differs, and knows no language but English.
    const { at, why } = stopOf(text);
    return place(text, at, why);
  }
}

type Why = JsonFault["why"];

/** Where reading a text that is no JSON stops. */
function stopOf(text: string): { at: number; why: Why } {
  const open: ("{" | "[")[] = [];
  let want: "value" | "name" | "colon" | "next" = "value";
  let isFirst = false; // after an opening bracket, where it may close at once
  let at = 0;
  const takes = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? "";
    at += found.length;
    return found !== "";
  };
  for (;;) {
    takes(SPACE);
    const inside = open.at(-1);
    const letter = text[at];
    if (inside && letter === closing(inside)) {
      if (want !== "next" && !isFirst) return { at, why: want === "colon" ? "other" : "comma" };
      open.pop();
      at += 1;
      want = "next";
    } else if (want === "next") {
      if (!inside) return { at, why: "more" };
      if (letter !== ",") return { at, why: guess(text, at) };
      at += 1;
      want = inside === "{" ? "name" : "value";
    } else if (want === "colon") {
      if (letter !== ":") return { at, why: guess(text, at) };
      at += 1;
      want = "value";
    } else if (want === "name") {
      if (!takes(TEXT)) return { at, why: guess(text, at) };
      want = "colon";
    } else if (letter === "{" || letter === "[") {
      open.push(letter);
      at += 1;
      want = letter === "{" ? "name" : "value";
      isFirst = true;
      continue;
    } else if (takes(TEXT) || takes(WORD) || takes(NUMBER)) {
      want = "next";
    } else {
      return { at, why: guess(text, at) };
    }
    isFirst = false;
  }
}

function closing(bracket: "{" | "["): string {
  return bracket === "{" ? "}" : "]";
}

function guess(text: string, at: number): Why {
  const rest = text.slice(at, at + 20);
  if (rest === "") return "early";
  if (rest.startsWith("'")) return "quotes";
  if (NOT_NUMBERS.test(rest)) return "nan";
  if (rest.startsWith('"')) {
    // A text that does not end, or that holds a line's end as it is.
    return /^"(?:[^"\\\r\n]|\\.)*[\r\n]/.test(text.slice(at)) ? "control" : "early";
  }
  return "other";
}

function place(text: string, at: number, why: Why): JsonFault {
  const before = text.slice(0, at).split("\n");
  const rest = text.slice(at);
  const [found = ""] = /^(?:[\w.+-]+|[^\s])/u.exec(rest) ?? [];
  return {
    line: before.length,
    column: (before.at(-1)?.length ?? 0) + 1,
    found: Array.from(found).slice(0, SHOWN).join(""),
    why,
  };
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g;

/** The tokens of a JSON text. */
export function tokens(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

const WIDTH = 44;

/** JSON over several lines; numbers stay as they were written, which JSON.parse would not promise. */
export function laidOut(text: string, width = WIDTH): string {
  const all = tokens(text);
  let at = 0;
  const value = (indent: string): string => {
    const token = all[at++] ?? "";
    if (token !== "{" && token !== "[") return token;
    const close = closing(token);
    const inner = `${indent}  `;
    const parts: string[] = [];
    let isPlain = token === "[";
    while (at < all.length && all[at] !== close) {
      isPlain &&= all[at] !== "{" && all[at] !== "[";
      let part = value(inner);
      if (all[at] === ":") {
        at += 1;
        part += `: ${value(inner)}`;
      }
      parts.push(part);
      if (all[at] === ",") at += 1;
    }
    at += 1;
    const flat = token + parts.join(", ") + close;
    if (parts.length === 0) return flat;
    if (!flat.includes("\n") && flat.length + indent.length <= width) return flat;
    const lines = isPlain ? filled(parts, width - inner.length) : parts;
    return `${token}\n${lines.map((line) => inner + line).join(",\n")}\n${indent}${close}`;
  };
  return value("");
}

const PYTHON: Record<string, string> = { true: "True", false: "False", null: "None" };

/** A JSON text as Python writes the same value. */
export function inPython(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b/g, (token) =>
    // Python knows no `\/`, which JSON allows.
    token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : (PYTHON[token] ?? token),
  );
}
