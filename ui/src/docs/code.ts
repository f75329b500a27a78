import { word } from "../code/printer";
import { inPython, laidOut } from "./json";
import type { Body, Request } from "./request";

/** The same request in several languages. */
export interface Codes {
  curl: string;
  python: string;
  javascript: string;
}

/** Whether the request needs a key: code that sends an empty one would be refused by an open server. */
export type KeyNeed = "needed" | "maybe" | "none";

/** What is answered: values of JSON, texts, or bytes that go into a file. */
export type AnswerKind = "json" | "text" | "bytes";

export interface Written {
  request: Request;
  origin: string;
  key: KeyNeed;
  answer: AnswerKind;
}

/** A system takes no word of 128 KiB on a command line, and nobody reads a tenth of it. */
const LONG_BODY = 20_000;
const SAVED = "answer.bin";

/** The file that code reads in place of a long text; null where the text is in the code. */
export function bodyFile(body: Body): { name: string; text: string } | null {
  if (body.kind !== "text" || body.text.length <= LONG_BODY) return null;
  const ending = body.media.includes("json") ? "json" : body.media.includes("csv") ? "csv" : "txt";
  return { name: `request.${ending}`, text: body.text };
}

/** A request as a curl command, in Python and in JavaScript. */
export function codes(written: Written): Codes {
  return { curl: curl(written), python: python(written), javascript: javascript(written) };
}

const isJson = (media: string) => /[/+]json$/.test(media);
const quoted = (text: string) => JSON.stringify(text);

/** All headers but the key's; a form has its own content type, which names its border. */
function headersOf({ headers, body }: Request): [string, string][] {
  const media = body.kind === "text" || body.kind === "file" ? body.media : null;
  return media ? [...headers, ["Content-Type", media]] : headers;
}

/** A JSON body as a person reads it; any other text as it is. */
function shown(body: { media: string; text: string }): string {
  return isJson(body.media) ? laidOut(body.text, 80) : body.text;
}

// -- curl

function curl({ request, origin, key, answer }: Written): string {
  const { method, path, body } = request;
  const options = headersOf(request).map(([name, value]) => `-H ${word(`${name}: ${value}`)}`);
  if (key === "needed") options.push('-H "Authorization: Bearer $MODELPORT_API_KEY"');
  const file = bodyFile(body);
  if (file) options.push(`--data-binary @${file.name}`);
  else if (body.kind === "text") options.push(`--data-raw ${word(shown(body))}`);
  else if (body.kind === "file") options.push(`--data-binary ${word(`@${body.file.name}`)}`);
  else if (body.kind === "form") {
    for (const [name, value] of body.parts) {
      options.push(
        typeof value === "string"
          ? `--form-string ${word(`${name}=${value}`)}`
          : `-F ${word(`${name}=@${value.name};type=${value.type}`)}`,
      );
    }
  }
  if (answer === "bytes") options.push(`-o ${SAVED}`);
  const usual = body.kind === "none" ? "GET" : "POST";
  const verb = method === usual ? "" : `-X ${method} `;
  const command = [`curl ${verb}${word(origin + path)}`, ...options].join(" \\\n  ");
  const hint =
    '\n# Where the server needs a key, add: -H "Authorization: Bearer $MODELPORT_API_KEY"';
  return command + (key === "maybe" ? hint : "");
}

// -- Python

function python(written: Written): string {
  const client = viaClient(written);
  if (client) return client;
  const { request, origin, key, answer } = written;
  const headers = headersOf(request)
    .filter(([name]) => name !== "Content-Type" || jsonOf(request.body) === null) // httpx says it
    .map(([name, value]) => `${quoted(name)}: ${quoted(value)}`);
  if (key === "needed") {
    headers.push(`"Authorization": f"Bearer {os.environ['MODELPORT_API_KEY']}"`);
  }
  const words = [
    quoted(request.method),
    quoted(origin + request.path),
    ...(headers.length > 0 ? [`headers={${headers.join(", ")}}`] : []),
    ...pythonBody(request.body),
  ];
  const reads = words.some((each) => each.includes("Path(")) || answer === "bytes";
  const imports = [
    ...(key === "needed" ? ["import os"] : []),
    ...(reads ? ["from pathlib import Path"] : []),
  ];
  return [
    ...imports,
    ...(imports.length > 0 ? [""] : []),
    "import httpx",
    "",
    ...(key === "maybe" ? [PYTHON_HINT] : []),
    `response = httpx.request(\n${words.map((one) => `    ${one},\n`).join("")})`,
    "response.raise_for_status()",
    {
      json: "print(response.json())",
      text: "print(response.text)",
      bytes: `Path(${quoted(SAVED)}).write_bytes(response.content)`,
    }[answer],
  ].join("\n");
}

const PYTHON_HINT =
  '# Where the server needs a key, add: headers={"Authorization": "Bearer mp_..."}';

/** The text of a JSON body that stands in the code itself; null for any other body. */
function jsonOf(body: Body): string | null {
  return body.kind === "text" && isJson(body.media) && !bodyFile(body) ? body.text : null;
}

/** The argument that gives the body, where there is one. */
function pythonBody(body: Body): string[] {
  const json = jsonOf(body);
  if (json !== null) return [`json=${inPython(laidOut(json, 76)).replaceAll("\n", "\n    ")}`];
  if (body.kind === "form") return [`files=${pythonForm(body.parts)}`];
  const file = fileOf(body);
  if (file) return [`content=Path(${quoted(file)}).read_bytes()`];
  return body.kind === "text" ? [`content=${quoted(body.text)}`] : [];
}

/** The name of the file that holds all of a body; null where none does. */
function fileOf(body: Body): string | null {
  return body.kind === "file" ? body.file.name : (bodyFile(body)?.name ?? null);
}

/** With our own client, where it does all that the request says. */
function viaClient({ request, origin, key, answer }: Written): string | null {
  const { method, path, headers, body } = request;
  const [, name] = /^\/models\/([^/?]+)\/predict$/.exec(path) ?? [];
  const json = jsonOf(body);
  const isPlain = method === "POST" && headers.length === 0 && answer === "json";
  if (!name || !isPlain || json === null) return null;
  return [
    "import modelport",
    "",
    key === "needed"
      ? "# The key is taken from the environment: MODELPORT_API_KEY."
      : '# Where the server needs a key, add key="mp_...", or set MODELPORT_API_KEY.',
    `client = modelport.Client(${quoted(origin)})`,
    `answer = client.predict(${quoted(decodeURIComponent(name))}, ${inPython(laidOut(json, 76))})`,
    "print(answer)",
  ].join("\n");
}

function pythonForm(parts: [string, string | File][]): string {
  const lines = parts.map(([name, value]) =>
    typeof value === "string"
      ? `        ${quoted(name)}: (None, ${quoted(value)}),\n`
      : `        ${quoted(name)}: (${quoted(value.name)}, Path(${quoted(value.name)}).read_bytes(), ${quoted(value.type)}),\n`,
  );
  return `{\n${lines.join("")}    }`;
}

// -- JavaScript

function javascript({ request, origin, key, answer }: Written): string {
  const { method, path, body } = request;
  const headers = headersOf(request).map(
    ([name, value]) => `    ${quoted(name)}: ${quoted(value)},`,
  );
  if (key === "needed")
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code that is shown
    headers.push("    Authorization: `Bearer ${process.env.MODELPORT_API_KEY}`,");
  if (key === "maybe") {
    headers.push('    // Where the server needs a key: Authorization: "Bearer mp_...",');
  }
  const form = body.kind === "form" ? javascriptForm(body.parts) : [];
  const given = javascriptBody(body);
  const lines = [
    `const response = await fetch(${quoted(origin + path)}, {`,
    ...(method === "GET" ? [] : [`  method: ${quoted(method)},`]),
    ...(headers.length > 0 ? ["  headers: {", ...headers, "  },"] : []),
    ...(given ? [`  body: ${given},`] : []),
    "});",
    "if (!response.ok) throw new Error(await response.text());",
    {
      json: "console.log(await response.json());",
      text: "console.log(await response.text());",
      bytes: `await writeFile(${quoted(SAVED)}, Buffer.from(await response.arrayBuffer()));`,
    }[answer],
  ];
  const used = ["readFile", "writeFile"].filter((name) =>
    [...form, ...lines].some((line) => line.includes(`await ${name}(`)),
  );
  const imports =
    used.length > 0 ? [`import { ${used.join(", ")} } from "node:fs/promises";`, ""] : [];
  return [...imports, ...form, ...lines].join("\n");
}

/** The expression that gives the body; null where there is none. */
function javascriptBody(body: Body): string | null {
  const json = jsonOf(body);
  if (json !== null) return `JSON.stringify(${laidOut(json, 80).replaceAll("\n", "\n  ")})`;
  if (body.kind === "form") return "form";
  const file = fileOf(body);
  if (file) return `await readFile(${quoted(file)})`;
  return body.kind === "text" ? quoted(body.text) : null;
}

function javascriptForm(parts: [string, string | File][]): string[] {
  return [
    "const form = new FormData();",
    ...parts.map(([name, value]) =>
      typeof value === "string"
        ? `form.append(${quoted(name)}, ${quoted(value)});`
        : `form.append(${quoted(name)}, new Blob([await readFile(${quoted(value.name)})], ` +
          `{ type: ${quoted(value.type)} }), ${quoted(value.name)});`,
    ),
  ];
}
