import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";
import * as api from "./api/client";

interface Known {
  /** undefined until the server has said it. */
  session: api.Session | undefined;
  /** Here and in the other tabs, which have the same cookie. */
  set: (session: api.Session) => void;
}

const Context = createContext<Known>({ session: undefined, set: () => {} });

/** Asks who the page calls for: before anything else is asked, and where that was not let in. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [session, setSession] = useState<api.Session>();
  const others = useRef<BroadcastChannel>(undefined);
  useEffect(() => {
    const control = new AbortController();
    const set = setSession;
    const channel = new BroadcastChannel("modelport-session");
    others.current = channel;
    channel.addEventListener("message", () => {
      api.whoAmI(control.signal).then(set, () => {}); // what it asks for next tells what is wrong
    });
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
      channel.close();
      control.abort();
    };
  }, []);
  function set(session: api.Session) {
    setSession(session);
    others.current?.postMessage(null);
  }
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
