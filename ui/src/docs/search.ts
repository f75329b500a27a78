import { type Api, bodiesOf, type Operation } from "./openapi";
import { childrenOf, shapeOf } from "./schema";

/** What a search found; `total` counts those that are left out, too. */
export interface Found {
  operations: Operation[];
  total: number;
}

const MOST = 40;
const DEEPEST = 3;

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

/** The names of what a request holds. */
function fieldsOf(api: Api, operation: Operation): string[] {
  const found = new Set<string>();
  const visit = (schema: object, depth: number) => {
    for (const child of childrenOf(shapeOf(schema, api.resolve))) {
      if (child.kind === "property") found.add(child.name);
      if (depth < DEEPEST) visit(child.schema, depth + 1);
    }
  };
  for (const [, media] of bodiesOf(api, operation)) if (media.schema) visit(media.schema, 0);
  return [...found];
}
