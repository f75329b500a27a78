import type { Json } from "../api/types";
import type { Scores } from "./values";

/** A text of at most so many characters, with an ellipsis where it was longer. */
export function shortened(text: string, most: number): string {
  const characters = Array.from(text.slice(0, 2 * most + 2));
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text;
}

/** A part of 1 in percent: one digit after the point, and never rounded to none or all. */
export function percent(value: number, language: string): string {
  const whole = value === 0 || value === 1;
  const digits = whole ? 0 : 1;
  const format = new Intl.NumberFormat(language, {
    style: "percent",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  if (value > 0 && value < 0.001) return `<${format.format(0.001)}`;
  if (value > 0.999 && value < 1) return `>${format.format(0.999)}`;
  return format.format(value);
}

/** A number to read: grouped, with six digits that count, in powers of ten where it is extreme. */
export function readable(value: number, language: string): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) {
    return new Intl.NumberFormat(language, { maximumFractionDigits: 0 }).format(value);
  }
  if (size >= 1e15 || size < 1e-6) {
    return new Intl.NumberFormat(language, {
      notation: "scientific",
      maximumSignificantDigits: 6,
    }).format(value);
  }
  const digits = Math.min(20, Math.max(2, 5 - Math.floor(Math.log10(size))));
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
}

/** A label with its score. */
export interface Ranked {
  /** Its place, from 0. */
  place: number;
  label: string;
  score: number | null;
}

/** Labels by their scores, largest first; equal ones stay in order, null comes last. */
export function ranked(scores: Scores): Ranked[] {
  return Object.entries(scores)
    .sort(([, a], [, b]) => (b ?? Number.NEGATIVE_INFINITY) - (a ?? Number.NEGATIVE_INFINITY) || 0)
    .map(([label, score], place) => ({ place, label, score }));
}

/** Whether a class's name among the probabilities is that of a prediction. */
export function isLabel(label: string, prediction: Json): boolean {
  if (typeof prediction === "number") return label !== "" && Number(label) === prediction;
  if (typeof prediction === "boolean") return label.toLowerCase() === String(prediction);
  return label === prediction;
}

/** The length of a vector as a geometer says it; null where a number is missing. */
export function norm(values: (number | null)[]): number | null {
  const size = Math.sqrt(values.reduce<number>((sum, v) => sum + (v ?? Number.NaN) ** 2, 0));
  return Number.isFinite(size) ? size : null;
}

/** The cosine of the angle between two vectors; null where they have none. */
export function cosine(a: (number | null)[], b: (number | null)[]): number | null {
  const sizes = (norm(a) ?? 0) * (norm(b) ?? 0);
  if (a.length !== b.length || sizes === 0 || !Number.isFinite(sizes)) return null;
  const product = a.reduce<number>((sum, v, at) => sum + (v ?? 0) * (b[at] ?? 0), 0);
  return Math.min(1, Math.max(-1, product / sizes));
}

/** The path of a line through many numbers: of those that share a column, the least and most. */
export function sparkline(values: (number | null)[], width: number, height: number): string {
  const known = values.filter((v) => v !== null);
  const low = known.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = known.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const columns = Math.min(values.length, width);
  const y = (v: number) => (high > low ? height - ((v - low) / (high - low)) * height : height / 2);
  const points: string[] = [];
  for (let at = 0; at < columns; at++) {
    const from = Math.floor((at * values.length) / columns);
    const to = Math.floor(((at + 1) * values.length) / columns);
    const own = values.slice(from, to).filter((v) => v !== null);
    const x = columns > 1 ? (at * width) / (columns - 1) : width / 2;
    const ends = own.length > 1 ? [Math.min(...own), Math.max(...own)] : own;
    for (const v of ends) points.push(`${x.toFixed(1)},${y(v).toFixed(1)}`);
  }
  return points.length ? `M${points.join("L")}` : "";
}
