type Rgb = [number, number, number];

/** Ten shades of a colour, as Mantine has them: from the palest to the one of buttons. */
export type Shades = [
  ...[string, string, string, string, string],
  ...[string, string, string, string, string],
];

/** What the shades are as bright as (relative luminance, 0 to 1), but for the last two. */
const BRIGHTNESS = [0.92, 0.87, 0.85, 0.58, 0.46, 0.36, 0.28, 0.21];
/** White text on it has a contrast of 5.4, and it as a text on white and on the palest shades 4.5. */
const BUTTON = 0.144;
/** Where the pointer is, a button is this part as bright; one that is nearly black is brighter. */
const POINTED = 0.72;
const NEARLY_BLACK = 0.05;

/** Shades of a colour of which texts and buttons can be read on light and on dark pages. */
export function shades(colour: string): Shades {
  const given = parsed(colour);
  const button = luminance(given) <= BUTTON ? given : withLuminance(given, BUTTON);
  const own = luminance(button);
  const pointed = withLuminance(button, own < NEARLY_BLACK ? own + NEARLY_BLACK : own * POINTED);
  const pale = BRIGHTNESS.map((bright) => withLuminance(given, bright));
  return [...pale, pointed, button].map(written) as Shades;
}

/** How much one colour stands out from another: 1 to 21, as WCAG counts. */
export function contrast(one: string, other: string): number {
  const [dark, bright] = [luminance(parsed(one)), luminance(parsed(other))].sort((a, b) => a - b);
  return ((bright ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

/** The colour mixed with black or white until it is as bright as that. */
function withLuminance(colour: Rgb, wanted: number): Rgb {
  const end = luminance(colour) > wanted ? 0 : 1;
  let [low, high] = [0, 1];
  let mixed = colour;
  for (let step = 0; step < 24; step++) {
    const part = (low + high) / 2;
    mixed = colour.map((value) => value + (end - value) * part) as Rgb;
    const isShort = end ? luminance(mixed) < wanted : luminance(mixed) > wanted;
    if (isShort) low = part;
    else high = part;
  }
  return mixed;
}

function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  ) as Rgb;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function parsed(colour: string): Rgb {
  const number = Number.parseInt(colour.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255].map((part) => part / 255) as Rgb;
}

function written(colour: Rgb): string {
  const parts = colour.map((part) =>
    Math.round(part * 255)
      .toString(16)
      .padStart(2, "0"),
  );
  return `#${parts.join("")}`;
}
