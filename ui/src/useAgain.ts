import { useEffect } from "react";

/** Calls it now and then while the tab is shown, and when it is shown again. */
export function useAgain(look: () => void, everyMs: number): void {
  useEffect(() => {
    const lookIfShown = () => {
      if (!document.hidden) look();
    };
    const timer = setInterval(lookIfShown, everyMs);
    document.addEventListener("visibilitychange", lookIfShown);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", lookIfShown);
    };
  }, [look, everyMs]);
}
