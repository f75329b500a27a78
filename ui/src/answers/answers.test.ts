import { expect, test } from "vitest";
import type { FieldInfo, ModelInfo, OutputInfo } from "../api/types";
import { asked, fileText, mediaType } from "./asked";
import { colours, rgb } from "./colours";
import { cosine, isLabel, norm, percent, ranked, readable, shortened, sparkline } from "./numbers";
import { parts, pieces } from "./parts";
import { grayPng } from "./png";
import { pretty } from "./pretty";
import { answerTable, csv, joined, manyRows } from "./table";

const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";

function output(name: string, rest: Partial<OutputInfo> = {}): OutputInfo {
  return { name, datatype: "FP32", shape: [-1], kind: "value", ...rest };
}

function field(name: string, rest: Partial<FieldInfo> = {}): FieldInfo {
  return { name, datatype: "FP32", shape: [], ...rest };
}

function model(fields: FieldInfo[], outputs: OutputInfo[]): ModelInfo {
  return {
    name: "m",
    version: "1",
    state: "ready",
    reason: null,
    aliases: [],
    title: null,
    description: null,
    runtime: "onnx",
    digest: "",
    inputs: [],
    outputs,
    fields,
    example: null,
    examples: [],
    example_names: [],
    app: { title: null, description: null, inputs: [], fixed: {}, colour: null, public: false },
    notes: [],
    warnings: [],
  };
}

const views = (m: ModelInfo, request: Parameters<typeof parts>[1], answer: object) =>
  parts(m, request, answer as Parameters<typeof parts>[2]).map((p) => [p.name, p.shown.view]);

test("a classifier's prediction and probabilities are one part, and other outputs follow", () => {
  const m = model(
    [],
    [
      output("label", { kind: "label" }),
      output("p", { kind: "probabilities" }),
      output("embedding"),
    ],
  );
  const answer = { prediction: "a", probabilities: { a: 0.9, b: null }, embedding: [1, 2] };
  expect(views(m, {}, answer)).toEqual([
    ["prediction", "classes"],
    ["embedding", "vector"],
  ]);
});

test("each kind of a single output has its view", () => {
  const one = (rest: Partial<OutputInfo>, value: unknown, fields: FieldInfo[] = [], sent = {}) =>
    parts(model(fields, [output("y", rest)]), sent, { prediction: value as never })[0]?.shown;
  expect(one({}, 1.8)).toEqual({ view: "number", value: 1.8 });
  expect(one({}, null)).toEqual({ view: "number", value: null });
  expect(one({}, "x")).toEqual({ view: "text", text: "x" });
  expect(one({}, [1, null])).toEqual({ view: "vector", values: [1, null] });
  expect(one({}, [[1]])?.view).toBe("json");
  expect(one({ kind: "label" }, 3)).toEqual({ view: "classes", prediction: 3, scores: {} });
  expect(one({ kind: "json" }, { a: 1 })?.view).toBe("json");
  const list = [
    { label: "b", score: 0.2 },
    { label: "a", score: 0.8 },
  ];
  expect(one({ kind: "json" }, list)).toMatchObject({ view: "classes", prediction: "a" });
  const photo = field("photo", { kind: "image", datatype: "BYTES" });
  const box = { left: 1, top: 2, right: 3, bottom: 4 };
  expect(one({ kind: "boxes" }, [{ label: 7, score: 0.5, box }], [photo], { photo: PNG })).toEqual({
    view: "boxes",
    picture: `data:image/png;base64,${PNG}`,
    boxes: [{ label: "7", score: 0.5, box }],
  });
  expect(one({ kind: "boxes" }, [])).toEqual({ view: "boxes", picture: null, boxes: [] });
  const mask = { png: PNG, width: 1, height: 1, parts: { a: 1, b: 0 } };
  expect(one({ kind: "mask" }, mask)).toEqual({ view: "mask", picture: null, mask });
});

test("labels of which several may hold, alone and beside other outputs", () => {
  const tags = output("tags", { kind: "multilabel", threshold: 0.3 });
  const alone = parts(model([], [tags]), {}, { prediction: ["a"], scores: { a: 0.3, b: 0.2 } });
  const shown = { view: "labels", prediction: ["a"], scores: { a: 0.3, b: 0.2 }, threshold: 0.3 };
  expect(alone.map((p) => p.shown)).toEqual([shown]);
  const beside = parts(model([], [tags, output("y")]), {}, { tags: { a: 0.3, b: 0.2 }, y: 1 });
  expect(beside[0]?.shown).toEqual(shown);
});

test("spans are counted in characters, and overlap in pieces", () => {
  const m = model(
    [field("text", { kind: "text", datatype: "BYTES" })],
    [output("entities", { kind: "json", datatype: "BYTES" })],
  );
  const text = "😀 Ada of Oslo";
  const found = [
    { entity: "PER", start: 2, end: 13, score: 0.9, text: "Ada of Oslo" },
    { entity: "LOC", start: 9, end: 13, score: 0.8, text: "Oslo" },
  ];
  const shown = parts(m, { text }, { prediction: found })[0]?.shown;
  if (shown?.view !== "spans") throw new Error("no spans");
  const cut = pieces(text, shown.spans);
  expect(cut.map((p) => p.text)).toEqual(["😀 ", "Ada of ", "Oslo"]);
  expect(cut[2]?.over.map((s) => s.label)).toEqual(["LOC", "PER"]);
  expect(cut[2]?.ending).toHaveLength(2);
  expect(views(m, { text }, { prediction: [{ start: 0, end: 99 }] })).toEqual([
    ["prediction", "json"],
  ]);
});

test("percent says neither none nor all where it is not so", () => {
  expect(percent(0.9731, "en")).toBe("97.3%");
  expect(percent(0, "en")).toBe("0%");
  expect(percent(1, "en")).toBe("100%");
  expect(percent(0.0001, "en")).toBe("<0.1%");
  expect(percent(0.9999, "en")).toBe(">99.9%");
});

test("numbers are grouped, and short", () => {
  expect(readable(1234567, "en")).toBe("1,234,567");
  expect(readable(123456.789, "en")).toBe("123,456.79");
  expect(readable(1.23456789, "en")).toBe("1.23457");
  expect(readable(0.000123456789, "en")).toBe("0.000123457");
  expect(readable(1.5e-9, "en")).toBe("1.5E-9");
  expect(readable(-0.5, "de")).toBe("-0,5");
});

test("scores are ranked, and classes found by their names", () => {
  expect(ranked({ a: 0.1, b: null, c: 0.9, d: 0.1 }).map((r) => r.label)).toEqual([
    "c",
    "a",
    "d",
    "b",
  ]);
  expect(isLabel("1.0", 1)).toBe(true);
  expect(isLabel("True", true)).toBe(true);
  expect(isLabel("a", null)).toBe(false);
});

test("vectors: norm, cosine and a line", () => {
  expect(norm([3, 4])).toBe(5);
  expect(norm([3, null])).toBeNull();
  expect(cosine([1, 0], [2, 0])).toBe(1);
  expect(cosine([1, 0], [0, 2])).toBe(0);
  expect(cosine([1, 2], [-1, -2])).toBeCloseTo(-1);
  expect(cosine([1], [1, 2])).toBeNull();
  expect(cosine([0, 0], [1, 2])).toBeNull();
  expect(sparkline([0, 1], 240, 60)).toBe("M0.0,60.0L240.0,0.0");
  expect(sparkline(Array.from({ length: 1000 }, Math.sin), 240, 60)).not.toContain("NaN");
  expect(sparkline([null], 240, 60)).toBe("");
});

test("colours are seen on white and on dark grey, and stay with their class", () => {
  const light = (part: number) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  for (let at = 0; at < 255; at++) {
    const [r, g, b] = rgb(at).map((part) => light(part / 255)) as [number, number, number];
    const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    expect(1.05 / (luminance + 0.05)).toBeGreaterThan(3);
    expect((luminance + 0.05) / (light(0x24 / 255) + 0.05)).toBeGreaterThan(3);
  }
  const named = colours(["dog"], ["cat", "dog"]);
  expect(named.get("dog")).toBe(colours(["cat", "dog"], ["cat", "dog"]).get("dog"));
});

test("files: media types, base64 in its forms", () => {
  expect(mediaType(PNG)).toEqual({ type: "image/png", ending: "png" });
  expect(mediaType(btoa("\xff\xd8\xff\xe0JFIF"))?.type).toBe("image/jpeg");
  expect(mediaType(btoa("RIFF\0\0\0\0WAVEfmt "))?.type).toBe("audio/wav");
  expect(mediaType(btoa("hello"))).toBeNull();
  expect(mediaType("é")).toBeNull();
  expect(fileText("data:image/png;base64,AA\nBB")).toBe("AABB");
  expect(fileText({ b64: "AABB" })).toBe("AABB");
  expect(fileText(7)).toBeNull();
});

test("what was asked is told in a few words", () => {
  const text = field("text", { kind: "text", datatype: "BYTES" });
  expect(asked(model([text], []), { text: "x".repeat(100) })).toBe(`${"x".repeat(79)}…`);
  expect(asked(model([field("age"), field("sex")], []), { age: 39 })).toBe("age = 39");
  expect(shortened("😀😀", 2)).toBe("😀😀");
});

test("many rows are a table beside what was asked", () => {
  const m = model([field("age"), field("price")], [output("price")]);
  const request = { age: [1, 2], price: [3, 4] };
  const many = manyRows(m, request, {
    prediction: ["a", "b"],
    probabilities: [{ a: 1 }, { a: 0 }],
  });
  expect(many?.answers).toEqual({
    columns: ["prediction", "a"],
    rows: [
      ["a", 1],
      ["b", 0],
    ],
  });
  expect(manyRows(m, { age: 1, price: 2 }, { prediction: [1, 2] })).toBeNull();
  const table = joined(
    { columns: ["price"], rows: [[1]] },
    answerTable({ price: [2], v: [[5, 6]] }),
  );
  expect(table).toEqual({ columns: ["price", "answer.price", "v.0", "v.1"], rows: [[1, 2, 5, 6]] });
});

test("CSV keeps every value, and needs no more than RFC 4180", () => {
  const table = {
    columns: ["a", 'b "c"'],
    rows: [
      ["x,y\n", null],
      ["=1+1", 1e21],
    ],
  };
  const text = csv(table);
  expect(text).toBe('a,"b ""c"""\r\n"x,y\n",\r\n=1+1,1e+21\r\n');
  expect(csv({ columns: ["a"], rows: [[null]] })).toBe('a\r\n""\r\n');
});

test("long lists and texts are cut where they are read", () => {
  const more = (n: number, what: string) => `${n} more ${what}`;
  expect(pretty({ a: 1 }, more)).toBe('{"a": 1}');
  const list = pretty(
    Array.from({ length: 1036 }, (_, at) => at),
    more,
  );
  expect(list).toContain("… 1012 more items");
  expect(pretty("x".repeat(1000), more)).toContain("more characters");
});

test("a mask's PNG gives its numbers, whatever its filters", async () => {
  const lines = [
    [0, 1, 2, 3],
    [1, 1, 1, 1],
    [2, 1, 0, 254],
    [3, 1, 1, 1],
    [4, 1, 1, 1],
  ];
  const { width, height, values } = await grayPng(await png(lines));
  expect([width, height]).toEqual([3, 5]);
  expect([...values]).toEqual([1, 2, 3, 1, 2, 3, 2, 2, 1, 2, 3, 3, 3, 4, 5]);
  await expect(grayPng(btoa("no"))).rejects.toThrow("not a PNG");
});

async function png(lines: number[][]): Promise<string> {
  const packed = new Blob([new Uint8Array(lines.flat())])
    .stream()
    .pipeThrough(new CompressionStream("deflate"));
  const data = [...new Uint8Array(await new Response(packed).arrayBuffer())];
  const head = [0, 0, 0, 3, 0, 0, 0, lines.length, 8, 0, 0, 0, 0];
  const chunk = (kind: string, body: number[]) => [
    ...[0, 0, body.length >> 8, body.length & 255],
    ...[...kind].map((letter) => letter.charCodeAt(0)),
    ...body,
    ...[0, 0, 0, 0],
  ];
  const bytes = [
    ...[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
    ...chunk("IHDR", head),
    ...chunk("IDAT", data.slice(0, 5)),
    ...chunk("IDAT", data.slice(5)),
    ...chunk("IEND", []),
  ];
  return btoa(String.fromCharCode(...bytes));
}
