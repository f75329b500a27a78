import type { Json } from "../api/types";

/** A JSON Schema, with the words that documents use; one of OpenAPI 3.0 may say `nullable`. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  title?: string;
  description?: string;
  format?: string;
  enum?: Json[];
  const?: Json;
  default?: Json;
  example?: Json;
  examples?: Json[];
  nullable?: boolean;
  deprecated?: boolean;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  maxProperties?: number;
  items?: boolean | Schema;
  prefixItems?: Schema[];
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  contentEncoding?: string;
  contentMediaType?: string;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  "x-unit"?: string;
}

export interface Ref {
  $ref: string;
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header" | "cookie";
  required?: boolean;
  description?: string;
  schema?: Schema;
}

/** What is sent or answered as one media type. */
export interface Media {
  schema?: Schema;
  example?: Json;
  examples?: Record<string, { value: Json; summary?: string }>;
}

export interface Header {
  description?: string;
  schema?: Schema;
}

export interface Answer {
  description: string;
  headers?: Record<string, Header | Ref>;
  content?: Record<string, Media>;
}

interface RawOperation {
  operationId?: string;
  tags?: string[];
  summary?: string;
  description?: string;
  deprecated?: boolean;
  security?: Record<string, string[]>[];
  parameters?: (Parameter | Ref)[];
  requestBody?: { required?: boolean; content: Record<string, Media> } | Ref;
  responses?: Record<string, Answer | Ref>;
  "x-takes-away"?: boolean;
}

/** What is known of a model besides its name. */
export interface ModelState {
  version: string;
  state: string;
  runtime?: string;
}

/** An OpenAPI document. */
export interface Doc {
  info: { title: string; version: string; description?: string };
  tags?: { name: string; description?: string; "x-model"?: ModelState }[];
  paths: Record<string, Record<string, RawOperation>>;
  components?: Record<string, Record<string, unknown>>;
}

/** One address with its method. */
export interface Operation {
  id: string;
  method: string;
  path: string;
  summary: string;
  description: string;
  group: string;
  /** What a caller must be allowed to do; null where anybody may. */
  permission: string | null;
  /** Whether it ends what somebody may miss. */
  takesAway: boolean;
  isDeprecated: boolean;
  /** Values of path parameters that are settled, as the model on its own page. */
  fixed: Record<string, string>;
  raw: RawOperation;
}

/** A model, or operations that belong together. */
export interface Group {
  name: string;
  /** Its address below `/docs/`. */
  slug: string;
  description: string;
  /** Absent for a group that is no model. */
  model: ModelState | undefined;
  operations: Operation[];
}

/** A document, read once; what only some pages show is resolved when they do. */
export interface Api {
  title: string;
  version: string;
  groups: Group[];
  operations: Operation[];
  doc: Doc;
  resolve: Resolve;
}

/** What a reference leads to; anything else as it is, and `{}` for one that leads nowhere. */
export type Resolve = <T extends object>(value: T | Ref) => T;

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];
const MOST_STEPS = 32;

/** Read a document. */
export function read(doc: Doc): Api {
  const operations = Object.entries(doc.paths).flatMap(([path, verbs]) =>
    METHODS.flatMap((verb) => (verbs[verb] ? [operationOf(verb, path, verbs[verb])] : [])),
  );
  const byGroup = new Map<string, Operation[]>();
  for (const operation of operations) {
    byGroup.set(operation.group, [...(byGroup.get(operation.group) ?? []), operation]);
  }
  const told = doc.tags ?? [];
  const untold = [...byGroup.keys()].filter((name) => !told.some((tag) => tag.name === name));
  const tags = [...told, ...untold.map((name): (typeof told)[number] => ({ name }))];
  const models = new Set(tags.filter((tag) => tag["x-model"]).map((tag) => tag.name));
  const groups = tags.map((tag) => ({
    name: tag.name,
    slug: slugOf(tag.name, models),
    description: tag.description ?? "",
    model: tag["x-model"],
    operations: byGroup.get(tag.name) ?? [],
  }));
  return {
    title: doc.info.title,
    version: doc.info.version,
    groups: groups.filter((group) => group.model || group.operations.length > 0),
    operations,
    doc,
    resolve: (value) => follow(doc, value),
  };
}

function operationOf(verb: string, path: string, raw: RawOperation): Operation {
  const needs = raw.security?.flatMap((need) => Object.values(need).flat()) ?? [];
  return {
    id: raw.operationId ?? `${verb}${path.replace(/\W+/g, "_")}`,
    method: verb.toUpperCase(),
    path,
    summary: raw.summary ?? "",
    description: raw.description ?? "",
    group: raw.tags?.[0] ?? "",
    permission: needs[0] ?? (raw.security?.length ? "" : null),
    takesAway: raw["x-takes-away"] ?? verb === "delete",
    isDeprecated: raw.deprecated ?? false,
    fixed: {},
    raw,
  };
}

/** A model by its name, any other group in the manner of addresses, unless a model is called so. */
function slugOf(name: string, models: ReadonlySet<string>): string {
  const slug = name
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "");
  return models.has(name) || models.has(slug) || !slug ? name : slug;
}

/** The address of a group's page. */
export function pageOf(group: Group): string {
  return `/docs/${encodeURIComponent(group.slug)}`;
}

/** A group by its name in the document. */
export function groupNamed(api: Api, name: string): Group | undefined {
  return api.groups.find((group) => group.name === name);
}

/** A group by its address. */
export function groupOf(api: Api, slug: string): Group | undefined {
  return api.groups.find((group) => group.slug === slug);
}

/** The addresses that all models have, as they are for this one; those with their own come first. */
export function operationsFor(api: Api, model: Group): Operation[] {
  return api.operations.flatMap((operation) => {
    const isOther = operation.group !== model.name && operation.path.includes("{name}");
    if (!isOther || isPage(operation, api.resolve)) return [];
    return [{ ...operation, fixed: { name: model.name } }];
  });
}

/** Whether it answers with a page for people only. */
function isPage(operation: Operation, resolve: Resolve): boolean {
  const answer = operation.raw.responses?.["200"];
  const media = Object.keys((answer && resolve(answer).content) ?? {});
  return media.length > 0 && media.every((type) => type === "text/html");
}

function follow<T extends object>(doc: Doc, value: T | Ref): T {
  let found: unknown = value;
  for (let step = 0; step < MOST_STEPS; step += 1) {
    const pointer = (found as Partial<Ref> | undefined)?.$ref;
    if (typeof pointer !== "string") return (found ?? {}) as T;
    // Words beside a reference, as a description, hold for what it leads to.
    const { $ref: _, ...beside } = found as Ref;
    const target = at(doc, pointer);
    found = target && Object.keys(beside).length > 0 ? { ...target, ...beside } : target;
  }
  return {} as T; // references that lead to each other
}

function at(doc: Doc, pointer: string): object | undefined {
  if (!pointer.startsWith("#/")) return undefined;
  let found: unknown = doc;
  for (const part of pointer.slice(2).split("/")) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return typeof found === "object" && found !== null ? found : undefined;
}

// -- the parts of an operation

export function parametersOf(api: Api, operation: Operation): Parameter[] {
  return (operation.raw.parameters ?? []).map((each) => api.resolve<Parameter>(each));
}

/** What may be sent, by media type; none where nothing is. */
export function bodiesOf(api: Api, operation: Operation): [string, Media][] {
  const body = operation.raw.requestBody;
  return body ? Object.entries(api.resolve(body).content) : [];
}

export function answersOf(api: Api, operation: Operation): [string, Answer][] {
  return Object.entries(operation.raw.responses ?? {}).map(([status, answer]) => [
    status,
    api.resolve<Answer>(answer),
  ]);
}

/** The media types that a success may have. */
export function accepted(api: Api, operation: Operation): string[] {
  const good = answersOf(api, operation).find(([status]) => status.startsWith("2"));
  return Object.keys(good?.[1].content ?? {});
}

/** The path with what is settled filled in. */
export function shownPath({ path, fixed }: Operation): string {
  return path.replace(/\{(\w+)\}/g, (whole, name: string) =>
    name in fixed ? encodeURIComponent(fixed[name] ?? "") : whole,
  );
}

// -- errors

/** One kind of error. */
export interface ErrorKind {
  status: string;
  code: string;
  meaning: string;
  /** Whether the answer says when another try makes sense. */
  mayRetry: boolean;
}

/** All errors, from the answers that the document has in common. */
export function errorsOf(api: Api): ErrorKind[] {
  const answers = (api.doc.components?.responses ?? {}) as Record<string, Answer>;
  return Object.entries(answers).flatMap(([status, answer]) =>
    codesOf(answer.description).map(({ code, meaning }) => ({
      status,
      code,
      meaning,
      mayRetry: "Retry-After" in (answer.headers ?? {}),
    })),
  );
}

/** The codes in an answer's description: a paragraph each, which begins with the code. */
export function codesOf(description: string): { code: string; meaning: string }[] {
  return description.split("\n\n").flatMap((paragraph) => {
    const [, code, meaning] = /^`(\w+)`: (.*)$/s.exec(paragraph) ?? [];
    return code && meaning !== undefined ? [{ code, meaning }] : [];
  });
}
