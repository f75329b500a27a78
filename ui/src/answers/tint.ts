import type { CSSProperties } from "react";

/** The style that gives an element the colour that its class reads as `--colour`. */
export function tint(colour: string | undefined): CSSProperties {
  return { "--colour": colour ?? "var(--mantine-color-dimmed)" } as CSSProperties;
}
