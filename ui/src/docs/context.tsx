import { createContext, useContext } from "react";
import type { Api } from "./openapi";

interface Shared {
  api: Api;
  /** A key that is typed for this page, and forgotten with it. */
  key: string;
  setKey: (key: string) => void;
  /** Ask for the document anew. */
  reload: () => void;
}

const Context = createContext<Shared | null>(null);

/** What all parts of the documentation have in common. */
export const DocsProvider = Context.Provider;

export function useDocs(): Shared {
  const shared = useContext(Context);
  if (!shared) throw new Error("this belongs inside the documentation");
  return shared;
}
