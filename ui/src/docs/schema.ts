import type { Json } from "../api/types";
import type { Resolve, Schema } from "./openapi";

/** What a schema allows, read so far that one line can say it. */
export interface Shape {
  /** Of a value, or of each element where there are lists around it. */
  schema: Schema;
  /** The component's name, where the schema is one. */
  component: string | null;
  /** Its JSON types but null; none where any value is allowed. */
  types: string[];
  /** The lengths of the lists around it, the outermost first. */
  lists: Length[];
  mayBeNull: boolean;
  title: string;
  description: string;
  unit: string;
  default: Json | undefined;
  isDeprecated: boolean;
  /** Several forms, of which one has to fit. */
  forms: Schema[];
}

/** How many elements a list has. */
export interface Length {
  least: number;
  most: number | null;
}

/** A schema inside a schema. */
export interface Child {
  kind: "property" | "other" | "form" | "place";
  name: string;
  schema: Schema;
  isRequired: boolean;
}

const DEEPEST = 16;

/** Read a schema: references followed, `allOf` put together, lists looked into. */
export function shapeOf(given: Schema, resolve: Resolve): Shape {
  let schema = plain(given, resolve, 0);
  let component = nameOf(given);
  const outer = schema;
  const lists: Length[] = [];
  let mayBeNull = isNullable(schema);
  for (let depth = 0; depth < DEEPEST && isList(schema); depth += 1) {
    lists.push({ least: schema.minItems ?? 0, most: schema.maxItems ?? null });
    const items = typeof schema.items === "object" ? schema.items : {};
    component = nameOf(items) ?? component;
    schema = plain(items, resolve, 0);
    mayBeNull ||= isNullable(schema);
  }
  const told = <K extends keyof Schema>(word: K) => outer[word] ?? schema[word];
  return {
    schema,
    component,
    types: typesOf(schema),
    lists,
    mayBeNull,
    title: told("title") ?? "",
    description: told("description") ?? "",
    unit: told("x-unit") ?? "",
    default: told("default"),
    isDeprecated: told("deprecated") ?? false,
    forms: formsOf(schema),
  };
}

/** What is inside: properties, the forms that it may have, the places of a list. */
export function childrenOf({ schema, forms }: Shape): Child[] {
  const required = new Set(schema.required ?? []);
  const properties = Object.entries(schema.properties ?? {}).map(
    ([name, inner]): Child => ({
      kind: "property",
      name,
      schema: inner,
      isRequired: required.has(name),
    }),
  );
  const others = schema.additionalProperties;
  const inside = (kind: Child["kind"], name: string, inner: Schema): Child => {
    return { kind, name, schema: inner, isRequired: false };
  };
  return [
    ...properties,
    ...(typeof others === "object" && Object.keys(others).length > 0
      ? [inside("other", "", others)]
      : []),
    ...(schema.prefixItems ?? []).map((inner, at) => inside("place", String(at), inner)),
    ...forms.map((inner) => inside("form", inner.title ?? "", inner)),
  ];
}

/** A schema with what its reference and its `allOf` say, one form of several taken where only null is left out. */
function plain(given: Schema, resolve: Resolve, depth: number): Schema {
  const schema = resolve<Schema>(given as Schema);
  if (depth > DEEPEST) return schema;
  if (schema.allOf) {
    const { allOf, ...rest } = schema;
    return allOf
      .map((part) => plain(part, resolve, depth + 1))
      .reduceRight((all, part) => both(part, all), rest);
  }
  const key = schema.anyOf ? "anyOf" : "oneOf";
  const forms = schema[key];
  if (!forms) return schema;
  const resolved = forms.map((form) =>
    form.$ref ? { form, is: resolve<Schema>(form) } : { form, is: form },
  );
  const others = resolved.filter(({ is }) => is.type !== "null");
  const [only] = others;
  if (others.length === 1 && only) {
    const { [key]: _, ...rest } = schema;
    const inner = both(plain(only.form, resolve, depth + 1), rest);
    return others.length < forms.length ? { ...inner, nullable: true } : inner;
  }
  return others.length < forms.length
    ? { ...schema, [key]: others.map(({ form }) => form), nullable: true }
    : schema;
}

/** What two schemas say together; the second has the last word. */
function both(one: Schema, other: Schema): Schema {
  const merged = { ...one, ...other };
  if (one.properties && other.properties) {
    merged.properties = { ...one.properties, ...other.properties };
  }
  if (one.required && other.required) {
    merged.required = [...new Set([...one.required, ...other.required])];
  }
  return merged;
}

function nameOf(schema: Schema): string | null {
  return schema.$ref?.split("/").at(-1) ?? null;
}

function isList(schema: Schema): boolean {
  return typesOf(schema).join() === "array" && !schema.prefixItems;
}

function isNullable(schema: Schema): boolean {
  return schema.nullable === true || [schema.type].flat().includes("null");
}

function typesOf(schema: Schema): string[] {
  const named = [schema.type].flat().filter((type) => type !== undefined && type !== "null");
  if (named.length > 0) return named as string[];
  if (schema.properties) return ["object"];
  if (schema.prefixItems || schema.items) return ["array"];
  const values = schema.const === undefined ? schema.enum : [schema.const];
  const known = values?.filter((value) => value !== null).map((value) => typeof value) ?? [];
  return [...new Set(known)];
}

function formsOf(schema: Schema): Schema[] {
  return schema.anyOf ?? schema.oneOf ?? [];
}

/** The largest numbers that only the machine's type sets are no bound that anybody needs to read. */
const MACHINE = 2 ** 31 - 1;

/** The values between which a number lies, as text; empty where it may be any. */
export function rangeOf(schema: Schema): string {
  const low = schema.exclusiveMinimum ?? schema.minimum;
  const high = schema.exclusiveMaximum ?? schema.maximum;
  const told = (bound: number | undefined) => bound !== undefined && Math.abs(bound) < MACHINE;
  if (!told(low) && !told(high)) return "";
  const at = (bound: number | undefined) => String(Number(bound?.toPrecision(7)));
  if (told(low) && told(high)) {
    const [over, under] = [schema.exclusiveMinimum, schema.exclusiveMaximum];
    return `${over === undefined ? "" : "> "}${at(low)} … ${under === undefined ? "" : "< "}${at(high)}`;
  }
  if (told(low)) return `${schema.exclusiveMinimum === undefined ? "≥" : ">"} ${at(low)}`;
  return `${schema.exclusiveMaximum === undefined ? "≤" : "<"} ${at(high)}`;
}

/** How long a text or list is, as text; empty where it may be of any length. */
export function lengthOf({ least, most }: Length): string {
  if (most !== null && least === most) return String(least);
  if (most !== null) return `${least}…${most}`;
  return least > 0 ? `≥ ${least}` : "";
}

/** The values to choose from, as JSON; null is said elsewhere. */
export function choicesOf(schema: Schema): string[] {
  const values = schema.const === undefined ? (schema.enum ?? []) : [schema.const];
  return values.filter((value) => value !== null).map((value) => JSON.stringify(value));
}
