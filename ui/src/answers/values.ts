import type { Json } from "../api/types";

export type Fields = { [key: string]: Json };

/** A score for each label; null is NaN or infinity. */
export type Scores = Record<string, number | null>;

/** As long as that are lists that are read number by number. */
export const WIDEST = 64;

export function isFields(value: Json | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isScalar(value: Json | undefined): boolean {
  return value === null || typeof value !== "object";
}

export function isNumberOrNull(value: Json | undefined): value is number | null {
  return value === null || typeof value === "number";
}

export function isScores(value: Json | undefined): value is Scores {
  return isFields(value) && Object.values(value).every(isNumberOrNull);
}

export function finite(value: Json | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
