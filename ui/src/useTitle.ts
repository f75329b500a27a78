import { useEffect } from "react";
import { ONLY_APP } from "./onlyApp";

/** The window's title while a page is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    if (ONLY_APP !== null) document.title = title || ONLY_APP;
    else document.title = title ? `${title} · Modelport` : "Modelport";
  }, [title]);
}
