import { expect, test } from "vitest";
import type { AppInfo, FieldInfo, Json, ModelInfo } from "../api/types";
import { cellsOf, examplesOf, isSame, seen, shown, shownOf, whole } from "./rows";

function field(name: string, more: Partial<FieldInfo> = {}): FieldInfo {
  return { name, datatype: "FP32", shape: [], ...more };
}

const FIELDS = [
  field("area"),
  field("rooms"),
  field("age", { nullable: true }),
  field("city", { datatype: "BYTES" }),
];

function model(
  app: Partial<AppInfo> = {},
  examples: Json[] = [],
  names: (string | null)[] = [],
): ModelInfo {
  const shownByItself = FIELDS.map(({ name }) => name).filter(
    (name) => !Object.hasOwn(app.fixed ?? {}, name),
  );
  const unused = { runtime: "", digest: "", inputs: [], outputs: [], notes: [], warnings: [] };
  return {
    ...{ name: "m", version: "1", state: "READY", reason: null, aliases: [] },
    ...{ title: null, description: null, ...unused },
    fields: FIELDS,
    example: { area: 1, rooms: 2, age: 3, city: "Oslo" },
    examples,
    example_names: names,
    app: {
      ...{ title: null, description: null, colour: null, public: false },
      ...{ inputs: shownByItself, fixed: {}, ...app },
    },
  };
}

const FEW = { inputs: ["rooms", "area"], fixed: { city: "Rome" } };

test("the page shows what its owner lists, in that order", () => {
  expect(shown(model(FEW)).map(({ name }) => name)).toEqual(["rooms", "area"]);
  expect(shown(model())).toEqual(FIELDS);
});

test("a request has the fixed values, and null for what is hidden", () => {
  expect(whole(model(FEW), { area: 50, rooms: 2 })).toEqual({
    area: 50,
    rooms: 2,
    age: null,
    city: "Rome",
  });
});

test("a request has the names in the model's order", () => {
  expect(Object.keys(whole(model(FEW), { rooms: 2, area: 50 }))).toEqual([
    "area",
    "rooms",
    "age",
    "city",
  ]);
});

test("what is given under a fixed or a hidden name is not sent", () => {
  const given = { area: 50, rooms: 2, age: 9, city: "Oslo", other: 1 };
  expect(whole(model(FEW), given)).toEqual({ area: 50, rooms: 2, age: null, city: "Rome" });
  expect(shownOf(model(FEW), given)).toEqual({ area: 50, rooms: 2 });
});

test("what has to be given yet is left out", () => {
  expect(whole(model(), { area: 50 })).toEqual({ area: 50, age: null });
});

test("a name that every object has is fixed only where its owner says so", () => {
  const odd = { ...model(), fields: [field("constructor")] };
  odd.app = { ...odd.app, inputs: ["constructor"] };
  expect(whole(odd, { constructor: 3 as never })).toEqual({ constructor: 3 });
});

test("an example fills in what is shown, and keeps its name", () => {
  const examples = [{ area: 1, rooms: 2, age: 3, city: "Oslo" }, "no row", { area: 9 }];
  expect(examplesOf(model(FEW, examples, ["Small", null, null]))).toEqual([
    { row: { area: 1, rooms: 2 }, name: "Small" },
    { row: { area: 9 }, name: null },
  ]);
});

test("without an owner's examples there is one, which has no name", () => {
  expect(examplesOf(model(FEW))).toEqual([{ row: { area: 1, rooms: 2 }, name: null }]);
});

test("a row of a table gets the fixed values, and nothing for what is hidden", () => {
  const row: Record<string, string> = { rooms: "2", area: "50", age: "7", city: "Oslo" };
  expect(cellsOf(model(FEW), (name) => row[name] ?? "")).toEqual(["50", "2", "", "Rome"]);
});

test("a picture that is fixed is seen with the answer", () => {
  const own = model(FEW);
  expect(seen(own, { area: 1 })).toEqual({ area: 1 });
  const photo = { ...own, fields: [field("photo", { kind: "image", datatype: "BYTES" })] };
  photo.app = { ...photo.app, fixed: { photo: "iVBORw" } };
  expect(seen(photo, { area: 1 })).toEqual({ area: 1, photo: "iVBORw" });
});

test("rows are the same by their values, not by which objects they are", () => {
  expect(isSame({ area: 1, x: [1, [2]] }, { x: [1, [2]], area: 1 })).toBe(true);
  expect(isSame({ area: 1 }, { area: 2 })).toBe(false);
  expect(isSame({ area: 1 }, {})).toBe(false);
  expect(isSame({}, { x: [1] })).toBe(false);
  expect(isSame({ x: [1] }, { x: [2] })).toBe(false);
});
