/** Numbers of charts and tables, short enough to be read at a glance. */

/** A number with three digits that count. */
export function short(value: number, language: string): string {
  if (value !== 0 && Math.abs(value) < 0.001) return `<${short(0.001, language)}`;
  return new Intl.NumberFormat(language, {
    maximumSignificantDigits: 3,
    notation: Math.abs(value) >= 1e5 ? "compact" : "standard",
  }).format(value);
}

/** CPUs in use: a hundredth is the least that tells anything. */
export function cores(value: number, language: string): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: 2 }).format(value);
}

/** A duration in the unit that suits it. */
export function duration(seconds: number, language: string): string {
  const size = Math.abs(seconds);
  if (size === 0) return "0 ms";
  if (size < 0.001) return `${short(seconds * 1e6, language)} µs`;
  if (size < 1) return `${short(seconds * 1e3, language)} ms`;
  return `${short(seconds, language)} s`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** A size in memory. */
export function bytes(value: number, language: string): string {
  let [size, unit] = [value, 0];
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${short(size, language)} ${UNITS[unit]}`;
}

/** How long something has been running: `3 d 4 h`, `12 min`, `8 s`. */
export function age(seconds: number, words: { d: string; h: string; min: string; s: string }) {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours] = [Math.floor(whole / 86400), Math.floor((whole % 86400) / 3600)];
  const minutes = Math.floor((whole % 3600) / 60);
  if (days) return `${days} ${words.d} ${hours} ${words.h}`;
  if (hours) return `${hours} ${words.h} ${minutes} ${words.min}`;
  return minutes ? `${minutes} ${words.min}` : `${whole} ${words.s}`;
}

/** The time of day, with seconds where they matter. */
export function clock(at: number, language: string, seconds = false): string {
  return new Intl.DateTimeFormat(language, {
    hour: "2-digit",
    minute: "2-digit",
    ...(seconds ? { second: "2-digit" } : {}),
    hourCycle: "h23",
  }).format(at * 1000);
}
