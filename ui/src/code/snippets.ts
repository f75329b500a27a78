import { fileText, mediaType } from "../answers/asked";
import { predictPath } from "../api/client";
import type { Json, ModelInfo, Row } from "../api/types";
import { JSON_WORDS, type Printable, PYTHON_WORDS, printed, Verbatim, word } from "./printer";
import { hasMissing, type Tensor, tensors } from "./tensors";

/** The same request in several languages. */
export interface Snippets {
  curl: string;
  python: string;
  javascript: string;
  oip: string;
}

/** A file that some of the snippets read. */
export interface RequestFile {
  name: string;
  text: string;
}

/** A picture or a recording that a snippet reads from a file. */
interface Sent {
  field: string;
  /** As the request has it. */
  value: Json;
  file: string;
  media: string;
}

const LONG_FILE = 2_000;
/** A system takes no word of 128 KiB on a command line, and nobody reads a tenth of it. */
const LONG_BODY = 20_000;
/** Of Python. */
const LINE = 88;
const REQUEST = "request.json";
const TENSORS = "tensors.json";
const KEY = '# Where the server needs a key, add: -H "authorization: Bearer $KEY"';
const JSON_TYPE = "-H 'content-type: application/json'";

/** The same request as a curl command, in Python, in JavaScript, and as tensors. */
export function snippets(
  model: ModelInfo,
  origin: string,
  request: Row,
  version?: string,
): Snippets {
  const files = sentFiles(model, request);
  const base = origin.replace(/\/+$/, "");
  const url = `${base}${predictPath(model.name, version)}`;
  const given = defined(request);
  return {
    curl: curl(model, url, given, files),
    python: python(model, base, given, files, version),
    javascript: javascript(model, url, given, files),
    oip: oip(model, base, given, files, version),
  };
}

/** The files that the snippets read besides what was sent itself: none but for long requests. */
export function requestFiles(model: ModelInfo, request: Row): RequestFile[] {
  const given = defined(request);
  const files = sentFiles(model, request);
  const found: RequestFile[] = [];
  const isWhole = way(model, given, files) === "whole";
  if (isWhole) found.push({ name: REQUEST, text: JSON.stringify(given) });
  if (isLong(oipBody(model, given, files))) {
    found.push({ name: TENSORS, text: JSON.stringify(oipBody(model, given, [])) });
  }
  return found;
}

function defined(request: Row): { [key: string]: Json } {
  const entries = Object.entries(request).filter((entry): entry is [string, Json] => {
    return entry[1] !== undefined;
  });
  return Object.fromEntries(entries);
}

function without(given: { [key: string]: Json }, files: Sent[]): { [key: string]: Json } {
  const names = new Set(files.map(({ field }) => field));
  return Object.fromEntries(Object.entries(given).filter(([name]) => !names.has(name)));
}

function isLong(body: Printable): boolean {
  return JSON.stringify(body).length > LONG_BODY;
}

// -- files

function sentFiles(model: ModelInfo, request: Row): Sent[] {
  const found: Sent[] = [];
  for (const field of model.fields) {
    const value = request[field.name];
    const text = fileText(value);
    const isFile = field.kind === "image" || field.kind === "audio";
    if (!isFile || value === undefined || text === null || text.length <= LONG_FILE) continue;
    const media = mediaType(text);
    const ending = media ? `.${media.ending}` : "";
    const usual = field.kind === "image" ? "picture" : "recording";
    const own = field.name.replace(/[^A-Za-z0-9_-]+/g, "").replace(/^-+/, "") || usual;
    const stem = model.fields.length === 1 ? usual : own;
    const isTaken = found.some(({ file }) => file === stem + ending);
    found.push({
      field: field.name,
      value,
      file: `${stem}${isTaken ? found.length + 1 : ""}${ending}`,
      media: media?.type ?? "application/octet-stream",
    });
  }
  return found;
}

/** How curl sends a request: in the command, as a file alone, as a form, or as a file of JSON. */
function way(
  model: ModelInfo,
  given: { [key: string]: Json },
  files: Sent[],
): "inline" | "file" | "form" | "whole" {
  if (files.length === 0) return isLong(given) ? "whole" : "inline";
  if (model.fields.length === 1) return "file";
  const rest = Object.entries(without(given, files));
  const isForm = rest.every(([name, value]) => isPart(model, name, value));
  const isNamed = Object.keys(given).every((name) => /^[^="\\\r\n]+$/.test(name));
  return isForm && isNamed && !isLong(without(given, files)) ? "form" : "whole";
}

/** Whether a part of a form says a value: texts are themselves, anything else is JSON there. */
function isPart(model: ModelInfo, name: string, value: Json): boolean {
  const field = model.fields.find((one) => one.name === name);
  if (!field) return false;
  return field.datatype !== "BYTES" || value === null || typeof value === "string";
}

// -- curl

function curl(
  model: ModelInfo,
  url: string,
  given: { [key: string]: Json },
  files: Sent[],
): string {
  const [first] = files;
  switch (way(model, given, files)) {
    case "inline":
      return command(url, [JSON_TYPE, `-d ${word(printed(given))}`]);
    case "whole":
      return command(url, [JSON_TYPE, `--data-binary @${REQUEST}`]);
    case "file":
      return command(url, [
        `-H ${word(`content-type: ${first?.media ?? ""}`)}`,
        `--data-binary ${word(`@${first?.file ?? ""}`)}`,
      ]);
    case "form": {
      const parts = Object.entries(given).map(([name, value]) => {
        const file = files.find(({ field }) => field === name);
        if (file) return `-F ${word(`${name}=@${file.file}`)}`;
        return `--form-string ${word(`${name}=${part(model, name, value)}`)}`;
      });
      return command(url, parts);
    }
  }
}

function part(model: ModelInfo, name: string, value: Json): string {
  const isText = model.fields.some((one) => one.name === name && one.datatype === "BYTES");
  if (!isText) return JSON.stringify(value);
  return typeof value === "string" ? value : ""; // the empty text is a missing one
}

/** A command over several lines; the hint comes last, where a shell that takes it ill does no harm. */
function command(url: string, options: string[]): string {
  return `${[`curl ${word(url)}`, ...options].join(" \\\n  ")}\n${KEY}`;
}

// -- Python

function python(
  model: ModelInfo,
  origin: string,
  given: { [key: string]: Json },
  files: Sent[],
  version: string | undefined,
): string {
  const isRead = isLong(without(given, files));
  const values: { [key: string]: Printable } = { ...given };
  for (const { field, file } of files) {
    values[field] = new Verbatim(`Path(${JSON.stringify(file)})`);
  }
  const body = isRead
    ? `json.loads(Path(${JSON.stringify(REQUEST)}).read_bytes())`
    : printed(values, PYTHON_WORDS);
  const words = [JSON.stringify(model.name), body];
  if (version !== undefined) words.push(`version=${JSON.stringify(version)}`);
  const flat = `answer = client.predict(${words.join(", ")})`;
  const isLine = flat.length <= LINE || flat.includes("\n");
  const lines = words.map((one) => `    ${one},\n`).join("");
  return [
    ...(isRead ? ["import json"] : []),
    ...(isRead || files.length > 0 ? ["from pathlib import Path", ""] : []),
    "import modelport",
    "",
    '# Where the server needs a key, add key="mp_...", or set MODELPORT_API_KEY.',
    `client = modelport.Client(${JSON.stringify(origin)})`,
    isLine ? flat : `answer = client.predict(\n${lines})`,
    "print(answer)",
  ].join("\n");
}

// -- JavaScript

function javascript(
  model: ModelInfo,
  url: string,
  given: { [key: string]: Json },
  files: Sent[],
): string {
  const [first] = files;
  const read = (file: string) => `await readFile(${JSON.stringify(file)})`;
  if (isLong(without(given, files))) return fetching(url, "application/json", read(REQUEST));
  if (first && way(model, given, files) === "file") {
    return fetching(url, first.media, read(first.file));
  }
  const values: { [key: string]: Printable } = { ...given };
  for (const { field, file } of files) {
    values[field] = new Verbatim(`(${read(file)}).toString("base64")`);
  }
  return fetching(url, "application/json", `JSON.stringify(${printed(values, JSON_WORDS, "  ")})`);
}

function fetching(url: string, media: string, body: string): string {
  const isRead = body.includes("await readFile(");
  return [
    ...(isRead ? ['import { readFile } from "node:fs/promises";', ""] : []),
    `const response = await fetch(${JSON.stringify(url)}, {`,
    '  method: "POST",',
    "  headers: {",
    `    "content-type": ${JSON.stringify(media)},`,
    '    // Where the server needs a key: authorization: "Bearer mp_...",',
    "  },",
    `  body: ${body},`,
    "});",
    "if (!response.ok) throw new Error(await response.text());",
    "console.log(await response.json());",
  ].join("\n");
}

// -- Open Inference Protocol

function oip(
  model: ModelInfo,
  origin: string,
  given: { [key: string]: Json },
  files: Sent[],
  version: string | undefined,
): string {
  const where = version === undefined ? "" : `/versions/${encodeURIComponent(version)}`;
  const url = `${origin}/v2/models/${encodeURIComponent(model.name)}${where}/infer`;
  const missing = hasMissing(tensors(model, given))
    ? "\n# A number is missing here: JSON has no NaN, so this request needs binary tensor data."
    : "";
  const body = oipBody(model, given, files);
  if (isLong(body)) {
    return command(url, [JSON_TYPE, `--data-binary @${TENSORS}`]) + missing;
  }
  if (files.length === 0) return command(url, [JSON_TYPE, `-d ${word(printed(body))}`]) + missing;
  // The shell's own printf puts the files in; no other program gets words of their length.
  const text = printed(body).replaceAll("\\", "\\\\").replaceAll("%", "%%");
  const form = files.reduce((all, { file }) => all.replace(mark(file), () => '"%s"'), text);
  const order = [...files].sort((a, b) => text.indexOf(mark(a.file)) - text.indexOf(mark(b.file)));
  const words = order.map(({ file }) => `  "$(base64 < ${word(file)} | tr -d '\\n')" \\\n`);
  const sending = command(url, [JSON_TYPE, "--data-binary @-"]);
  return `printf ${word(form)} \\\n${words.join("").replace(/ \\\n$/, " |\n")}${sending}${missing}`;
}

/** The body of a request, with marks where files are read. */
function oipBody(
  model: ModelInfo,
  given: { [key: string]: Json },
  files: Sent[],
): { [key: string]: Printable } {
  const inputs = tensors(model, given).map((tensor: Tensor) => {
    const file = files.find(({ field }) => field === tensor.name);
    return { ...tensor, data: file ? [new Verbatim(mark(file.file))] : tensor.data };
  });
  return { inputs };
}

/** A text that no JSON has outside of its texts, and none of its texts. */
function mark(file: string): string {
  return `\u0000${file}\u0000`;
}
