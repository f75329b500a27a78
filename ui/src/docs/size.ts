const UNITS = ["B", "kB", "MB", "GB"];

/** A size in bytes as a person reads it. */
export function sized(bytes: number, language: string): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  const format = new Intl.NumberFormat(language, { maximumFractionDigits: power > 0 ? 1 : 0 });
  return `${format.format(bytes / 1000 ** power)} ${UNITS[power]}`;
}
