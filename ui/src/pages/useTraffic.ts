import * as figures from "../api/figures";
import type { ModelTraffic } from "../api/types";
import { useAgain } from "../useAgain";
import { useLoaded } from "../useLoaded";

/** Cards are read and not watched. */
export const CARDS_MS = 30_000;

/** What each version does, for whoever may read it: at first, and now and then while it is shown. */
export function useTraffic(mayRead: boolean): ModelTraffic[] | undefined {
  // Models can be used without it; what is wrong with the server, they tell themselves.
  const { value, reload } = useLoaded(`traffic ${mayRead}`, async (signal) =>
    mayRead ? (await figures.overview(signal)).models : undefined,
  );
  useAgain(reload, CARDS_MS);
  return value;
}
