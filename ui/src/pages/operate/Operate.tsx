import { Alert, Code, Skeleton, Stack, Text } from "@mantine/core";
import { useCallback, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import * as api from "../../api/client";
import * as figures from "../../api/figures";
import type { ModelInfo } from "../../api/types";
import { modelHour, modelLook } from "../../charts/hour";
import { useReturn } from "../../live";
import { useSession } from "../../session";
import { failedAt, useFigures } from "../../useFigures";
import { useLoaded } from "../../useLoaded";
import { Errors } from "../Errors";
import { LostAlert } from "../LostAlert";
import { Trouble } from "../Trouble";
import { Aliases } from "./Aliases";
import { Charts } from "./Charts";
import { Cost } from "./Cost";
import { useChanges } from "./changes";
import { Manage } from "./Manage";
import { Versions } from "./Versions";
import { stateKey, versionsOf } from "./versions";

/** About how high the parts will be, in pixels, so that little moves when they come. */
const HEIGHTS = {
  versions: { base: 325, md: 258 },
  aliases: { base: 157, md: 117 },
  charts: { base: 1297, md: 638 },
  cost: { base: 747, md: 421 },
};

const noErrors = async () => undefined;

/** A model for its owner: versions, traffic, cost and errors; and for an admin, how to change them. */
export default function Operate(props: {
  name: string;
  /** What is known of it; undefined where it is not served. */
  model: ModelInfo | undefined;
  /** Something else is served than before. */
  onChange: () => void;
}) {
  const { name, model, onChange } = props;
  const { session } = useSession();
  const isAdmin = session?.permissions.includes("admin") ?? false;
  const listed = useLoaded("models", api.models);
  const cost = useLoaded(`cost ${name}`, (signal) => figures.cost(name, signal));
  const owned = useLoaded(`${isAdmin} ${name}`, (signal) =>
    isAdmin ? figures.ownedModel(name, signal) : noErrors(),
  );
  const { overview, hour, error, link, reload } = useFigures(
    async () => modelHour(await figures.modelHistory(name), name),
    (seen) => modelLook(seen, name),
  );
  const again = useCallback(() => {
    listed.reload();
    cost.reload();
    owned.reload();
    onChange();
  }, [listed.reload, cost.reload, owned.reload, onChange]);
  const changes = useChanges(again);
  useReturn(link, again);
  const isLost = link === "lost";
  // What all readers are told comes first, and would grow once the owner's view is there.
  const isKnown = owned.value || (listed.value && (!isAdmin || owned.error));
  const unknown = owned.error ?? listed.error;

  const traffic = overview?.models.filter((each) => each.name === name) ?? [];
  const state = overview && stateKey(traffic);
  const known = useRef<string>(undefined);
  useEffect(() => {
    // Somebody else may change what is served, and a load may take its time.
    if (state === undefined || state === known.current) return;
    if (known.current !== undefined) again();
    known.current = state;
  }, [state, again]);

  const versions = versionsOf({
    listed: listed.value?.filter((each) => each.name === name) ?? [],
    model,
    cost: cost.value,
    traffic,
    owned: owned.value,
  });
  return (
    <Stack gap="lg">
      <LostAlert link={link} overview={overview} />
      {isAdmin ? (
        <Manage
          name={name}
          changes={changes}
          isThere={versions.some((version) => version.state !== "UNLOADED")}
        />
      ) : (
        <BecomeAdmin />
      )}
      {unknown && !isLost && <Trouble error={unknown} retry={again} />}
      {isKnown && <Versions versions={versions} />}
      {!isKnown && !unknown && <Skeleton h={HEIGHTS.versions} />}
      {owned.value && <Aliases owned={owned.value} changes={changes} />}
      {isAdmin && !owned.value && !owned.error && <Skeleton h={HEIGHTS.aliases} />}
      {error && !hour && !isLost && <Trouble error={error} retry={reload} />}
      {hour && <Charts hour={hour} link={link} />}
      {!hour && !error && !isLost && <Skeleton h={HEIGHTS.charts} />}
      {cost.value && <Cost cost={cost.value} />}
      {!cost.value && !cost.error && <Skeleton h={HEIGHTS.cost} />}
      {isAdmin && (
        <Errors
          load={(signal) => figures.modelErrors(name, signal)}
          of={name}
          failedAt={failedAt(overview)}
          link={link}
        />
      )}
    </Stack>
  );
}

/** What whoever may only use the models has to do, to change them. */
function BecomeAdmin() {
  const { t } = useTranslation();
  return (
    <Alert color="gray" data-testid="needs-admin">
      <Text size="sm" mb={6}>
        {t("operate.manage.needsAdmin")}
      </Text>
      <Code>modelport keys link</Code>
    </Alert>
  );
}
