import { expect, test } from "vitest";
import type { Doc, Schema } from "./openapi";
import { groupOf, operationsFor, read, shownPath } from "./openapi";
import { sampleOf, samplesOf } from "./sample";
import { childrenOf, choicesOf, lengthOf, rangeOf, shapeOf } from "./schema";
import { search } from "./search";

const schemas: Record<string, Schema> = {
  Row: {
    title: "one row",
    type: "object",
    properties: {
      area: {
        type: "number",
        minimum: 10,
        maximum: 1000,
        description: "Unit: m².",
        "x-unit": "m²",
      },
      age: { type: ["number", "null"] },
      city: { type: ["string", "null"], enum: ["Oslo", "Rome", null] },
      count: { type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 },
    },
    required: ["area", "age"],
    additionalProperties: false,
  },
  Request: {
    anyOf: [
      { $ref: "#/components/schemas/Row" },
      { title: "records", type: "array", items: { $ref: "#/components/schemas/Row" }, minItems: 1 },
    ],
  },
  Tree: {
    type: "object",
    properties: {
      value: { type: "string" },
      children: { type: "array", items: { $ref: "#/components/schemas/Tree" } },
    },
    required: ["value", "children"],
  },
  Again: { $ref: "#/components/schemas/Again" },
  Base: { type: "object", properties: { id: { type: "string" } }, required: ["id"] },
};

const json = (schema: Schema) => ({ "application/json": { schema } });
const name = { name: "name", in: "path" as const, required: true, schema: { type: "string" } };
const page = { "200": { description: "", content: { "text/html": {} } } };

const doc: Doc = {
  info: { title: "Modelport", version: "1" },
  tags: [
    { name: "price", "x-model": { version: "1", state: "READY" } },
    { name: "access-keys", "x-model": { version: "1", state: "READY" } },
    { name: "Access keys", description: "Who may call." },
    { name: "Open Inference Protocol" },
    { name: "Nothing here" },
  ],
  paths: {
    "/models/price/predict": {
      post: {
        operationId: "predict_price",
        tags: ["price"],
        summary: "House price",
        security: [{ bearer: ["infer"] }, { session: ["infer"] }],
        requestBody: { content: json({ $ref: "#/components/schemas/Request" }) },
      },
    },
    "/v2/models/{name}/infer": {
      post: { operationId: "oip_infer", tags: ["Open Inference Protocol"], parameters: [name] },
    },
    "/apps/{name}": { get: { operationId: "app", tags: ["Untold"], responses: page } },
    "/admin/keys/{id}": { delete: { tags: ["Access keys"], security: [] } },
  },
  components: { schemas },
};

const api = read(doc);
const shape = (schema: Schema) => shapeOf(schema, api.resolve);
const sample = (schema: Schema) => sampleOf(schema, api.resolve);
const named = (component: string): Schema => ({ $ref: `#/components/schemas/${component}` });

test("a document becomes groups, each with an address that no other has", () => {
  expect(api.groups.map(({ name, slug }) => [name, slug])).toEqual([
    ["price", "price"],
    ["access-keys", "access-keys"],
    ["Access keys", "Access keys"],
    ["Open Inference Protocol", "open-inference-protocol"],
    ["Untold", "untold"],
  ]);
  expect(groupOf(api, "open-inference-protocol")?.operations[0]?.id).toBe("oip_infer");
  expect(api.operations.map((each) => [each.permission, each.takesAway])).toEqual([
    ["infer", false],
    [null, false],
    [null, false],
    [null, true],
  ]);
});

test("a model has the addresses of all models with its own name, but for pages", () => {
  const price = groupOf(api, "price");
  if (!price) throw new Error("no group");
  const more = operationsFor(api, price);
  expect(more.map((each) => each.id)).toEqual(["oip_infer"]);
  expect(more.map(shownPath)).toEqual(["/v2/models/price/infer"]);
});

test("operations are found by address, words and the fields that they take", () => {
  const ids = (query: string) => search(api, query).operations.map((each) => each.id);
  expect(ids("infer v2")).toEqual(["oip_infer"]);
  expect(ids("HOUSE")).toEqual(["predict_price"]);
  expect(ids("city")).toEqual(["predict_price"]);
  expect(ids("delete key")).toEqual(["delete_admin_keys_id_"]);
  expect(ids("no such thing")).toEqual([]);
  expect(ids("open")).toEqual(["oip_infer"]);
});

test("a field is read with its range, unit and whether it may be missing", () => {
  const fields = childrenOf(shape(named("Row")));
  const read = fields.map((field) => {
    const inner = shape(field.schema);
    const range = rangeOf(inner.schema);
    return [field.name, field.isRequired, inner.types, inner.mayBeNull, range, inner.unit];
  });
  expect(read).toEqual([
    ["area", true, ["number"], false, "10 … 1000", "m²"],
    ["age", true, ["number"], true, "", ""],
    ["city", false, ["string"], true, "", ""],
    ["count", false, ["integer"], false, "", ""],
  ]);
  expect(choicesOf(fields[2]?.schema ?? {})).toEqual(['"Oslo"', '"Rome"']);
});

test("lists are read down to what they hold", () => {
  const inner: Schema = { type: "array", items: { type: "number" }, minItems: 3, maxItems: 3 };
  const read = shape({ type: "array", items: inner, minItems: 1, description: "A matrix." });
  expect(read.lists.map(lengthOf)).toEqual(["≥ 1", "3"]);
  expect([read.types, read.description]).toEqual([["number"], "A matrix."]);
  const records = shape({ type: "array", items: named("Row") });
  expect([records.component, childrenOf(records).length]).toEqual(["Row", 4]);
});

test("forms are told apart, and a form of null alone is none", () => {
  const forms = childrenOf(shape(named("Request")));
  expect(forms.map(({ kind, schema }) => [kind, shape(schema).title])).toEqual([
    ["form", "one row"],
    ["form", "records"],
  ]);
  const maybe = shape({ oneOf: [named("Row"), { type: "null" }] });
  expect([maybe.mayBeNull, maybe.forms.length, maybe.types]).toEqual([true, 0, ["object"]]);
  expect(shape({ type: "string", nullable: true }).mayBeNull).toBe(true);
});

test("allOf is one object with all that its parts have", () => {
  const all = shape({
    allOf: [named("Base"), { properties: { size: { type: "integer" } }, required: ["size"] }],
  });
  const inner = childrenOf(all).map((child) => [child.name, child.isRequired]);
  expect(inner).toEqual([
    ["id", true],
    ["size", true],
  ]);
});

test("what refers to itself ends", () => {
  expect(shape(named("Again")).types).toEqual([]);
  expect(shape(named("Nowhere")).types).toEqual([]);
  const children = childrenOf(shape(named("Tree"))).find((child) => child.name === "children");
  expect(shape(children?.schema ?? {}).component).toBe("Tree");
  expect(JSON.stringify(sample(named("Tree"))).length).toBeLessThan(2000);
});

test("a made-up example is allowed by its schema", () => {
  expect(sample(named("Request"))).toEqual({ area: 10, age: 0 });
  expect(sample({ enum: ["a", "b"] })).toBe("a");
  expect(sample({ type: "integer", exclusiveMinimum: 0 })).toBe(1);
  expect(sample({ type: "number", maximum: -2 })).toBe(-2);
  expect(sample({ type: "array", items: { type: "boolean" }, minItems: 2 })).toEqual([
    false,
    false,
  ]);
  expect(sample({ type: "array", prefixItems: [{ type: "string" }, { const: 7 }] })).toEqual([
    "",
    7,
  ]);
});

test("examples of the document come first, and nothing is made up for any value", () => {
  const made = samplesOf({ example: { a: 1 }, schema: named("Row") }, api.resolve);
  expect(made).toEqual([{ name: "", value: { a: 1 } }]);
  expect(samplesOf({ examples: { one: { value: 1, summary: "One" } } }, api.resolve)).toEqual([
    { name: "One", value: 1 },
  ]);
  expect(samplesOf({ schema: { description: "Anything." } }, api.resolve)).toEqual([]);
});
