import { useEffect, useState } from "react";
import * as figures from "../api/figures";
import type { ModelTraffic } from "../api/types";

/** Cards are read and not watched. */
const EVERY_MS = 30_000;

/** What each version does, for whoever may read it: at first, and now and then while it is shown. */
export function useTraffic(mayRead: boolean): ModelTraffic[] | undefined {
  const [traffic, setTraffic] = useState<ModelTraffic[]>();
  useEffect(() => {
    if (!mayRead) return;
    const control = new AbortController();
    // Models can be used without it; what is wrong with the server, they tell themselves.
    const look = () =>
      figures.overview(control.signal).then(
        (overview) => setTraffic(overview.models),
        () => {},
      );
    void look();
    const timer = setInterval(() => {
      if (!document.hidden) void look();
    }, EVERY_MS);
    return () => {
      control.abort();
      clearInterval(timer);
    };
  }, [mayRead]);
  return traffic;
}
