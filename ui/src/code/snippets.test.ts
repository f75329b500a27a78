import { expect, test } from "vitest";
import type { FieldInfo, ModelInfo, TensorInfo } from "../api/types";
import { word } from "./printer";
import { requestFiles, snippets } from "./snippets";
import { hasMissing, tensors } from "./tensors";

const AT = "http://127.0.0.1:8080";
const LONG = `iVBORw0KGgo${"A".repeat(3001)}`;

function field(name: string, rest: Partial<FieldInfo> = {}): FieldInfo {
  return { name, datatype: "FP32", shape: [], ...rest };
}

function model(inputs: TensorInfo[], fields: FieldInfo[], name = "m"): ModelInfo {
  return {
    name,
    version: "1",
    state: "ready",
    reason: null,
    aliases: [],
    title: null,
    description: null,
    runtime: "onnx",
    digest: "",
    inputs,
    outputs: [],
    fields,
    example: null,
    examples: [],
    example_names: [],
    app: { title: null, description: null, inputs: [], fixed: {}, colour: null, public: false },
    notes: [],
    warnings: [],
  };
}

const input = (name: string, shape: number[], datatype: TensorInfo["datatype"] = "FP32") => ({
  name,
  datatype,
  shape,
});
const image = field("photo", { kind: "image", datatype: "BYTES", replaces: ["pixels"] });

test("a row of columns is the same request in each language", () => {
  const m = model([input("x", [-1, 2])], [field("a"), field("b", { nullable: true })], "my model");
  const made = snippets(m, AT, { a: 1.5, b: 2 }, "canary");
  expect(made.curl).toBe(
    [
      "curl http://127.0.0.1:8080/models/my%20model/versions/canary/predict \\",
      "  -H 'content-type: application/json' \\",
      `  -d '{"a": 1.5, "b": 2}'`,
      '# Where the server needs a key, add: -H "authorization: Bearer $KEY"',
    ].join("\n"),
  );
  expect(made.python).toContain('client.predict("my model", {"a": 1.5, "b": 2}, version="canary")');
  expect(made.javascript).toContain('body: JSON.stringify({"a": 1.5, "b": 2}),');
  expect(made.oip).toContain(`${AT}/v2/models/my%20model/versions/canary/infer`);
  expect(made.oip.replace(/\s+/g, "")).toContain(
    '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1.5,2]}]}',
  );
  expect(requestFiles(m, { a: 1.5, b: 2 })).toEqual([]);
});

test("texts with quotes are safe, and Python has its own words", () => {
  expect(word("it's $HOME `x` \\")).toBe("'it'\\''s $HOME `x` \\'");
  const m = model(
    [input("t", [-1], "BYTES"), input("on", [-1], "BOOL")],
    [field("t", { datatype: "BYTES" }), field("on", { datatype: "BOOL" }), field("n")],
  );
  const made = snippets(m, AT, { t: 'it\'s "so"\n', on: true, n: null });
  expect(made.curl).toContain(`-d '{"t": "it'\\''s \\"so\\"\\n", "on": true, "n": null}'`);
  expect(made.python).toContain('{"t": "it\'s \\"so\\"\\n", "on": True, "n": None}');
});

test("a lone picture is sent as a file where its text is long", () => {
  const m = model([input("pixels", [-1, 3, 8, 8])], [image]);
  const made = snippets(m, AT, { photo: LONG });
  expect(made.curl).toContain("-H 'content-type: image/png' \\\n  --data-binary @picture.png");
  expect(made.python).toContain('client.predict("m", {"photo": Path("picture.png")})');
  expect(made.javascript).toContain('body: await readFile("picture.png"),');
  expect(made.oip).toContain('"data": ["%s"]');
  expect(made.oip).toContain("\"$(base64 < picture.png | tr -d '\\n')\" |\ncurl");
  expect(Object.values(made).join("")).not.toContain("AAAA");
  expect(snippets(m, AT, { photo: "iVBORw0KGgo=" }).curl).toContain('"photo": "iVBORw0KGgo="');
});

test("a picture beside other fields is sent in a form", () => {
  const m = model(
    [input("pixels", [-1, 3, 8, 8]), input("words", [-1], "BYTES"), input("k", [-1, 1])],
    [image, field("words", { datatype: "BYTES" }), field("k")],
  );
  const made = snippets(m, AT, { photo: LONG, words: "@it's 100%", k: 3 });
  expect(made.curl).toContain("-F photo=@photo.png \\\n");
  expect(made.curl).toContain("--form-string 'words=@it'\\''s 100%' \\\n");
  expect(made.curl).toContain("--form-string k=3\n");
  expect(made.javascript).toContain('(await readFile("photo.png")).toString("base64")');
  expect(made.oip).toContain("100%%");
});

test("a long request is read from a file", () => {
  const m = model([input("x", [-1, 9000])], [field("x", { shape: [9000] })]);
  const x = Array(9000).fill(0.25);
  const made = snippets(m, AT, { x });
  expect(made.curl).toContain("--data-binary @request.json");
  expect(made.python).toContain(
    'client.predict("m", json.loads(Path("request.json").read_bytes()))',
  );
  expect(made.javascript).toContain('body: await readFile("request.json"),');
  expect(made.oip).toContain("--data-binary @tensors.json");
  const [request, body] = requestFiles(m, { x });
  expect(JSON.parse(request?.text ?? "")).toEqual({ x });
  expect(JSON.parse(body?.text ?? "").inputs[0].shape).toEqual([1, 9000]);
});

test("tensors have the shapes that the model takes", () => {
  const inputs = [
    input("ids", [-1, -1], "INT64"),
    input("mask", [-1, -1], "INT64"),
    input("grid", [-1, 2, 2]),
    input("one", [-1, 1]),
    input("table", [-1, 1, 2]),
    input("still", [1, 2]),
  ];
  const m = model(inputs, [
    field("ids", { datatype: "INT64", shape: [-1] }),
    field("grid", { shape: [2, 2] }),
    field("one"),
    field("a"),
    field("b"),
    field("still", { shape: [1, 2] }),
  ]);
  const grid = [
    [1, 2],
    [3, 4],
  ];
  const found = tensors(m, { ids: [5, 6, 7], grid, one: 9, a: 1, b: null, still: [1, 2] });
  expect(found.map(({ name, shape }) => [name, shape])).toEqual([
    ["ids", [1, 3]],
    ["grid", [1, 2, 2]],
    ["one", [1, 1]],
    ["table", [1, 1, 2]],
    ["still", [1, 2]],
  ]);
  expect(found[3]?.data).toEqual([1, null]);
  expect(hasMissing(found)).toBe(true);
  expect(tensors(m, { grid: [grid, grid], a: [1, 2], b: [3, 4] })).toMatchObject([
    { name: "grid", shape: [2, 2, 2] },
    { name: "table", shape: [2, 1, 2], data: [1, 3, 2, 4] },
  ]);
});

test("what stands in place of tensors has its own name, unless the tensor itself is given", () => {
  const own = field("x", { kind: "image", datatype: "BYTES", replaces: ["x"] });
  const m = model(
    [input("x", [-1, 2]), input("table", [-1, 3])],
    [
      own,
      field("city", { kind: "category", datatype: "BYTES", replaces: ["table"], nullable: true }),
      field("age", { kind: "column", replaces: ["table"] }),
    ],
  );
  expect(tensors(m, { x: "AAAA", city: null, age: 3 })).toEqual([
    { name: "x", datatype: "BYTES", shape: [1], data: ["AAAA"] },
    { name: "city", datatype: "BYTES", shape: [1], data: [""] },
    { name: "age", datatype: "FP32", shape: [1], data: [3] },
  ]);
  expect(tensors(m, { x: [1, 2], table: [1, 2, 3] })).toEqual([
    { name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] },
    { name: "table", datatype: "FP32", shape: [1, 3], data: [1, 2, 3] },
  ]);
});
