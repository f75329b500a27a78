import type { Answer, Json, ModelInfo, Row } from "../api/types";
import { toCsv } from "../csv";
import type { Table } from "./parts";
import { type Fields, isScalar, WIDEST } from "./values";

/** The rows of a request and its answer, where it was one of many rows; else null. */
export function manyRows(
  model: ModelInfo,
  request: Row,
  answer: Answer,
): { inputs: Table; answers: Table } | null {
  const fields = model.fields.filter((field) => request[field.name] !== undefined);
  const columns = fields.map((field) => rowsOf(request[field.name], field.shape.length));
  const count = columns[0]?.length;
  if (count === undefined || columns.some((column) => column?.length !== count)) return null;
  const lists = Object.values(answer).map((value) => (Array.isArray(value) ? value.length : -1));
  if (lists.length === 0 || lists.some((length) => length !== count)) return null;
  const rows = Array.from({ length: count }, (_, at) => columns.map((c) => c?.[at] ?? null));
  return {
    inputs: { columns: fields.map((field) => field.name), rows },
    answers: answerTable(answer),
  };
}

function rowsOf(value: Json | undefined, rank: number): Json[] | null {
  let depth = 0;
  for (let level = value; Array.isArray(level); level = level[0]) depth += 1;
  return Array.isArray(value) && depth === rank + 1 ? value : null;
}

/** The answer for many rows as a table, with the names that the server's own CSV has. */
export function answerTable(answer: Answer): Table {
  const columns: string[] = [];
  const cells: Json[][] = [];
  for (const [name, value] of Object.entries(answer)) {
    const rows = Array.isArray(value) ? value : [value];
    const keys = sharedKeys(rows);
    if (!keys) {
      columns.push(name);
      cells.push(rows);
      continue;
    }
    for (const key of keys) {
      const isList = Array.isArray(rows[0]);
      columns.push(isList || key in answer ? `${name}.${key}` : key);
      cells.push(rows.map((row) => (row as Fields)[key] ?? null));
    }
  }
  const count = cells.reduce((most, column) => Math.max(most, column.length), 0);
  return {
    columns,
    rows: Array.from({ length: count }, (_, at) => cells.map((column) => column[at] ?? null)),
  };
}

/** The keys, or places, that all rows have, where each can be a column of its own. */
function sharedKeys(rows: Json[]): string[] | null {
  const first = rows[0];
  if (first === null || typeof first !== "object") return null;
  const keys = Object.keys(first);
  const is = (row: Json) =>
    row !== null &&
    typeof row === "object" &&
    Array.isArray(row) === Array.isArray(first) &&
    Object.keys(row).length === keys.length &&
    keys.every((key) => key in row && isScalar((row as Fields)[key]));
  const fits = keys.length > 0 && (!Array.isArray(first) || keys.length <= WIDEST);
  return fits && rows.every(is) ? keys : null;
}

/** Two tables side by side; an answer's column that has the name of another is told apart. */
export function joined(inputs: Table, answers: Table): Table {
  const names = answers.columns.map((name) => newName(name, inputs.columns));
  const count = Math.max(inputs.rows.length, answers.rows.length);
  return {
    columns: [...inputs.columns, ...names],
    rows: Array.from({ length: count }, (_, at) => [
      ...(inputs.rows[at] ?? inputs.columns.map(() => null)),
      ...(answers.rows[at] ?? names.map(() => null)),
    ]),
  };
}

/** What a column of answers is called beside the inputs' own. */
export function newName(name: string, known: readonly string[]): string {
  return known.includes(name) ? `answer.${name}` : name;
}

/** A cell as text: a text as it is, nothing for null, anything else as JSON has it. */
export function cellText(cell: Json): string {
  if (cell === null) return "";
  return typeof cell === "string" ? cell : JSON.stringify(cell);
}

/** A table as CSV; every value is kept exactly. */
export function csv(table: Table): string {
  return toCsv([table.columns, ...table.rows.map((row) => row.map(cellText))]);
}
