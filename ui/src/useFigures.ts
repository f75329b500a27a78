import { useRef, useState } from "react";
import * as figures from "./api/figures";
import type { Overview } from "./api/types";
import { extended, type Hour, type Look } from "./charts/hour";
import { type Link, useEvents } from "./live";
import { useSession } from "./session";

export interface Figures {
  /** The last look; undefined until the first. */
  overview: Overview | undefined;
  /** The last hour, which each look carries on; undefined until it was loaded. */
  hour: Hour | undefined;
  /** Why it could not be. */
  error: Error | undefined;
  link: Link;
  /** Load the last hour anew. */
  reload: () => void;
}

/** The last hour, and what happens now. */
export function useFigures(load: () => Promise<Hour>, look: (overview: Overview) => Look): Figures {
  const { ask } = useSession();
  const [overview, setOverview] = useState<Overview>();
  const [hour, setHour] = useState<Hour>();
  const [error, setError] = useState<Error>();
  const turn = useRef(0);

  function reload() {
    turn.current += 1;
    const own = turn.current;
    load().then(
      (loaded) => {
        if (own !== turn.current) return;
        setHour(loaded);
        setError(undefined);
      },
      (failure: Error) => {
        if (own === turn.current) setError(failure);
      },
    );
  }

  const link = useEvents<Overview>(figures.EVENTS.path, figures.EVENTS.name, {
    // What happened while nobody listened is in the history, too.
    opened: reload,
    took: (seen) => {
      setOverview(seen);
      setHour((known) => known && extended(known, look(seen)));
    },
    // A session that has ended leads to the page to sign in.
    refused: ask,
  });
  return { overview, hour, error, link, reload };
}

/** When a look saw requests fail or be refused; undefined where it saw none. */
export function failedAt(overview: Overview | undefined): number | undefined {
  return overview && overview.errors_per_s + overview.rejected_per_s > 0 ? overview.at : undefined;
}
