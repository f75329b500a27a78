import { type CSSVariablesResolver, createTheme, type MantineThemeOverride } from "@mantine/core";
import { shades } from "./shades";

const PLAIN = createTheme({
  primaryColor: "cyan",
  // White text on it has a contrast of 5.4, in both schemes.
  primaryShade: 9,
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  fontFamily:
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'PingFang SC', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace",
  headings: { fontWeight: "650" },
});

/** The theme in a colour, such as `#1971c2`; null is ours. */
export function themeOf(colour: string | null): MantineThemeOverride {
  if (colour === null) return PLAIN;
  return { ...PLAIN, primaryColor: "own", colors: { own: shades(colour) } };
}

/** Darker where the pointer is; by itself it would be paler, and white text on it too weak. */
const POINTED = "#095c6b";

/** Mantine's grey for lesser texts is too pale for WCAG AA (3.3 on white). */
export const variables: CSSVariablesResolver = (given) => ({
  variables: {
    "--mantine-color-cyan-filled-hover": POINTED,
    ...(given.primaryColor === "cyan" ? { "--mantine-primary-color-filled-hover": POINTED } : {}),
  },
  light: {
    "--mantine-color-dimmed": given.colors.gray[7],
    "--mantine-color-placeholder": given.colors.gray[7],
    "--mantine-color-anchor": "var(--mantine-primary-color-9)",
    "--mantine-color-error": given.colors.red[9],
    "--mantine-color-success": "#1b6e2c",
    "--mantine-color-body": "#fbfcfd",
  },
  dark: {
    "--mantine-color-dimmed": given.colors.dark[1],
    "--mantine-color-placeholder": given.colors.dark[1],
    "--mantine-color-anchor": "var(--mantine-primary-color-3)",
    "--mantine-color-error": given.colors.red[4],
    "--mantine-color-success": given.colors.green[4],
  },
});
