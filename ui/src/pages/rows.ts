import type { FieldInfo, ModelInfo, Row } from "../api/types";
import { asRow } from "../share";

/** The examples that can be filled into the form: one row each, by the fields' names. */
export function rowsOf(model: ModelInfo): Row[] {
  const given = model.examples.length ? model.examples : [model.example];
  const names = new Set(model.fields.map((field) => field.name));
  return given.map(asRow).filter((row) => row !== null && fits(row, names)) as Row[];
}

function fits(row: Row, names: Set<string>): boolean {
  return Object.keys(row).every((name) => names.has(name));
}

/** Whether a value has to be given yet. */
export function isMissing(field: FieldInfo, row: Row): boolean {
  return row[field.name] === undefined && !field.nullable;
}

/** With null for what may be missing and is. */
export function whole(model: ModelInfo, row: Row): Row {
  const empty = model.fields.filter((field) => field.nullable && row[field.name] === undefined);
  return { ...row, ...Object.fromEntries(empty.map((field) => [field.name, null])) };
}
