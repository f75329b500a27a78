import * as client from "../api/client";
import type { Json } from "../api/types";
import { tensors } from "../code/tensors";
import { asRow } from "../share";
import type { Api, Operation } from "./openapi";

/** The example of a model for an address that all models have; undefined where it has its own, or none. */
export async function exampleFor(
  api: Api,
  operation: Operation,
  model: string,
  signal: AbortSignal,
): Promise<Json | undefined> {
  const takes = /\{name\}.*\/(predict|infer)$/.exec(operation.path)?.[1];
  if (!takes || !model) return undefined;
  if (takes === "predict") {
    const own = api.doc.paths[`/models/${model}/predict`]?.post?.requestBody;
    const body = own && api.resolve(own);
    return body && "content" in body ? body.content["application/json"]?.example : undefined;
  }
  try {
    const known = await client.model(model, signal);
    const row = asRow(known.example);
    // The same values as tensors; those cannot be said for a version that is not served.
    return row && known.fields ? { inputs: tensors(known, row) as unknown as Json } : undefined;
  } catch {
    return undefined; // then there is no example, and the model's own page says why
  }
}
