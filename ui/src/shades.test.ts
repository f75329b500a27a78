import { darken } from "@mantine/core";
import { expect, test } from "vitest";
import { contrast, shades } from "./shades";

const COLOURS = [
  ...["#000000", "#ffffff", "#ff0000", "#00ff00", "#0000ff", "#ffff00", "#00ffff", "#ff00ff"],
  ...["#1971c2", "#f08c00", "#66a80f", "#495057", "#e03131", "#000080", "#010101", "#fefefe"],
  ...Array.from(
    { length: 300 },
    (_, at) => `#${((at * 7919 * 104729) % 0xffffff).toString(16).padStart(6, "0")}`,
  ),
];
const AA = 4.5;
const WHITE = "#ffffff";
/** Mantine's pages, panels and what the pointer is over, in both schemes. */
const [PAGE, OVER] = ["#fbfcfd", "#f8f9fa"];
const [DARK_PAGE, DARK_PANEL, DARK_OVER] = ["#242424", "#2e2e2e", "#3b3b3b"];

/** `rgba(r, g, b, 1)`, as `darken` writes it. */
function hex(rgba: string): string {
  const parts = rgba.match(/\d+/g)?.slice(0, 3) ?? [];
  return `#${parts.map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`;
}

test.each(COLOURS)("of %s, buttons and links can be read in both schemes", (colour) => {
  const [s0, s1, s2, s3, s4, , , , s8, s9] = shades(colour);
  for (const button of [s8, s9]) expect(contrast(WHITE, button)).toBeGreaterThanOrEqual(AA);
  for (const page of [WHITE, PAGE, OVER, s1, s2])
    expect(contrast(s9, page)).toBeGreaterThanOrEqual(AA);
  for (const page of [DARK_PAGE, DARK_PANEL, DARK_OVER]) {
    for (const text of [s3, s4]) expect(contrast(text, page)).toBeGreaterThanOrEqual(AA);
  }
  for (const tint of [darken(s9, 0.5), darken(s9, 0.3)]) {
    expect(contrast(s0, hex(tint))).toBeGreaterThanOrEqual(AA);
  }
});

test.each(["#1971c2", "#e03131", "#66a80f"])("the shades of %s keep its hue", (colour) => {
  const order = (shade: string) =>
    [1, 3, 5].sort(
      (a, b) => parseInt(shade.slice(a, a + 2), 16) - parseInt(shade.slice(b, b + 2), 16),
    );
  for (const shade of shades(colour)) expect(order(shade)).toEqual(order(colour));
});

test("a colour that can be read as it is stays", () => {
  expect(shades("#000080")[9]).toBe("#000080");
});
