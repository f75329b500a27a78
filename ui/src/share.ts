import type { Row } from "./api/types";

/** A longer fragment is cut by some programs that pass links on. */
export const LONGEST = 6000;
const KEY = "in=";

/** This page's address without a fragment. */
export const bareAddress = () => location.pathname + location.search;

/** The input as an address's fragment; null where it is too long for one. */
export async function toFragment(row: Row): Promise<string | null> {
  const bytes = await through(
    new TextEncoder().encode(JSON.stringify(row)),
    new CompressionStream("deflate-raw"),
  );
  const text = btoa(String.fromCharCode(...bytes.slice(0, LONGEST)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
  return bytes.length >= LONGEST || text.length > LONGEST ? null : `#${KEY}${text}`;
}

/** The input of a fragment; null where it holds none, or a damaged one. */
export async function fromFragment(fragment: string): Promise<Row | null> {
  if (!fragment.startsWith(`#${KEY}`)) return null;
  try {
    const coded = fragment
      .slice(KEY.length + 1)
      .replaceAll("-", "+")
      .replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
    const text = await through(bytes, new DecompressionStream("deflate-raw"));
    return asRow(JSON.parse(new TextDecoder().decode(text)));
  } catch {
    return null;
  }
}

/** A value read from outside as a row; null where it is none. */
export function asRow(value: unknown): Row | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Row)
    : null;
}

async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
): Promise<Uint8Array> {
  const out = new Blob([bytes]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(out).arrayBuffer());
}
