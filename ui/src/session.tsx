import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import * as api from "./api/client";

interface Known {
  /** undefined until the server has said it. */
  session: api.Session | undefined;
  set: (session: api.Session) => void;
}

const Context = createContext<Known>({ session: undefined, set: () => {} });

/** Asks who the page calls for: before anything else is asked, and where that was not let in. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [session, set] = useState<api.Session>();
  useEffect(() => {
    const control = new AbortController();
    // A server that cannot say it is asked for models all the same, and tells what is wrong.
    api.whoAmI(control.signal).then(set, () => set(NOBODY));
    let isAsking = false;
    const stop = api.onRefused(() => {
      if (isAsking) return;
      isAsking = true;
      api
        .whoAmI(control.signal)
        .then(set, () => {}) // the refusal itself is shown
        .finally(() => {
          isAsking = false;
        });
    });
    return () => {
      stop();
      control.abort();
    };
  }, []);
  return <Context value={{ session, set }}>{children}</Context>;
}

const NOBODY: api.Session = {
  signed_in: false,
  principal: null,
  role: null,
  needs_key: false,
  csrf: null,
  permissions: [],
  public_apps: [],
};

/** Whether nothing is shown before they sign in, but for what needs no key. */
export const isStranger = (session: api.Session) => session.needs_key && !session.principal;

/** Who the page calls for. */
export const useSession = () => useContext(Context);
