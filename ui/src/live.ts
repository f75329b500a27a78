import { useEffect, useRef, useState } from "react";

/** How a page stands with the server: `lost` once it does not answer, until it is live again. */
export type Link = "connecting" | "live" | "paused" | "lost";

/** Events come every second: after so many without one, the connection is as good as lost. */
const SILENT_S = 6;
const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 20;

interface Heard<T> {
  /** A connection stands, for the first time or anew. */
  opened: () => void;
  took: (value: T) => void;
  /** The server answered with something else than events: it may not let the caller in any more. */
  refused: () => void;
}

/** The events of an address while the tab is shown; each is JSON. Nothing is asked for meanwhile. */
export function useEvents<T>(path: string, name: string, heard: Heard<T>): Link {
  const [link, setLink] = useState<Link>("connecting");
  const latest = useRef(heard);
  latest.current = heard;
  useEffect(() => {
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let waitS = FIRST_WAIT_S;
    let hasHeard = false; // anything by the present connection

    function close() {
      clearTimeout(timer);
      source?.close();
      source = undefined;
    }
    function lost() {
      close();
      setLink("lost");
      timer = setTimeout(open, waitS * 1000);
      waitS = Math.min(2 * waitS, LONGEST_WAIT_S);
    }
    function watch() {
      clearTimeout(timer);
      timer = setTimeout(lost, SILENT_S * 1000);
    }
    function open() {
      close();
      hasHeard = false;
      const own = new EventSource(path);
      source = own;
      watch();
      own.addEventListener("open", () => {
        watch();
        latest.current.opened();
      });
      own.addEventListener(name, (event) => {
        waitS = FIRST_WAIT_S;
        hasHeard = true;
        watch();
        setLink("live");
        latest.current.took(JSON.parse((event as MessageEvent<string>).data) as T);
      });
      own.addEventListener("error", () => {
        const isRefused = own.readyState === EventSource.CLOSED;
        // The server ends each connection after a while, and where keys change; else the next fails.
        if (hasHeard && !isRefused) return open();
        lost();
        if (isRefused) latest.current.refused();
      });
    }
    function turn() {
      if (document.hidden) {
        close();
        setLink("paused");
      } else {
        waitS = FIRST_WAIT_S;
        setLink("connecting");
        open();
      }
    }
    if (document.hidden) setLink("paused");
    else open();
    document.addEventListener("visibilitychange", turn);
    return () => {
      document.removeEventListener("visibilitychange", turn);
      close();
    };
  }, [path, name]);
  return link;
}

/** Calls `act` when a page that was not told what happens is told again. */
export function useReturn(link: Link, act: () => void): void {
  const wasAway = useRef(false);
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    if (link === "lost" || link === "paused") wasAway.current = true;
    if (link !== "live" || !wasAway.current) return;
    wasAway.current = false;
    latest.current();
  }, [link]);
}
