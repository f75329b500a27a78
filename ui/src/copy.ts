import { useEffect, useState } from "react";

/** Put a text into the clipboard; false where the browser does not let the page do so. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // On plain http under another name than localhost there is no clipboard, but the old way.
    return copySelected(text);
  }
}

function copySelected(text: string): boolean {
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.readOnly = true;
  area.style.cssText = "position: fixed; top: 0; opacity: 0";
  // A window over the page takes the focus back from all that is outside of it.
  (focused?.closest("[role=dialog]") ?? document.body).append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    area.remove();
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  }
}

/** Long enough to be read. */
const SAID_MS = 1500;

/** Copies a text, and knows for a while whether it could. */
export function useCopy(text: string): { said: "copied" | "failed" | null; copy: () => void } {
  const [done, setDone] = useState<{ wasCopied: boolean } | null>(null);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(null), SAID_MS);
    return () => clearTimeout(timer);
  }, [done]);
  return {
    said: done && (done.wasCopied ? "copied" : "failed"),
    copy: () => void copy(text).then((wasCopied) => setDone({ wasCopied })),
  };
}
