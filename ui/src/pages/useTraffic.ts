import { useEffect, useState } from "react";
import * as figures from "../api/figures";
import type { ModelTraffic } from "../api/types";

/** Cards are read and not watched. */
const EVERY_MS = 30_000;

/** What each version does: as the page is opened, and now and then while it is shown. */
export function useTraffic(): ModelTraffic[] | undefined {
  const [traffic, setTraffic] = useState<ModelTraffic[]>();
  useEffect(() => {
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
  }, []);
  return traffic;
}
