import { useState } from "react";

/** What became of the last change. */
export type Outcome = { /** Its name. */ what: string } & (
  | { kind: "done"; said: string; problems: string[] }
  | { kind: "failed"; error: Error }
);

export interface Changes {
  /** The name of the change that is under way; empty where none is. */
  busy: string;
  outcome: Outcome | undefined;
  /** Carry one out, and say so afterwards; what it answers may hold problems, a sentence each. */
  make: (
    name: string,
    said: (answer: { version?: string | null }) => string,
    change: () => Promise<{ problems?: string[]; version?: string | null }>,
  ) => Promise<void>;
}

/** Changes of what is served, one after the other; `after` follows each, also one that failed. */
export function useChanges(after: () => void): Changes {
  const [busy, setBusy] = useState("");
  const [outcome, setOutcome] = useState<Outcome>();
  const make: Changes["make"] = async (name, said, change) => {
    setBusy(name);
    setOutcome(undefined);
    try {
      const answer = await change();
      setOutcome({ what: name, kind: "done", said: said(answer), problems: answer.problems ?? [] });
    } catch (error) {
      setOutcome({ what: name, kind: "failed", error: error as Error });
    }
    setBusy("");
    after();
  };
  return { busy, outcome, make };
}
