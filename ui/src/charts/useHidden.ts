import { useState } from "react";

/** The names of the lines that a reader has switched off, and the switch. */
export function useHidden(): [readonly string[], (name: string) => void] {
  const [hidden, setHidden] = useState<readonly string[]>([]);
  const toggle = (name: string) =>
    setHidden((all) => (all.includes(name) ? all.filter((each) => each !== name) : [...all, name]));
  return [hidden, toggle];
}
