import type { Listed } from "../api/types";

/** Of each name the version that its plain address means: the latest that is served, by number. */
export function served(all: Listed[]): Listed[] {
  const byName = new Map<string, Listed>();
  for (const model of all) {
    const known = byName.get(model.name);
    if (!known || isBetter(model, known)) byName.set(model.name, model);
  }
  return [...byName.values()].sort((a, b) => (a.title ?? a.name).localeCompare(b.title ?? b.name));
}

function isBetter(one: Listed, other: Listed): boolean {
  const latest = (model: Listed) => Number(model.aliases.includes("latest"));
  const works = (model: Listed) => Number(!["FAILED", "UNLOADED"].includes(model.state));
  return (
    (latest(one) - latest(other) ||
      works(one) - works(other) ||
      Number(one.version) - Number(other.version)) > 0
  );
}
