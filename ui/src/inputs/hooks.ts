import {
  type RefObject,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import type { Json } from "../api/types";
import { blobOf } from "./files";

/** A reference that always holds what was given last, for what happens later than a render. */
export function useLatest<T>(value: T): RefObject<T> {
  const ref = useRef(value);
  useLayoutEffect(() => {
    ref.current = value;
  });
  return ref;
}

/** What is typed, for as long as the value is the one it was read as; null once another came. */
export function useDraft<T>(
  value: Json | undefined,
): [T | null, (draft: T, value: Json | undefined) => void] {
  const [held, setHeld] = useState<{ draft: T; value: Json | undefined } | null>(null);
  return [
    held !== null && Object.is(held.value, value) ? held.draft : null,
    (draft, value) => setHeld({ draft, value }),
  ];
}

/** What went wrong last, until another value comes. */
export function useProblem(
  value: Json | undefined,
): [string | null, (problem: string | null) => void] {
  const [problem, hold] = useDraft<string | null>(value);
  return [problem, (next) => hold(next, value)];
}

/** The ids by which a control of many parts names and describes them. */
export interface Ids {
  id: string;
  labelId: string;
  describedBy: string | undefined;
}

/** The ids that Mantine's wrapper gives to its label, description and error. */
export function useIds(description: unknown, error: unknown): Ids {
  const id = useId();
  const parts = [error && `${id}-error`, description && `${id}-description`].filter(Boolean);
  return { id, labelId: `${id}-label`, describedBy: parts.join(" ") || undefined };
}

/** Hear what is pasted while an element has the focus in it or the pointer over it. */
export function usePaste(
  root: RefObject<HTMLElement | null>,
  take: (event: ClipboardEvent) => void,
): void {
  const latest = useLatest(take);
  useEffect(() => {
    const listen = (event: ClipboardEvent) => {
      const here = root.current;
      if (!here || event.defaultPrevented) return;
      if (here.contains(document.activeElement) || here.matches(":hover")) latest.current(event);
    };
    document.addEventListener("paste", listen);
    return () => document.removeEventListener("paste", listen);
  }, [root, latest]);
}

/** An address for a file in base64, for as long as it is shown; null where there is none. */
export function useObjectUrl(base64: string | null, type: string): string | null {
  const blob = useMemo(() => (base64 === null ? null : blobOf(base64, type)), [base64, type]);
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const made = blob && URL.createObjectURL(blob);
    setUrl(made);
    return () => {
      if (made) URL.revokeObjectURL(made);
    };
  }, [blob]);
  return url;
}
