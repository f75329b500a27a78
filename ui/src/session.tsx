import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useState,
} from "react";
import * as api from "./api/client";

interface Known {
  /** undefined until the server has said it. */
  session: api.Session | undefined;
  /** Here and in the other tabs, which have the same cookie. */
  set: (session: api.Session) => void;
  /** Ask the server anew; where it does not answer, what was known stays. */
  ask: () => void;
}

const Context = createContext<Known>({ session: undefined, set: () => {}, ask: () => {} });

/** Asks who the page calls for: before anything else is asked, and where that was not let in. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [session, setSession] = useState<api.Session>();
  const question = useRef<AbortController>(undefined);
  const others = useRef<BroadcastChannel>(undefined);

  /** In place of a question that is under way, whose answer may be of before. */
  const ask = useCallback(() => {
    question.current?.abort();
    const own = new AbortController();
    question.current = own;
    api.whoAmI(own.signal).then(setSession, () => {
      // A server that cannot say it is asked for models all the same, and tells what is wrong.
      if (!own.signal.aborted) setSession((known) => known ?? NOBODY);
    });
  }, []);

  const set = useCallback((told: api.Session) => {
    question.current?.abort();
    setSession(told);
    others.current?.postMessage(null);
  }, []);

  useEffect(() => {
    const channel = new BroadcastChannel("modelport-session");
    others.current = channel;
    channel.addEventListener("message", ask);
    ask();
    const stop = api.onRefused(ask);
    return () => {
      stop();
      channel.close();
      question.current?.abort();
    };
  }, [ask]);
  return <Context value={{ session, set, ask }}>{children}</Context>;
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
