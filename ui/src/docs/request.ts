import type { Json } from "../api/types";
import { blobOf } from "../inputs/files";
import { faultOf, laidOut } from "./json";
import {
  type Api,
  bodiesOf,
  type Media,
  type Operation,
  type Parameter,
  parametersOf,
} from "./openapi";
import { samplesOf } from "./sample";
import { childrenOf, choicesOf, shapeOf } from "./schema";

/** What the page sets by itself: a session's proof that a page of this server asks. */
const OWN = new Set(["x-csrf-token"]);

/** How a body of a media type is given. */
export type BodyKind = "json" | "text" | "file" | "form";

/** One part of a form. */
export interface Part {
  name: string;
  /** A media type such as `image/*`; null for a part that is text. */
  file: string | null;
  isRequired: boolean;
  description: string;
}

/** What somebody has filled in. */
export interface Draft {
  /** By place and name, as `path/name`. */
  values: Record<string, string>;
  media: string;
  /** As texts, by media type. */
  bodies: Record<string, string>;
  /** Files by media type, those of a form by media type and part, as `multipart/form-data/photo`. */
  files: Record<string, File>;
  /** Parts of a form that are no files. */
  parts: Record<string, string>;
  accept: string;
}

export type Body =
  | { kind: "none" }
  | { kind: "text"; media: string; text: string }
  | { kind: "file"; media: string; file: File }
  | { kind: "form"; parts: [string, string | File][] };

/** A request that can be sent, or written as code. */
export interface Request {
  method: string;
  /** Of this server, with its query. */
  path: string;
  headers: [string, string][];
  body: Body;
}

/** What keeps a draft from being sent: texts of the catalogue, by what they are about. */
export type Problems = Record<string, string>;

export function kindOf(media: string): BodyKind {
  if (media === "multipart/form-data") return "form";
  if (/[/+]json$/.test(media)) return "json";
  return media.startsWith("text/") || media === "application/x-www-form-urlencoded"
    ? "text"
    : "file";
}

/** The parameters that a person sets: not those that are settled, or that the page knows itself. */
export function settable(api: Api, operation: Operation): Parameter[] {
  return parametersOf(api, operation).filter(
    (each) =>
      !(each.in === "path" && each.name in operation.fixed) &&
      each.in !== "cookie" &&
      !(each.in === "header" && OWN.has(each.name.toLowerCase())),
  );
}

export function keyOf(parameter: Parameter): string {
  return `${parameter.in}/${parameter.name}`;
}

/** The values that a parameter may have; none where any. */
export function choices(api: Api, parameter: Parameter): string[] {
  const { schema } = shapeOf(parameter.schema ?? {}, api.resolve);
  if (schema.type === "boolean") return ["true", "false"];
  return choicesOf(schema).map((choice) => {
    const value = JSON.parse(choice) as Json;
    return typeof value === "string" ? value : choice;
  });
}

/** The parts of a form by its schema. */
export function partsOf(api: Api, media: Media): Part[] {
  return childrenOf(shapeOf(media.schema ?? {}, api.resolve))
    .filter((child) => child.kind === "property")
    .map((child) => {
      const shape = shapeOf(child.schema, api.resolve);
      const { contentMediaType, contentEncoding, format } = shape.schema;
      const isFile = (contentMediaType && !contentEncoding) || format === "binary";
      return {
        name: child.name,
        file: isFile ? (contentMediaType ?? "*/*") : null,
        isRequired: child.isRequired,
        description: shape.description,
      };
    });
}

/**
 * A draft with what works as it is: the examples, in every form that may be sent.
 *
 * `example` is a request in JSON that the document does not have for this operation itself.
 */
export function drafted(api: Api, operation: Operation, example?: Json): Draft {
  const bodies = bodiesOf(api, operation);
  const draft: Draft = {
    values: {},
    media: bodies[0]?.[0] ?? "",
    bodies: {},
    files: {},
    parts: {},
    accept: "",
  };
  for (const parameter of settable(api, operation)) {
    const [first] = choices(api, parameter);
    const told = parameter.schema?.default ?? parameter.schema?.example;
    if (told !== undefined) draft.values[keyOf(parameter)] = String(told);
    else if (parameter.in === "path") draft.values[keyOf(parameter)] = first ?? usual(parameter);
  }
  const json = bodies.find(([media]) => kindOf(media) === "json")?.[1];
  const row = example ?? json?.example;
  for (const [media, said] of bodies) {
    switch (kindOf(media)) {
      case "json": {
        const sample = example ?? samplesOf(said, api.resolve)[0]?.value;
        draft.bodies[media] = sample === undefined ? "" : written(sample);
        break;
      }
      case "text": {
        const value = said.example ?? textIn(row);
        draft.bodies[media] = typeof value === "string" ? value : "";
        break;
      }
      case "file": {
        const file = fileIn(Object.values(fieldsOf(row)), media);
        if (file) draft.files[media] = file;
        break;
      }
      case "form":
        for (const part of partsOf(api, said)) {
          const value = fieldsOf(row)[part.name];
          const file = part.file && fileIn([value], part.file);
          if (file) draft.files[`${media}/${part.name}`] = file;
          else if (!part.file && value !== undefined) {
            draft.parts[part.name] = typeof value === "string" ? value : JSON.stringify(value);
          }
        }
    }
  }
  return draft;
}

/** JSON as the page's editor shows it. */
export function written(value: Json): string {
  return laidOut(JSON.stringify(value));
}

/** What a path's parameter most likely is, where nothing is said of it. */
function usual(parameter: Parameter): string {
  return parameter.name === "version" ? "1" : "";
}

function fieldsOf(row: Json | undefined): Record<string, Json> {
  return typeof row === "object" && row !== null && !Array.isArray(row) ? row : {};
}

/** The text of a request with a single field. */
function textIn(row: Json | undefined): string | undefined {
  const values = Object.values(fieldsOf(row));
  return values.length === 1 && typeof values[0] === "string" ? values[0] : undefined;
}

/** A file that stands in a request as base64. */
function fileIn(values: (Json | undefined)[], media: string): File | undefined {
  const [value] = values;
  if (values.length !== 1 || typeof value !== "string" || !/^(image|audio)\//.test(media)) return;
  const isPicture = media.startsWith("image/");
  const type = isPicture ? "image/png" : "audio/wav";
  const blob = value ? blobOf(value.replace(/^data:[^,]*,/, ""), type) : null;
  return blob ? new File([blob], isPicture ? "example.png" : "example.wav", { type }) : undefined;
}

/** The request of a draft, or what is wrong with that. */
export function requestOf(
  api: Api,
  operation: Operation,
  draft: Draft,
): { request: Request; problems: Problems } {
  const problems: Problems = {};
  const query = new URLSearchParams();
  const headers: [string, string][] = [];
  let path = operation.path;
  for (const parameter of parametersOf(api, operation)) {
    const key = keyOf(parameter);
    const value = operation.fixed[parameter.name] ?? draft.values[key] ?? "";
    const isSettled = parameter.in === "path" && parameter.name in operation.fixed;
    if (value === "" && !isSettled) {
      if (parameter.required) problems[key] = "docs.try.missing";
      continue;
    }
    if (parameter.in === "path") {
      path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    } else if (parameter.in === "query") {
      query.append(parameter.name, value);
    } else if (parameter.in === "header") {
      if (!/^[\x20-\x7e]*$/.test(value)) problems[key] = "docs.try.notAscii";
      else headers.push([parameter.name, value]);
    }
  }
  if (draft.accept) headers.push(["Accept", draft.accept]);
  const body = bodyOf(api, operation, draft, problems);
  const search = query.size > 0 ? `?${query}` : "";
  return { request: { method: operation.method, path: path + search, headers, body }, problems };
}

function bodyOf(api: Api, operation: Operation, draft: Draft, problems: Problems): Body {
  const { media } = draft;
  const said = bodiesOf(api, operation).find(([type]) => type === media)?.[1];
  if (!said) return { kind: "none" };
  const kind = kindOf(media);
  if (kind === "form") {
    const parts = partsOf(api, said).flatMap((part): [string, string | File][] => {
      const file = part.file && draft.files[`${media}/${part.name}`];
      const value = part.file ? file : draft.parts[part.name];
      if (value === undefined && part.isRequired)
        problems[`part/${part.name}`] = "docs.try.missing";
      const usual = part.file && part.isRequired ? absent(part.file) : undefined;
      return value === undefined && !usual ? [] : [[part.name, value || usual || ""]];
    });
    return { kind, parts };
  }
  if (kind === "file") {
    const file = draft.files[media];
    if (!file) problems.body = "docs.try.noFile";
    const known = file ?? absent(media);
    return { kind, media: typeOf(known, media), file: known };
  }
  const text = draft.bodies[media] ?? "";
  if (text.trim() === "") problems.body = "docs.try.missing";
  else if (kind === "json" && faultOf(text)) problems.body = "docs.try.notJson";
  return { kind: "text", media, text };
}

/** In place of a file that is not there yet, so that code can name one. */
function absent(media: string): File {
  const [family, kind] = media.split("/");
  const known = { image: "png", audio: "wav" }[family ?? ""] ?? "bin";
  const ending = kind === "*" || !kind ? known : kind.replace(/^x-/, "");
  return new File([], `input.${ending}`, { type: `${family}/${kind === "*" ? known : kind}` });
}

/** What a file says of itself, where the media type names a family only. */
function typeOf(file: File, media: string): string {
  return media.includes("*") ? file.type || "application/octet-stream" : media;
}
