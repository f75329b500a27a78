import { MantineProvider } from "@mantine/core";
import {
  createContext,
  type ReactNode,
  useContext,
  useLayoutEffect,
  useMemo,
  useState,
} from "react";
import { themeOf, variables } from "./theme";

interface Look {
  colour: string | null;
  title: string;
}

const PLAIN: Look = { colour: null, title: "" };
const Context = createContext<[Look, (look: Look) => void]>([PLAIN, () => {}]);

/** The theme around all pages, in the colour that the page which is shown wants. */
export function LookProvider({ nonce, children }: { nonce?: string; children: ReactNode }) {
  const [look, set] = useState(PLAIN);
  const theme = useMemo(() => themeOf(look.colour), [look.colour]);
  const value = useMemo((): [Look, (look: Look) => void] => [look, set], [look]);
  return (
    <Context value={value}>
      <MantineProvider
        theme={theme}
        cssVariablesResolver={variables}
        defaultColorScheme="auto"
        {...(nonce ? { getStyleNonce: () => nonce } : {})}
      >
        {children}
      </MantineProvider>
    </Context>
  );
}

/** Give all that is shown a model's colour, and the head its title, for as long as its page is. */
export function useLook(colour: string | null, title: string): void {
  const [, set] = useContext(Context);
  useLayoutEffect(() => {
    set({ colour, title });
    return () => set(PLAIN);
  }, [set, colour, title]);
}

/** The title of the model whose page is shown; empty where none is. */
export const useLookTitle = (): string => useContext(Context)[0].title;
