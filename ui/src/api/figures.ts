/** What a server tells of itself and of its models while they work, and what an admin may change. */

import { call, json } from "./client";
import type { AliasMoved, CostCurves, History, Overview, OwnedModel, RecentError } from "./types";

/** Where an overview comes from every second, as server-sent events of this name. */
export const EVENTS = { path: "/server/events", name: "overview" } as const;

const of = (name: string) => `/models/${encodeURIComponent(name)}`;
const owned = (name: string) => `/admin/models/${encodeURIComponent(name)}`;

export const overview = (signal?: AbortSignal) => json<Overview>("/server/overview", signal);

export const serverHistory = (signal?: AbortSignal) => json<History>("/server/history", signal);

export const modelHistory = (name: string, signal?: AbortSignal) =>
  json<History>(`${of(name)}/history`, signal);

export const cost = (name: string, signal?: AbortSignal) =>
  json<CostCurves>(`${of(name)}/cost`, signal);

const errors = async (path: string, signal?: AbortSignal) =>
  (await json<{ errors: RecentError[] }>(path, signal)).errors;

export const serverErrors = (signal?: AbortSignal) => errors("/server/errors", signal);

export const modelErrors = (name: string, signal?: AbortSignal) =>
  errors(`${of(name)}/errors`, signal);

export const ownedModel = (name: string, signal?: AbortSignal) =>
  json<OwnedModel>(owned(name), signal);

async function change<T>(method: string, path: string, body: object = {}): Promise<T> {
  const response = await call(path, {
    method,
    headers: { "content-type": "application/json" },
    ...(method === "DELETE" ? {} : { body: JSON.stringify(body) }),
  });
  return (await response.json()) as T;
}

const alias = (name: string, which: string) =>
  `${owned(name)}/aliases/${encodeURIComponent(which)}`;

/** Let an alias point to a version; the answer comes once all workers act on it. */
export const promote = (name: string, which: string, version: string) =>
  change<AliasMoved>("POST", alias(name, which), { version });

/** Let it point to the version before. */
export const rollBack = (name: string, which: string) =>
  change<AliasMoved>("POST", `${alias(name, which)}/rollback`);

export const removeAlias = (name: string, which: string) =>
  change<AliasMoved>("DELETE", alias(name, which));

const repository = (name: string) => `/v2/repository/models/${encodeURIComponent(name)}`;

export const load = (name: string) => change<object>("POST", `${repository(name)}/load`);

export const unload = (name: string) => change<object>("POST", `${repository(name)}/unload`);

/** Serve what lies in the repository now. */
export const reload = () => change<{ problems: string[] }>("POST", "/admin/models/reload");
