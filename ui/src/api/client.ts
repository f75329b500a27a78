import type { Doc } from "../docs/openapi";
import type { Answer, Json, Listed, ModelInfo, Row } from "./types";

/** An answer that is no success, in the server's own words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly detail: Record<string, Json>,
    readonly requestId: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

interface ErrorBody {
  error: string;
  code: string;
  detail: Record<string, Json>;
  request_id: string;
}

/** What a change has to say of the session that it comes by; empty where there is none. */
let csrf = "";

/** Ask for any address, as who is signed in or by a key; what answers is given back, whatever it is. */
export function send(path: string, init: RequestInit = {}, key = ""): Promise<Response> {
  const headers = new Headers(init.headers);
  if (key) headers.set("authorization", `Bearer ${key}`);
  else if (csrf && init.method) headers.set("x-csrf-token", csrf);
  return fetch(path, { ...init, headers, credentials: key ? "omit" : "same-origin" });
}

let tellRefused = () => {};

/** Be told when a request was not let in, as when a session has ended; what comes back stops it. */
export function onRefused(tell: () => void): () => void {
  tellRefused = tell;
  return () => {
    tellRefused = () => {};
  };
}

/** Tells who the page calls for; here a refusal is of a key, and not the end of a session. */
const SESSION = "/session";

/** A request of this page; an answer that is no success is raised. */
export async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await send(path, init);
  if (response.ok) return response;
  if (response.status === 401 && path !== SESSION) tellRefused();
  const body = (await response.json().catch(() => null)) as ErrorBody | null;
  throw new ApiError(
    response.status,
    body?.code ?? "UNKNOWN",
    body?.error ?? `${response.status} ${response.statusText}`,
    body?.detail ?? {},
    body?.request_id ?? response.headers.get("x-request-id") ?? "",
  );
}

export async function json<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await call(path, signal ? { signal } : {})).json() as Promise<T>;
}

export const models = (signal?: AbortSignal) => json<Listed[]>("/models", signal);

export const model = (name: string, signal?: AbortSignal) =>
  json<ModelInfo>(`/models/${encodeURIComponent(name)}`, signal);

export const openapi = (signal?: AbortSignal) => json<Doc>("/openapi.json", signal);

/** Who the page calls for. */
export interface Session {
  /** By a cookie, which can be given back. */
  signed_in: boolean;
  principal: string | null;
  role: string | null;
  needs_key: boolean;
  csrf: string | null;
  permissions: string[];
  /** The models whose pages may be used without a key. */
  public_apps: string[];
}

async function session(init: RequestInit = {}): Promise<Session> {
  const found = (await (await call(SESSION, init)).json()) as Session;
  csrf = found.csrf ?? "";
  return found;
}

export const whoAmI = (signal?: AbortSignal) => session(signal ? { signal } : {});

/** Exchange a key, or the token of a link that is good once, for a session. */
export const signIn = (by: { key: string } | { link: string }) =>
  session({
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(by),
  });

export const signOut = () => session({ method: "DELETE" });

/** The address that takes a model's requests, of one version where it is given. */
export function predictPath(name: string, version?: string): string {
  const base = `/models/${encodeURIComponent(name)}`;
  return version ? `${base}/versions/${encodeURIComponent(version)}/predict` : `${base}/predict`;
}

export interface Prediction {
  answer: Answer;
  version: string;
  /** Milliseconds from sending to the last byte, as the caller saw it. */
  tookMs: number;
}

/** Run a model on one row; an aborted signal takes the request back, on the server too. */
export async function predict(
  name: string,
  row: Row,
  options: { version?: string; signal?: AbortSignal } = {},
): Promise<Prediction> {
  const started = performance.now();
  const response = await call(predictPath(name, options.version), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(row),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const answer = (await response.json()) as Answer;
  return {
    answer,
    version: response.headers.get("x-model-version") ?? "",
    tookMs: performance.now() - started,
  };
}

/** Send a table as CSV and get one back. */
export async function predictCsv(name: string, csv: Blob, signal?: AbortSignal): Promise<string> {
  const response = await call(predictPath(name), {
    method: "POST",
    headers: { "content-type": "text/csv", accept: "text/csv" },
    body: csv,
    ...(signal ? { signal } : {}),
  });
  return response.text();
}
