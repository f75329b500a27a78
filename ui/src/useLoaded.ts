import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError } from "./api/client";

export interface Loaded<T> {
  /** The last one, also where the server could not be asked again. */
  value: T | undefined;
  error: Error | undefined;
  reload: () => void;
  /** As `reload`, but for where it is loading: what is asked for again and again would never come. */
  again: () => void;
}

/**
 * What `load` gives, loaded again when `key` changes or `reload` is called.
 *
 * A value stays beside the error of a later load, unless the server says that there is none for the caller.
 */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<State<T>>({ key });
  const [turn, setTurn] = useState(0);
  const isLoading = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for all that `load` reads
  useEffect(() => {
    const control = new AbortController();
    isLoading.current = true;
    load(control.signal).then(
      (value) => {
        isLoading.current = control.signal.aborted;
        setState({ key, value });
      },
      (error: Error) => {
        if (control.signal.aborted) return;
        isLoading.current = false;
        setState((known) => ({ key, error, value: isDenied(error) ? undefined : own(known, key) }));
      },
    );
    return () => control.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const again = useCallback(() => {
    if (!isLoading.current) setTurn((n) => n + 1);
  }, []);
  return {
    value: own(state, key),
    error: state.key === key ? state.error : undefined,
    reload,
    again,
  };
}

interface State<T> {
  key: string;
  value?: T | undefined;
  error?: Error;
}

const own = <T>(state: State<T>, key: string) => (state.key === key ? state.value : undefined);

const isDenied = (error: Error) =>
  error instanceof ApiError && error.status < 500 && error.status !== 429;
