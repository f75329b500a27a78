import { expect, test } from "vitest";
import type { CostCurves, Listed, ModelInfo, ModelTraffic, OwnedModel } from "../../api/types";
import { stateKey, versionsOf } from "./versions";

const listed = (version: string, state = "READY"): Listed => ({
  name: "m",
  version,
  state,
  reason: null,
  aliases: [],
});
const model = { ...listed("10"), digest: "sha256:ab", runtime: "onnx" } as ModelInfo;
const cost = (version: string, placement: string) => ({
  version,
  placement,
  threads: 1,
  curves: [],
});
const traffic = (version: string, state = "READY") =>
  ({ name: "m", version, state, resident_bytes: 9 }) as ModelTraffic;

test("who may only read gets what every reader is told, the newest version first", () => {
  const versions = versionsOf({
    listed: [listed("9"), listed("10")],
    model,
    cost: { versions: [cost("9", "shared"), cost("10", "inline"), cost("10", "shared")] },
    traffic: [traffic("9")],
    owned: undefined,
  } as { cost: CostCurves } & Parameters<typeof versionsOf>[0]);
  expect(versions.map((own) => own.version)).toEqual(["10", "9"]);
  expect(versions[0]).toMatchObject({ digest: "sha256:ab", runtime: "onnx", placement: null });
  expect(versions[1]).toMatchObject({ digest: null, placement: "shared", resident_bytes: 9 });
});

test("an owner gets all versions, those that are not served too", () => {
  const owned = { versions: [{ version: "3", state: "UNLOADED" }] } as OwnedModel;
  const told = { listed: [], model: undefined, cost: undefined, traffic: [] };
  expect(versionsOf({ ...told, owned })).toBe(owned.versions);
});

test("what is served is told apart by states, in whatever order they come", () => {
  const [one, two] = [traffic("1"), traffic("2", "LOADING")];
  expect(stateKey([one, two])).toBe(stateKey([two, one]));
  expect(stateKey([one, two])).not.toBe(stateKey([one, traffic("2")]));
});
