// The documentation page: openapi.json made readable, and requests that can be tried.
// Text of the document reaches the page as text only: nothing here parses HTML.
"use strict";

const BASE = new URL(".", location.href).href.replace(/\/$/, "");
const SHOWN = 100_000; // characters of an answer; more than that is no reading matter
const byId = (id) => document.getElementById(id);
let api = null;
let key = "";
let csrf = null; // what requests need beside the cookie of whoever signed in

// -- elements

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// Text in which `this` is code.
function words(text) {
  return text.split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part));
}

function table(headings, rows, attributes = {}) {
  const kept = headings.map((_, at) => at === 0 || rows.some((row) => row[at] !== ""));
  const cells = (row, cell) => row.filter((_, at) => kept[at]).map(cell);
  return make("div", { class: "scroll", ...attributes }, make("table", {},
    make("thead", {}, make("tr", {},
      cells(headings, (text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, rows.map((row) => make("tr", {},
      cells(row, (value, at) => (at ? make("td", {}, value) : make("th", { scope: "row" }, value))))))));
}

// -- schemas

function resolve(value) {
  while (value && value.$ref) {
    const { $ref, ...beside } = value;
    const found = $ref.slice(2).split("/").reduce((at, name) => at[name], api);
    value = { ...found, ...beside };
  }
  return value;
}

const first = (schema) => (schema.anyOf ? { ...schema, ...resolve(schema.anyOf[0]) } : schema);

function leafOf(schema) {
  const sizes = [];
  let leaf = first(resolve(schema));
  while (leaf.type === "array") {
    sizes.push(leaf.minItems === leaf.maxItems && leaf.minItems ? leaf.minItems : "?");
    leaf = first(resolve(leaf.items || leaf.prefixItems[0]));
  }
  return { leaf, sizes };
}

const NAMES = { string: "text", boolean: "true or false", integer: "whole number" };

function typeOf(schema) {
  const { leaf, sizes } = leafOf(schema);
  if (leaf.type === "object" && leaf.properties) return "a number for each class";
  const type = [leaf.type].flat().find((name) => name !== "null") ?? "value";
  return (NAMES[type] ?? type) + (sizes.length ? ` [${sizes.join(" × ")}]` : "");
}

const number = (value) => String(Number(value.toPrecision(7)));

// What a value must be besides its type; bounds that only the machine's number has are left out.
function valuesOf(schema) {
  const { leaf } = leafOf(schema);
  const choices = (leaf.enum ?? []).filter((value) => value !== null);
  if (leaf.type === "object") return Object.keys(leaf.properties ?? {}).join(", ");
  if (choices.length) return choices.map(String).join(", ");
  const told = (bound) => bound !== undefined && Math.abs(bound) < 2 ** 31 - 1;
  const low = told(leaf.minimum) ? number(leaf.minimum) : null;
  const high = told(leaf.maximum) ? number(leaf.maximum) : null;
  if (low !== null && high !== null) return `${low}\u00a0to\u00a0${high}`;
  if (low !== null) return `${low} or more`;
  return high !== null ? `${high} or less` : "";
}

function allowedOf(schema) {
  const mayBeNull = [leafOf(schema).leaf.type].flat().includes("null");
  return [valuesOf(schema), mayBeNull ? "or\u00a0null" : ""].filter(Boolean).join(", ");
}

function named(name, schema) {
  const unit = schema["x-unit"] ? `Unit: ${schema["x-unit"].replace(/\.+$/, "")}.` : "";
  const description = (schema.description ?? "").replace(unit, "").trim(); // it has its own column
  return description ? make("div", {}, name, make("p", { class: "quiet" }, description)) : name;
}

function fieldTable(properties) {
  return table(
    ["Name", "Type", "Unit", "Values"],
    Object.entries(properties).map(([name, schema]) => [
      named(name, schema), typeOf(schema), schema["x-unit"] ?? "", allowedOf(schema),
    ]),
    { class: "scroll long", tabindex: 0, role: "region", "aria-label": "Fields" },
  );
}

function answerTable(properties) {
  return table(
    ["Name", "Type", "Unit", "Values"],
    Object.entries(properties).map(([name, schema]) => [
      named(name, schema), typeOf(schema), schema["x-unit"] ?? "", valuesOf(schema),
    ]),
  );
}

// -- JSON as text: numbers stay as they were written, which JSON.parse would not promise

const tokensOf = (text) => text.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g) ?? [];

function pretty(text) {
  const tokens = tokensOf(text);
  let at = 0;
  const value = (pad) => {
    const token = tokens[at++];
    if (token !== "{" && token !== "[") return token;
    const close = token === "{" ? "}" : "]";
    const parts = [];
    let plain = token === "[";
    while (at < tokens.length && tokens[at] !== close) {
      plain &&= tokens[at] !== "{" && tokens[at] !== "[";
      let part = value(`${pad}  `);
      if (tokens[at] === ":") part += `: ${(at++, value(`${pad}  `))}`;
      parts.push(part);
      if (tokens[at] === ",") at++;
    }
    at++;
    const flat = token + parts.join(", ") + close;
    if (plain || (flat.length + pad.length <= 48 && !flat.includes("\n"))) return flat;
    return `${token}\n${parts.map((part) => `${pad}  ${part}`).join(",\n")}\n${pad}${close}`;
  };
  return tokens.length ? value("") : "";
}

const IN_PYTHON = { true: "True", false: "False", null: "None" };

function python(text) {
  return text.replace(/"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b/g, (part) => IN_PYTHON[part] ?? part);
}

// -- snippets

function curlOf(path, body) {
  return [
    `curl ${BASE}${path} \\`,
    "  -H 'Content-Type: application/json' \\",
    ...(key ? ['  -H "Authorization: Bearer $MODELPORT_API_KEY" \\'] : []),
    `  -d '${body.replaceAll("'", "'\\''")}'`,
  ].join("\n");
}

function pythonOf(name, body) {
  return [
    "from modelport import Client",
    "",
    ...(key ? ["# The key is taken from the environment: MODELPORT_API_KEY."] : []),
    `with Client("${BASE}") as client:`,
    `    print(client.predict("${name}", ${python(body).replaceAll("\n", "\n    ")}))`,
  ].join("\n");
}

async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch { // not offered to pages that came over plain HTTP from another machine
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function snippet(title) {
  const code = make("pre", { tabindex: 0, "aria-label": title });
  const button = make("button", { type: "button", class: "small", onclick: () => copy(code, button) }, "Copy");
  button.setAttribute("aria-label", `Copy: ${title}`);
  const element = make("details", {}, make("summary", {}, title), make("div", { class: "stack" }, code, make("div", {}, button)));
  return { element, write: (text) => { code.textContent = text; } };
}

// -- trying

function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (key) headers.Authorization = `Bearer ${key}`;
  else if (csrf) headers["X-CSRF-Token"] = csrf;
  return fetch(BASE + path, { ...options, headers });
}

function shares(probabilities) {
  const best = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, 8);
  return make("div", { class: "shares" }, best.flatMap(([name, share]) => [
    make("span", {}, name),
    make("progress", { max: 1, value: share ?? 0, "aria-label": name }),
    make("span", { class: "quiet" }, share === null ? "none" : share.toFixed(3)),
  ]));
}

// The answer to one row, large; null where the answer has another form.
function highlight(text, unit) {
  let answer;
  try { answer = JSON.parse(text); } catch { return null; }
  if (answer === null || typeof answer !== "object" || answer.prediction == null) return null;
  if (typeof answer.prediction === "object") return null;
  const exact = /^\{"prediction":("(?:[^"\\]|\\.)*"|[^,}]+)/.exec(text)?.[1];
  const shown = typeof answer.prediction === "string" ? answer.prediction : exact ?? String(answer.prediction);
  const big = make("p", { class: "answer" }, shown, unit ? make("small", {}, ` ${unit}`) : null);
  const graded = answer.probabilities && !Array.isArray(answer.probabilities);
  return make("div", { class: "stack" }, big, graded ? shares(answer.probabilities) : null);
}

async function send(path, body, unit, status, output) {
  status.className = "quiet";
  status.textContent = "Waiting for the answer…";
  output.replaceChildren();
  const started = performance.now();
  try {
    const response = await ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const text = await response.text();
    const version = response.headers.get("x-model-version");
    const facts = [`${response.status} ${response.statusText}`.trim(), `${(performance.now() - started).toFixed(1)} ms`];
    if (version) facts.push(`version ${version}`);
    status.className = response.ok ? "good" : "bad";
    status.textContent = facts.join(" · ");
    show(response.ok, text, unit, output);
  } catch (error) {
    status.className = "bad";
    status.textContent = `No answer: ${error.message}`;
  }
}

function show(ok, text, unit, output) {
  let refusal = null;
  try { refusal = ok ? null : JSON.parse(text).error; } catch { /* not an answer of ours */ }
  const cut = text.length > SHOWN ? `${text.slice(0, SHOWN)}\n… ${text.length - SHOWN} characters more` : pretty(text);
  output.replaceChildren(...[
    ok ? highlight(text, unit) : null,
    refusal ? make("p", { class: "notice bad" }, refusal) : null,
    make("pre", { class: "wrap", tabindex: 0, "aria-label": "Answer" }, cut),
  ].filter(Boolean));
}

function trial(name, path, example, unit) {
  const id = `request-${name}`;
  const start = example === undefined ? "" : pretty(JSON.stringify(example));
  const rows = Math.min(18, Math.max(5, start.split("\n").length + 1));
  const box = make("textarea", { id, rows, spellcheck: "false", autocapitalize: "off", "aria-describedby": `${id}-hint` });
  box.value = start;
  const status = make("p", { class: "quiet", role: "status" });
  const output = make("div", { class: "stack" });
  const button = make("button", { type: "button" }, "Send");
  const curl = snippet("With curl");
  const code = snippet("With Python");
  const write = () => { curl.write(curlOf(path, box.value)); code.write(pythonOf(name, box.value)); };
  const go = async () => {
    button.disabled = true;
    await send(path, box.value, unit, status, output);
    button.disabled = false;
  };
  button.addEventListener("click", go);
  box.addEventListener("input", write);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !button.disabled) go();
  });
  byId("key-form").addEventListener("submit", write);
  write();
  return make("div", { class: "card" },
    make("h3", {}, "Try it"),
    make("label", { for: id, class: "quiet" }, "Request, as JSON"),
    box,
    make("div", { class: "bar" }, button,
      make("span", { id: `${id}-hint`, class: "quiet" }, "or Ctrl + Enter")),
    status, output, curl.element, code.element);
}

// -- models

function formsOf(schema) {
  return (schema.anyOf ?? [schema]).map((form) => resolve(form).title).filter(Boolean);
}

function modelSection(tag) {
  const name = tag.name;
  const { version, state, runtime } = tag["x-model"];
  const id = `model-${name}`;
  const path = `/models/${name}/predict`;
  const operation = api.paths[path]?.post;
  const heading = operation ? headingOf(name, operation) : name;
  const facts = [heading === name ? null : name, `version ${version}`, runtime, state === "READY" ? null : state.toLowerCase()];
  const header = make("header", {},
    make("h2", { id }, heading),
    make("p", { class: "facts" }, facts.filter(Boolean).map((fact) => make("span", {}, fact))));
  const section = make("section", { "aria-labelledby": id }, header);
  if (!operation) {
    header.append(make("p", { class: "notice bad" }, tag.description ?? state));
    return section;
  }
  const told = (tag.description ?? "").replace(operation.summary, "").trim();
  const advice = (operation.description ?? "").split("\n\n").filter((part) => !told.includes(part));
  const said = [told, ...advice].filter(Boolean).join("\n\n");
  if (said) header.append(make("p", { class: "said" }, words(said)));
  section.append(make("div", { class: "columns" },
    make("div", { class: "stack" }, takes(name, operation), gives(name, operation)),
    make("div", { class: "stack" }, trial(name, path, operation.requestBody.content["application/json"].example, unitOf(name)))));
  return section;
}

const headingOf = (name, operation) => (operation.summary === `Predict with ${name}` ? name : operation.summary);
const component = (name) => resolve({ $ref: `#/components/schemas/${name}` });
const unitOf = (name) => first(component(`${name}.Answer`)).properties.prediction?.["x-unit"];

function takes(name, operation) {
  const forms = formsOf(component(`${name}.Request`));
  const media = Object.keys(operation.requestBody.content);
  return make("div", { class: "card" },
    make("h3", {}, "What it takes"),
    fieldTable(component(`${name}.Row`).properties),
    make("p", { class: "quiet" }, `Forms: ${forms.join("; ")}.`),
    make("p", { class: "quiet" }, `Sent as ${media.join(", ")}.`));
}

function gives(name, operation) {
  const answer = component(`${name}.Answer`);
  return make("div", { class: "card" },
    make("h3", {}, "What it answers"),
    answerTable(first(answer).properties),
    answer.anyOf ? make("p", { class: "quiet" }, "Many rows get lists of these.") : null,
    make("details", {}, make("summary", {}, "All answers and errors"), answersOf(operation)));
}

// -- all other addresses

function answersOf(operation) {
  return table(["Status", "Meaning"], Object.entries(operation.responses).map(([status, answer]) => {
    const { description, content } = resolve(answer);
    const media = Object.keys(content ?? {}).join(", ");
    const said = description.split("\n\n").map((part) => make("div", {}, words(part)));
    return [status, make("div", {}, said, status < "300" ? make("p", { class: "quiet" }, media) : null)];
  }));
}

function permissionOf(operation) {
  const roles = operation.security.flatMap((need) => need.bearer ?? []);
  return roles.length ? `Permission: ${roles.join(", ")}.` : "Open to everybody.";
}

function address(path, verb, operation) {
  return make("details", { class: "address" },
    make("summary", {},
      make("span", { class: "verb mono" }, verb.toUpperCase()),
      make("code", {}, path),
      make("span", { class: "quiet" }, operation.summary)),
    make("div", { class: "inside" },
      make("p", { class: "quiet" }, permissionOf(operation)), answersOf(operation)));
}

function group(tag) {
  const found = Object.entries(api.paths).flatMap(([path, verbs]) => Object.entries(verbs)
    .filter(([, operation]) => operation.tags.includes(tag.name))
    .map(([verb, operation]) => address(path, verb, operation)));
  if (!found.length) return null;
  return make("div", { class: "card" }, make("h3", {}, tag.name), make("p", { class: "quiet" }, tag.description), make("div", {}, found));
}

// -- the page

function navigation(models) {
  const link = (target, text) => make("li", {}, make("a", { href: target }, text));
  byId("nav").replaceChildren(make("ul", {},
    models.map((tag) => link(`#model-${tag.name}`, tag.name)), link("#addresses", "All other addresses")));
  document.querySelector(".body").classList.toggle("split", models.length > 1);
}

function render() {
  const models = api.tags.filter((tag) => tag["x-model"]);
  byId("title").textContent = document.title = api.info.title;
  byId("version").textContent = api.info.version;
  navigation(models);
  byId("models").replaceChildren(...models.map(modelSection));
  byId("groups").replaceChildren(...api.tags.filter((tag) => !tag["x-model"]).map(group).filter(Boolean));
  byId("addresses").hidden = false;
  byId("notice").hidden = true;
  if (location.hash) byId(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

function complain(text) {
  const notice = byId("notice");
  notice.hidden = false;
  notice.className = "notice bad";
  notice.textContent = text;
}

async function load() {
  try {
    csrf = (await (await fetch(`${BASE}/session`)).json()).csrf ?? null;
    const response = await ask("/openapi.json");
    const body = await response.json();
    if (!response.ok) throw new Error(body.error ?? response.statusText);
    api = body;
    render();
  } catch (error) {
    complain(`The description of this server could not be read: ${error.message}`);
    byId("key").focus();
  }
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("key").value.trim();
  if (api === null) load();
});
load();
