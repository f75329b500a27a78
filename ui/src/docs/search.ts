import { type Api, bodiesOf, type Operation, type Schema } from "./openapi";

/** What a search found; `total` counts those that are left out, too. */
export interface Found {
  operations: Operation[];
  total: number;
}

const MOST = 40;
const DEEPEST = 8;

/** What is searched, made at the first search of a document. */
const indexes = new WeakMap<Api, { operation: Operation; told: string; fields: string }[]>();

/** The operations whose address, words or request's fields have each word of a query. */
export function search(api: Api, query: string): Found {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  let index = indexes.get(api);
  if (!index) {
    index = api.operations.map((operation) => ({
      operation,
      told: [
        ...[operation.method, operation.path, operation.id, operation.group],
        ...[operation.summary, operation.description],
      ]
        .join(" ")
        .toLowerCase(),
      fields: fieldsOf(api, operation).join(" ").toLowerCase(),
    }));
    indexes.set(api, index);
  }
  const hits = index.filter(({ told, fields }) =>
    words.every((word) => told.includes(word) || fields.includes(word)),
  );
  // Those that say it themselves come before those that take a field of that name.
  const rank = (told: string) => Number(!words.every((word) => told.includes(word)));
  hits.sort((a, b) => rank(a.told) - rank(b.told));
  return {
    operations: hits.slice(0, MOST).map(({ operation }) => operation),
    total: hits.length,
  };
}

/** The names of what a request holds; read as they are written, because there may be a million. */
function fieldsOf(api: Api, operation: Operation): string[] {
  const found = new Set<string>();
  const seen = new Set<Schema>();
  const visit = (given: boolean | Schema | undefined, depth: number) => {
    if (typeof given !== "object" || depth > DEEPEST) return;
    const schema = api.resolve<Schema>(given as Schema);
    if (seen.has(schema)) return;
    seen.add(schema);
    for (const [name, inner] of Object.entries(schema.properties ?? {})) {
      found.add(name);
      visit(inner, depth + 1);
    }
    visit(schema.items, depth + 1);
    visit(schema.additionalProperties, depth + 1);
    for (const word of ["prefixItems", "anyOf", "oneOf", "allOf"] as const) {
      for (const inner of schema[word] ?? []) visit(inner, depth + 1);
    }
  };
  for (const [, media] of bodiesOf(api, operation)) visit(media.schema, 0);
  return [...found];
}
