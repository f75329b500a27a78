import { useCallback, useEffect, useState } from "react";
import { ApiError } from "./api/client";

export interface Loaded<T> {
  /** The last one, also where the server could not be asked again. */
  value: T | undefined;
  error: Error | undefined;
  reload: () => void;
}

/** What `load` gives, loaded again when `key` changes or `reload` is called. */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ key: string; value?: T; error?: Error }>({ key });
  const [turn, setTurn] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for all that `load` reads
  useEffect(() => {
    const control = new AbortController();
    load(control.signal).then(
      (value) => setState({ key, value }),
      (error: Error) => {
        if (control.signal.aborted) return;
        setState((known) => ({
          ...(known.key === key && !isRefusal(error) ? known : {}),
          key,
          error,
        }));
      },
    );
    return () => control.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const isOwn = state.key === key;
  return {
    value: isOwn ? state.value : undefined,
    error: isOwn ? state.error : undefined,
    reload,
  };
}

/** Whether the server has decided: what was known before holds no more. */
function isRefusal(error: Error): boolean {
  return error instanceof ApiError && error.status < 500;
}
