import type { Json } from "../api/types";
import type { Media, Resolve, Schema } from "./openapi";
import { childrenOf, shapeOf } from "./schema";

const DEEPEST = 6;

/** A request to begin with, and its name where there are several. */
export interface Sample {
  name: string;
  value: Json;
}

/** The examples of the document, else one made from the schema. */
export function samplesOf(media: Media, resolve: Resolve): Sample[] {
  const named = Object.entries(media.examples ?? {});
  if (named.length > 0) {
    return named.map(([name, { summary, value }]) => ({ name: summary ?? name, value }));
  }
  if (media.example !== undefined) return [{ name: "", value: media.example }];
  const schema = media.schema && shapeOf(media.schema, resolve).schema;
  if (!media.schema || !schema || Object.keys(schema).every((word) => word === "description")) {
    return []; // of any value, every one would be made up
  }
  return [{ name: "", value: sampleOf(media.schema, resolve) }];
}

/** The plainest value that a schema allows. */
export function sampleOf(given: Schema, resolve: Resolve, depth = 0): Json {
  const shape = shapeOf(given, resolve);
  const { schema } = shape;
  const known = given.example ?? given.default ?? schema.examples?.[0] ?? schema.example;
  if (known !== undefined) return known;
  const value = depth > DEEPEST ? null : one(schema, resolve, depth);
  return shape.lists.reduceRight<Json>(
    (inner, { least, most }) =>
      depth > DEEPEST || most === 0 ? [] : Array<Json>(Math.max(least, 1)).fill(inner),
    value,
  );
}

function one(schema: Schema, resolve: Resolve, depth: number): Json {
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  const [choice] = schema.enum ?? [];
  if (choice !== undefined) return choice;
  const shape = shapeOf(schema, resolve);
  const [form] = shape.forms;
  if (form) return sampleOf(form, resolve, depth + 1);
  switch (shape.types[0]) {
    case "string":
      return schema.minLength ? "x".repeat(schema.minLength) : "";
    case "boolean":
      return false;
    case "integer":
    case "number":
      return number(schema, shape.types[0] === "integer");
    case "array":
      return (schema.prefixItems ?? []).map((inner) => sampleOf(inner, resolve, depth + 1));
    case "object": {
      const inner = childrenOf(shape).filter((child) => child.kind === "property");
      // What may be left out is left out, unless nothing else is there.
      const needed = inner.filter((child) => child.isRequired);
      const told = needed.length > 0 ? needed : inner;
      return Object.fromEntries(
        told.map((child) => [child.name, sampleOf(child.schema, resolve, depth + 1)]),
      );
    }
    default:
      return null;
  }
}

function number(schema: Schema, isWhole: boolean): number {
  const low = schema.minimum ?? schema.exclusiveMinimum;
  const high = schema.maximum ?? schema.exclusiveMaximum;
  const step = isWhole ? 1 : 0.5;
  const isAllowed = (value: number) =>
    value >= (schema.minimum ?? value) &&
    value > (schema.exclusiveMinimum ?? Number.NEGATIVE_INFINITY) &&
    value <= (schema.maximum ?? value) &&
    value < (schema.exclusiveMaximum ?? Number.POSITIVE_INFINITY);
  const ends = [low, high].filter((end) => end !== undefined);
  const near = [0, ...ends, ...ends.flatMap((end) => [end + step, end - step])];
  const middle = ends.reduce((sum, end) => sum + end / ends.length, 0);
  return near.find(isAllowed) ?? (isWhole ? Math.ceil(middle) : middle);
}
