import { expect, test } from "vitest";
import type { Json } from "../api/types";
import { bodyFile, codes, type Written } from "./code";
import { type Doc, type Operation, read } from "./openapi";
import { drafted, kindOf, partsOf, type Request, requestOf, settable } from "./request";

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";

const doc: Doc = {
  info: { title: "Modelport", version: "1" },
  paths: {
    "/models/photos/predict": {
      post: {
        operationId: "predict_photos",
        parameters: [{ $ref: "#/components/parameters/X-Priority" }],
        requestBody: {
          content: {
            "application/json": { example: { photo: PIXEL, size: 2 } },
            "multipart/form-data": {
              schema: {
                properties: {
                  photo: { contentMediaType: "image/*" },
                  size: { type: "integer" },
                  note: { type: "string" },
                },
                required: ["photo", "size"],
              },
            },
          },
        },
      },
    },
    "/models/words/predict": {
      post: {
        operationId: "predict_words",
        requestBody: {
          content: {
            "application/json": { example: { text: "it's good" } },
            "text/plain": { schema: { type: "string" } },
            "text/csv": { example: "text\nit's good\n" },
            "image/*": {},
          },
        },
      },
    },
    "/models/{name}/versions/{version}": {
      get: {
        operationId: "version",
        parameters: [
          { name: "name", in: "path", required: true, schema: { enum: ["photos", "words"] } },
          { name: "version", in: "path", required: true, schema: { type: "string" } },
          { name: "full", in: "query", schema: { type: "boolean" } },
          { name: "X-CSRF-Token", in: "header", schema: { type: "string" } },
        ],
      },
    },
    "/admin/keys/{id}": { delete: { operationId: "revoke", parameters: [idOf()] } },
  },
  components: {
    parameters: {
      "X-Priority": { name: "X-Priority", in: "header", schema: { enum: ["low", "high"] } },
    },
  },
};

function idOf() {
  return { name: "id", in: "path" as const, required: true, schema: { type: "string" } };
}

const api = read(doc);

function operation(id: string): Operation {
  const found = api.operations.find((each) => each.id === id);
  if (!found) throw new Error(`no operation ${id}`);
  return found;
}

function asked(id: string, change: Partial<ReturnType<typeof drafted>> = {}, example?: Json) {
  const draft = { ...drafted(api, operation(id), example), ...change };
  return requestOf(api, operation(id), draft);
}

function code(request: Request, rest: Partial<Written> = {}) {
  return codes({ request, origin: "http://127.0.0.1:8080", key: "none", answer: "json", ...rest });
}

test("media types are edited as what they are", () => {
  const media = ["application/json", "text/csv", "multipart/form-data", "image/*"];
  expect([...media, "application/x-npy", "application/problem+json"].map(kindOf)).toEqual([
    ...["json", "text", "form", "file", "file", "json"],
  ]);
});

test("the first draft is the example in every form", () => {
  const draft = drafted(api, operation("predict_photos"));
  expect(JSON.parse(draft.bodies["application/json"] ?? "")).toEqual({ photo: PIXEL, size: 2 });
  expect(draft.files["multipart/form-data/photo"]).toMatchObject({
    name: "example.png",
    type: "image/png",
  });
  expect(draft.parts).toEqual({ size: "2" });
  const words = drafted(api, operation("predict_words"));
  expect(words.bodies["text/plain"]).toBe("it's good");
  expect(words.bodies["text/csv"]).toBe("text\nit's good\n");
  expect(words.files).toEqual({}); // a text is no picture
});

test("an example of another operation is taken where it is given", () => {
  const { request } = asked("predict_words", {}, { text: "other" });
  expect(request.body).toMatchObject({ text: '{"text": "other"}' });
});

test("parameters are put where they belong, and what the page knows is not asked for", () => {
  expect(settable(api, operation("version")).map((each) => each.name)).toEqual([
    ...["name", "version", "full"],
  ]);
  const values = { "path/name": "photos", "path/version": "a/b", "query/full": "true" };
  const { request, problems } = asked("version", { values });
  expect(request.path).toBe("/models/photos/versions/a%2Fb?full=true");
  expect(problems).toEqual({});
  const first = asked("version");
  expect(first.request.path).toBe("/models/photos/versions/1");
  const fixed = { ...operation("version"), fixed: { name: "words" } };
  expect(settable(api, fixed).map((each) => each.name)).toEqual(["version", "full"]);
  expect(requestOf(api, fixed, drafted(api, fixed)).request.path).toBe("/models/words/versions/1");
});

test("what is missing or no JSON is said of its control", () => {
  expect(asked("revoke").problems).toEqual({ "path/id": "docs.try.missing" });
  const bodies = { "application/json": '{"a": }' };
  expect(asked("predict_words", { bodies }).problems).toEqual({ body: "docs.try.notJson" });
  expect(asked("predict_words", { media: "image/*" }).problems).toEqual({
    body: "docs.try.noFile",
  });
  const media = "multipart/form-data";
  expect(asked("predict_photos", { media, parts: {}, files: {} }).problems).toEqual({
    "part/photo": "docs.try.missing",
    "part/size": "docs.try.missing",
  });
  const values = { "header/X-Priority": "höch" };
  expect(asked("predict_photos", { values }).problems).toEqual({
    "header/X-Priority": "docs.try.notAscii",
  });
});

test("code names a file that is still to be chosen", () => {
  const { request } = asked("predict_words", { media: "image/*" });
  expect(code(request).curl).toContain(
    "-H 'Content-Type: image/png' \\\n  --data-binary @input.png",
  );
  const media = "multipart/form-data";
  const form = asked("predict_photos", { media, files: {} });
  expect(code(form.request).curl).toContain("-F 'photo=@input.png;type=image/png'");
});

test("a form has a part for each field that is filled in", () => {
  const { request, problems } = asked("predict_photos", { media: "multipart/form-data" });
  expect(problems).toEqual({});
  expect(request.body).toMatchObject({ kind: "form" });
  const parts = request.body.kind === "form" ? request.body.parts : [];
  expect(parts.map(([name, value]) => [name, typeof value])).toEqual([
    ["photo", "object"],
    ["size", "string"],
  ]);
  expect(partsOf(api, { schema: { properties: { a: { format: "binary" } } } })).toMatchObject([
    { name: "a", file: "*/*" },
  ]);
});

test("a prediction is written with our client, and with others where that says less", () => {
  const { request } = asked("predict_words");
  const made = code(request);
  expect(made.curl).toBe(
    [
      "curl http://127.0.0.1:8080/models/words/predict \\",
      "  -H 'Content-Type: application/json' \\",
      `  --data-raw '{"text": "it'\\''s good"}'`,
    ].join("\n"),
  );
  expect(made.python).toContain('client.predict("words", {"text": "it\'s good"})');
  expect(made.javascript).toContain('body: JSON.stringify({"text": "it\'s good"}),');
  const low: Request = { ...request, headers: [["X-Priority", "low"]] };
  expect(code(low).python).toContain('headers={"X-Priority": "low"}');
  expect(code(low).python).toContain('json={"text": "it\'s good"}');
});

test("texts keep their lines", () => {
  const made = code(asked("predict_words", { media: "text/csv" }).request, { answer: "text" });
  expect(made.curl).toContain(`--data-raw 'text\nit'\\''s good\n'`);
  expect(made.python).toContain('content="text\\nit\'s good\\n"');
  expect(made.python).toContain('"Content-Type": "text/csv"');
  expect(made.javascript).toContain('body: "text\\nit\'s good\\n"');
});

test("files and forms are read from where they lie", () => {
  const form = code(asked("predict_photos", { media: "multipart/form-data" }).request);
  expect(form.curl).toContain("-F 'photo=@example.png;type=image/png'");
  expect(form.curl).toContain("--form-string size=2");
  expect(form.curl).not.toContain("Content-Type");
  expect(form.python).toContain('"size": (None, "2"),');
  expect(form.javascript).toContain('import { readFile } from "node:fs/promises";');
  const file = new File(["x"], "my cat.png", { type: "image/png" });
  const body = { kind: "file", media: "image/png", file } as const;
  const made = code({ method: "POST", path: "/x", headers: [], body }, { answer: "bytes" });
  expect(made.curl).toContain("--data-binary '@my cat.png' \\\n  -o answer.bin");
  expect(made.python).toContain('content=Path("my cat.png").read_bytes()');
  expect(made.javascript).toContain('await writeFile("answer.bin"');
});

test("a method that is not the usual one is named, and a key only where it is needed", () => {
  const { request } = asked("revoke", { values: { "path/id": "k" } });
  const made = code(request, { key: "needed" });
  expect(made.curl).toBe(
    'curl -X DELETE http://127.0.0.1:8080/admin/keys/k \\\n  -H "Authorization: Bearer $MODELPORT_API_KEY"',
  );
  expect(made.python).toContain("import os");
  expect(made.javascript).toContain('method: "DELETE"');
  const get: Request = { ...request, method: "GET", path: "/models" };
  expect(code(get, { key: "maybe" }).curl).toMatch(/^curl http:\S+\/models\n# Where the server/);
  expect(code({ ...get, method: "POST" }).curl).toContain("-X POST");
  expect(code(get).javascript).not.toContain("method");
});

test("a long body is a file", () => {
  const body = {
    kind: "text",
    media: "application/json",
    text: `["${"x".repeat(30_000)}"]`,
  } as const;
  expect(bodyFile(body)?.name).toBe("request.json");
  const made = code({ method: "POST", path: "/models/words/predict", headers: [], body });
  expect(made.curl).toContain("--data-binary @request.json");
  expect(made.python).toContain('Path("request.json").read_bytes()');
  expect(made.python).toContain('"Content-Type": "application/json"');
  expect(made.javascript).toContain('await readFile("request.json")');
});
