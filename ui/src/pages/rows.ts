import type { FieldInfo, Json, ModelInfo, Row } from "../api/types";
import { asRow } from "../share";

/** An input that can be filled into the form, and what its owner calls it. */
export interface Example {
  row: Row;
  name: string | null;
}

/** The fields that the model's page shows, in its order. */
export function shown(model: ModelInfo): FieldInfo[] {
  const byName = new Map(model.fields.map((field) => [field.name, field]));
  return model.app.inputs.flatMap((name) => byName.get(name) ?? []);
}

/** Of a row what the page shows: nothing else is given here, by a link either. */
export function shownOf(model: ModelInfo, row: Row): Row {
  const entries = model.app.inputs.filter((name) => row[name] !== undefined);
  return Object.fromEntries(entries.map((name) => [name, row[name]]));
}

/** The examples that can be filled into the form: one row each, by the fields' names. */
export function examplesOf(model: ModelInfo): Example[] {
  const given = model.examples.length ? model.examples : [model.example];
  const names = new Set(model.fields.map((field) => field.name));
  return given.flatMap((value, at) => {
    const row = asRow(value);
    const name = (model.examples.length && model.example_names[at]) || null;
    return row && fits(row, names) ? [{ row: shownOf(model, row), name }] : [];
  });
}

function fits(row: Row, names: Set<string>): boolean {
  return Object.keys(row).every((name) => names.has(name));
}

function isFixed(model: ModelInfo, name: string): boolean {
  return Object.hasOwn(model.app.fixed, name);
}

/** Whether a value has to be given yet. */
export function isMissing(field: FieldInfo, row: Row): boolean {
  return row[field.name] === undefined && !field.nullable;
}

/** Whether two rows have the same values; one that is not given is as one that is taken away. */
export function isSame(one: Row, other: Row): boolean {
  const names = [...Object.keys(one), ...Object.keys(other)];
  return names.every((name) => Object.is(one[name], other[name]) || alike(one[name], other[name]));
}

function alike(one: Json | undefined, other: Json | undefined): boolean {
  return (
    Array.isArray(one) && Array.isArray(other) && JSON.stringify(one) === JSON.stringify(other)
  );
}

/** The request: what is given, what is fixed, and null for what may be missing and is. */
export function whole(model: ModelInfo, row: Row): Row {
  const isShown = new Set(model.app.inputs);
  const value = (field: FieldInfo): Json | undefined => {
    if (isFixed(model, field.name)) return model.app.fixed[field.name];
    if (!isShown.has(field.name)) return null;
    return row[field.name] ?? (field.nullable ? null : undefined);
  };
  const entries = model.fields.map((field) => [field.name, value(field)] as const);
  return Object.fromEntries(entries.filter(([, given]) => given !== undefined));
}

/** What an answer is shown beside: what was given, and a picture that is the same each time. */
export function seen(model: ModelInfo, row: Row): Row {
  const pictures = model.fields.filter(
    (field) => field.kind === "image" && isFixed(model, field.name),
  );
  if (pictures.length === 0) return row;
  return { ...row, ...Object.fromEntries(pictures.map((f) => [f.name, model.app.fixed[f.name]])) };
}

/** The cells of a row of a table, by all the model's fields, from those that the page shows. */
export function cellsOf(model: ModelInfo, given: (name: string) => string): string[] {
  const isShown = new Set(model.app.inputs);
  return model.fields.map(({ name }) => {
    if (isFixed(model, name)) return String(model.app.fixed[name]);
    return isShown.has(name) ? given(name) : "";
  });
}

/** Milliseconds as a page tells them. */
export function took(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}
