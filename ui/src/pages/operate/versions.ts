import type {
  CostCurves,
  Listed,
  ModelInfo,
  ModelTraffic,
  OwnedModel,
  OwnedVersion,
} from "../../api/types";

/** A version as far as whoever looks may know it. */
export type Known = Pick<
  OwnedVersion,
  | "version"
  | "state"
  | "reason"
  | "aliases"
  | "digest"
  | "runtime"
  | "placement"
  | "placement_reason"
  | "instances"
  | "resident_bytes"
  | "evictions"
  | "created"
  | "metrics"
>;

/** The versions of a model, the newest first: from its owner's view where there is one, else from
 * what every reader is told. */
export function versionsOf(told: {
  listed: Listed[];
  model: ModelInfo | undefined;
  cost: CostCurves | undefined;
  traffic: ModelTraffic[];
  owned: OwnedModel | undefined;
}): Known[] {
  const { listed, model, cost, traffic, owned } = told;
  if (owned) return owned.versions;
  return [...listed].sort(newest).map((own) => {
    const isLoaded = model?.version === own.version;
    return {
      version: own.version,
      state: own.state,
      reason: own.reason,
      aliases: own.aliases,
      digest: isLoaded ? (model.digest ?? null) : null,
      runtime: isLoaded ? (model.runtime ?? null) : null,
      placement: placementOf(cost, own.version),
      placement_reason: null,
      instances: null,
      resident_bytes: traffic.find((each) => each.version === own.version)?.resident_bytes ?? 0,
      evictions: 0,
      created: null,
      metrics: {},
    };
  });
}

/** Where it ran when it was measured; unknown where that was in both places. */
function placementOf(cost: CostCurves | undefined, version: string): Known["placement"] {
  const places = new Set(
    cost?.versions.filter((own) => own.version === version).map((own) => own.placement),
  );
  const [only] = places;
  return places.size === 1 && (only === "inline" || only === "shared") ? only : null;
}

export function newest(one: { version: string }, other: { version: string }): number {
  return other.version.localeCompare(one.version, "en", { numeric: true });
}

/** What tells that something else is served than before. */
export function stateKey(traffic: ModelTraffic[]): string {
  return traffic
    .map((own) => `${own.version}=${own.state}`)
    .sort()
    .join();
}
