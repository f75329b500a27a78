function luminance(red: number, green: number, blue: number): number {
  const [r, g, b] = [red, green, blue].map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  ) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function fromHue(hue: number, lightness: number): [number, number, number] {
  const spread = 0.72 * Math.min(lightness, 1 - lightness);
  const part = (at: number) => {
    const k = (at + hue / 30) % 12;
    return lightness - spread * Math.max(-1, Math.min(k - 3, 9 - k, 1));
  };
  return [part(0), part(8), part(4)];
}

/** The colour of a class as red, green and blue of 0 to 255: seen on white and on dark grey. */
export function rgb(index: number): [number, number, number] {
  // The golden angle keeps neighbours apart, however many there are; two brightnesses help those
  // who see few colours.
  const hue = (210 + index * 137.508) % 360;
  const wanted = index % 2 ? 0.27 : 0.18;
  let [low, high] = [0, 1];
  for (let step = 0; step < 20; step++) {
    const middle = (low + high) / 2;
    if (luminance(...fromHue(hue, middle)) < wanted) low = middle;
    else high = middle;
  }
  return fromHue(hue, low).map((part) => Math.round(part * 255)) as [number, number, number];
}

/** The same as CSS writes it. */
export function colour(index: number): string {
  return `rgb(${rgb(index).join(" ")})`;
}

/** A colour for each label: that of its class, so that it stays from one answer to the next. */
export function colours(
  names: string[],
  classes: readonly (string | number | boolean)[] = [],
): Map<string, string> {
  const places = new Map(classes.map((name, at) => [String(name), at]));
  const found = new Map<string, string>();
  for (const name of names) {
    if (found.has(name)) continue;
    const place = places.get(name) ?? places.size + found.size;
    found.set(name, colour(place));
  }
  return found;
}
