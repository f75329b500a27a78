import type { Datatype, FieldInfo, Json, ModelInfo, Row, TensorInfo } from "../api/types";

/** One input of a request in the Open Inference Protocol. */
export interface Tensor {
  name: string;
  datatype: Datatype;
  shape: number[];
  data: Json[];
}

/** A tensor of the model's own, and the fields that a person fills it with. */
interface Owned {
  input: TensorInfo;
  fields: FieldInfo[];
  /** Whether the fields are named columns of it. */
  isTable: boolean;
}

/**
 * A plain request as tensors: what stands in place of tensors (`replaces`) by its own name, anything
 * else as the tensor that the model takes, its columns in their order.
 */
export function tensors(model: ModelInfo, request: Row): Tensor[] {
  const found: Tensor[] = [];
  const sources = model.fields.filter((field) => isSource(model, field, request[field.name]));
  for (const field of sources) {
    const value = request[field.name] ?? null;
    const data = flat(value).map((item) => element(field.datatype, item));
    found.push({ name: field.name, datatype: field.datatype, shape: [data.length], data });
  }
  for (const { input, fields, isTable } of owned(model)) {
    const value = request[input.name];
    if (sources.some((field) => field.name === input.name)) continue;
    if (isTable && fields.some((field) => request[field.name] !== undefined)) {
      found.push(table(input, fields, request));
    } else if (value !== undefined) {
      const own = isTable ? undefined : fields[0];
      found.push(whole(input, own?.shape.length ?? input.shape.length - 1, value));
    }
  }
  return found;
}

/** Whether a value is given for a source, and not for the tensor of the same name that it fills. */
function isSource(model: ModelInfo, field: FieldInfo, value: Json | undefined): boolean {
  if (!field.replaces?.length || value === undefined) return false;
  const first = flat(value)[0];
  const isRaw = typeof first === "number" || typeof first === "boolean";
  return !isRaw || !model.inputs.some((input) => input.name === field.name);
}

/** Whether a number is missing, for which JSON has no word that the protocol takes. */
export function hasMissing(found: Tensor[]): boolean {
  return found.some(({ data }) => data.includes(null));
}

function owned(model: ModelInfo): Owned[] {
  const plain = model.fields.filter((field) => !field.replaces?.length);
  const filled = new Set(model.fields.flatMap((field) => field.replaces ?? []));
  const found: Owned[] = [];
  let at = 0;
  for (const input of model.inputs) {
    if (filled.has(input.name)) {
      // Nobody gives it as a field, but a request may name it instead.
      found.push({ input, fields: [], isTable: false });
      continue;
    }
    const next = plain[at];
    if (next && isWhole(next, input)) {
      found.push({ input, fields: [next], isTable: false });
      at += 1;
      continue;
    }
    // A mask has no field: the server makes it.
    const isOther = next && model.inputs.some((other) => isWhole(next, other));
    const columns = isOther ? [] : taken(plain.slice(at), input, model);
    found.push({ input, fields: columns, isTable: columns.length > 0 });
    at += columns.length;
  }
  return found;
}

function taken(fields: FieldInfo[], input: TensorInfo, model: ModelInfo): FieldInfo[] {
  const width = input.shape.at(-1) ?? 1;
  const most = width < 0 ? fields.length : width;
  const end = fields.findIndex(
    (field, at) =>
      at >= most ||
      field.shape.length > 0 ||
      field.datatype !== input.datatype ||
      model.inputs.some((other) => isWhole(field, other)),
  );
  return end < 0 ? fields : fields.slice(0, end);
}

function isBatched(input: TensorInfo): boolean {
  return input.shape[0] === -1;
}

function isWhole(field: FieldInfo, input: TensorInfo): boolean {
  if (field.name !== input.name) return false;
  const row = isBatched(input) ? input.shape.slice(1) : input.shape;
  const isOne = field.shape.length === 0 && row.every((size) => size === 1);
  const fits = row.every((size, at) => size < 0 || field.shape[at] === size);
  return isOne || (field.shape.length === row.length && fits);
}

function table(input: TensorInfo, fields: FieldInfo[], request: Row): Tensor {
  const columns = fields.map((field) => flat(request[field.name] ?? null));
  const rows = Math.max(...columns.map((column) => column.length));
  const data = Array.from({ length: rows }, (_, row) =>
    columns.map((column) => element(input.datatype, column[row] ?? null)),
  ).flat();
  const between = input.shape.slice(isBatched(input) ? 1 : 0, -1).map(() => 1);
  const shape = [...(isBatched(input) ? [rows] : []), ...between, fields.length];
  return { name: input.name, datatype: input.datatype, shape, data };
}

/** A value for a whole tensor; `rank` is that of one row's value. */
function whole(input: TensorInfo, rank: number, value: Json): Tensor {
  const given: number[] = [];
  for (let level: Json | undefined = value; Array.isArray(level); level = level[0]) {
    given.push(level.length);
  }
  const isMany = isBatched(input) && given.length > rank;
  const [rows, row] = isMany ? [given.slice(0, 1), given.slice(1)] : [[1], given];
  const head = isBatched(input) ? rows : [];
  const ones = Array(Math.max(0, input.shape.length - head.length - row.length)).fill(1);
  const data = flat(value).map((item) => element(input.datatype, item));
  return { name: input.name, datatype: input.datatype, shape: [...head, ...ones, ...row], data };
}

function flat(value: Json): Json[] {
  if (!Array.isArray(value)) return [value];
  return value.some(Array.isArray) ? value.flatMap(flat) : value;
}

/** A value as the protocol's JSON has it: the empty text is a missing one, files are base64. */
function element(datatype: Datatype, value: Json): Json {
  if (value === null) return datatype === "BYTES" ? "" : null;
  if (typeof value === "object" && !Array.isArray(value)) return value.b64 ?? null;
  return value;
}
