import type { FieldInfo, Json, Row } from "../api/types";
import { detectSeparator, parseCsv, toCsv } from "../csv";
import { isNumeric, toNumber } from "./check";

/** More rows than this are not edited by hand. */
export const MOST_ROWS = 200;

const BOOLS: Record<string, boolean> = { true: true, false: false, "1": true, "0": false };

/** Whether anything is given in a row. */
export const isFilled = (row: Row) => Object.values(row).some((value) => value !== undefined);

/**
 * The value of a cell's text by the field's type; a text that is no such value stays a text.
 *
 * A comma is a decimal one, but for where cells are separated by commas: there it parts thousands,
 * or anything else, and the number is none.
 */
export function cellValue(text: string, field: FieldInfo, separator?: string): Json | undefined {
  const bare = text.trim();
  if (bare === "" && (field.datatype !== "BYTES" || field.choices?.length || field.nullable)) {
    return field.nullable ? null : undefined;
  }
  if (field.choices?.length) {
    return (
      field.choices.find((choice) => String(choice) === bare) ??
      numericChoice(bare, field, separator)
    );
  }
  if (field.datatype === "BYTES") return text;
  if (field.datatype === "BOOL") return BOOLS[bare.toLowerCase()] ?? text;
  return number(bare, separator) ?? text;
}

function numericChoice(text: string, field: FieldInfo, separator?: string): Json {
  const wanted = isNumeric(field.datatype) ? number(text, separator) : undefined;
  return field.choices?.find((choice) => choice === wanted) ?? text;
}

const DECIMAL_COMMA = /^[+-]?\d*,\d+$/;

function number(text: string, separator?: string): number | undefined {
  const isDecimal = separator !== "," && DECIMAL_COMMA.test(text);
  return toNumber(isDecimal ? text.replace(",", ".") : text);
}

/** The text of a cell's value. */
export function cellText(value: Json | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** For each column of a header the field of its name; null where no cell, or only some, has one. */
export function headerFields(
  cells: readonly string[],
  fields: readonly FieldInfo[],
): (FieldInfo | undefined)[] | null {
  const plain = (name: string) => name.trim().toLowerCase();
  const found = cells.map(
    (cell) =>
      fields.find((field) => field.name === cell) ??
      fields.find((field) => plain(field.name) === plain(cell)),
  );
  const known = found.filter((field) => field !== undefined).length;
  // A header has names only, so a number that is no field's name makes it a row of values.
  const values = cells.some((cell, at) => !found[at] && number(cell.trim()) !== undefined);
  return known > 0 && !values ? found : null;
}

/** What a table has given. */
export interface Read {
  rows: Row[];
  /** Columns that are of no field. */
  unknown: string[];
  /** Fields that have no column. */
  missing: string[];
  /** How many rows there were. */
  total: number;
}

/** The rows of a CSV text, by its header or, without one, in the fields' order; null if neither. */
export function readTable(text: string, fields: readonly FieldInfo[]): Read | null {
  const separator = detectSeparator(text);
  const cells = parseCsv(text, separator);
  const [first] = cells;
  if (!first) return null;
  const header = headerFields(first, fields);
  if (!header && first.length !== fields.length) return null;
  const columns = header ?? fields;
  const body = header ? cells.slice(1) : cells;
  return {
    rows: body.slice(0, MOST_ROWS).map((row) => rowOf(row, columns, separator)),
    unknown: header ? first.filter((_, at) => !header[at]) : [],
    missing: fields.filter((field) => !columns.includes(field)).map((field) => field.name),
    total: body.length,
  };
}

/** Why a file's cells cannot be run as they are. */
export type Unfit =
  | { kind: "noCsv" | "emptyFile" | "noRows" }
  | { kind: "noHeader"; names: string[] };

/** A CSV file as it is, and where each field's column is in it. */
export interface CsvFile {
  /** How it is written, so that what is added to it is written so, too. */
  form: { separator: string; hasMark: boolean; hasDecimalCommas: boolean };
  header: string[];
  rows: string[][];
  /** By the field's name; one that may be empty need not have a column. */
  places: ReadonlyMap<string, number>;
  /** Fields that no column is for, and that may be missing. */
  missing: string[];
}

/** A CSV file with a header, in which columns of no field may stand too. */
export function readCsvFile(text: string, fields: readonly FieldInfo[]): CsvFile | Unfit {
  // Spreadsheets' own files are packed, and no text has such a character.
  if (text.includes("\0") || text.startsWith("PK\u0003\u0004")) return { kind: "noCsv" };
  const separator = detectSeparator(text);
  const [header, ...rows] = parseCsv(text, separator);
  if (!header) return { kind: "emptyFile" };
  const columns =
    headerFields(header, fields) ?? header.map((name) => fields.find((f) => f.name === name));
  const places = new Map<string, number>();
  for (const [at, field] of columns.entries()) {
    if (field && !places.has(field.name)) places.set(field.name, at);
  }
  const absent = fields.filter((field) => !field.nullable && !places.has(field.name));
  const missing = fields.filter((field) => !places.has(field.name)).map((field) => field.name);
  if (absent.length) return { kind: "noHeader", names: absent.map((field) => field.name) };
  if (missing.length === fields.length) return { kind: "noHeader", names: missing };
  if (!rows.length) return { kind: "noRows" };
  const hasDecimalCommas =
    separator !== "," && rows.some((row) => row.some((cell) => DECIMAL_COMMA.test(cell.trim())));
  const form = { separator, hasMark: text.startsWith("\uFEFF"), hasDecimalCommas };
  return { form, header, rows, places, missing };
}

/** A table as a file of the same form; numbers that the server wrote are written so, too. */
export function written(table: string[][], { separator, hasMark }: CsvFile["form"]): string {
  return (hasMark ? "\uFEFF" : "") + toCsv(table, separator);
}

/** A number of an answer as the file has its own. */
export function ownNumber(cell: string, { hasDecimalCommas }: CsvFile["form"]): string {
  return hasDecimalCommas && /^-?\d+\.\d+(e[+-]?\d+)?$/i.test(cell) ? cell.replace(".", ",") : cell;
}

/** A cell's text as the server reads it; other texts for the same value are taken here only. */
export function plainCell(text: string, field: FieldInfo, separator?: string): string {
  const bare = text.trim();
  // Long whole numbers are more exact as they stand.
  return /^[+-]?\d+$/.test(bare) && isNumeric(field.datatype)
    ? bare
    : cellText(cellValue(text, field, separator));
}

function rowOf(
  cells: readonly string[],
  columns: readonly (FieldInfo | undefined)[],
  separator: string,
): Row {
  const row: Row = {};
  for (const [at, field] of columns.entries()) {
    if (field) row[field.name] = cellValue(cells[at] ?? "", field, separator);
  }
  return row;
}

/** Rows with cells from a spreadsheet put over them, from a place on; rows are added as needed. */
export function pasteInto(
  rows: readonly Row[],
  fields: readonly FieldInfo[],
  at: { row: number; column: number },
  text: string,
): { rows: Row[]; total: number } {
  // An empty line from a spreadsheet is an empty cell of its only column.
  const cells = parseCsv(text, "\t", true);
  const header = cells[0] ? headerFields(cells[0], fields) : null;
  const columns = header ?? fields.slice(at.column);
  const body = header ? cells.slice(1) : cells;
  const out = rows.slice();
  for (const [index, line] of body.entries()) {
    const place = at.row + index;
    if (place >= MOST_ROWS) break;
    const given = columns.slice(0, line.length);
    out[place] = { ...out[place], ...rowOf(line, given, "\t") };
  }
  return { rows: out, total: at.row + body.length };
}
