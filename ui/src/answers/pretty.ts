import type { Json } from "../api/types";
import { isScalar } from "./values";

const LINE = 88;
const ITEMS = 24;
const LETTERS = 400;

/** JSON over several lines, long lists and texts cut; `more` says how many are left out. */
export function pretty(
  value: Json,
  more: (count: number, what: "items" | "characters") => string,
): string {
  return printed(value, "", more);
}

function printed(
  value: Json,
  indent: string,
  more: (count: number, what: "items" | "characters") => string,
): string {
  if (typeof value === "string" && value.length > LETTERS) {
    const head = Array.from(value.slice(0, LETTERS)).slice(0, -1).join("");
    return `${JSON.stringify(head)} … ${more(value.length - head.length, "characters")}`;
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}  `;
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const all = Array.isArray(value) ? value.length : Object.keys(value).length;
  const most = Array.isArray(value) ? ITEMS : Number.POSITIVE_INFINITY;
  const items = Array.isArray(value)
    ? value.slice(0, most).map((item) => printed(item, inner, more))
    : Object.entries(value).map(
        ([key, item]) => `${JSON.stringify(key)}: ${printed(item, inner, more)}`,
      );
  const rest = all > most ? `… ${more(all - most, "items")}` : "";
  const flat = `${open}${[...items, ...(rest ? [rest] : [])].join(", ")}${close}`;
  const isFlat = flat.length + indent.length <= LINE && !flat.includes("\n");
  if (isFlat || items.length === 0) return flat;
  const isNumbers = Array.isArray(value) && value.every(isScalar);
  const lines = isNumbers ? filled(items, LINE - inner.length) : items;
  const body = lines.map((line) => `${inner}${line}`).join(",\n");
  return `${open}\n${body}${rest ? `,\n${inner}${rest}` : ""}\n${indent}${close}`;
}

/** Items in lines of no more than a width. */
export function filled(items: string[], width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const item of items) {
    const longer = line ? `${line}, ${item}` : item;
    if (line && longer.length > width) {
      lines.push(line);
      line = item;
    } else {
      line = longer;
    }
  }
  return line ? [...lines, line] : lines;
}
