import { type RefObject, useEffect, useRef } from "react";

/**
 * Gives the focus back to the button that asked, once its question is answered and the change is
 * done: until then it cannot have it. One that is gone or disabled afterwards leaves it to `other`.
 */
export function useFocusBack(isOver: boolean, other: () => HTMLElement | null | undefined) {
  const from: RefObject<HTMLElement | null> = useRef(null);
  const latest = useRef(other);
  latest.current = other;
  useEffect(() => {
    if (!isOver || !from.current) return;
    const target = latest.current() ?? from.current;
    from.current = null;
    // Who has gone elsewhere meanwhile stays there.
    if (document.activeElement === document.body) target.focus();
  }, [isOver]);
  return from;
}
