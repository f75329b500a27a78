import type { Json } from "../api/types";

/** Larger files are not taken. */
export const MOST_BYTES = 20 * 1024 * 1024;

/** The bytes of a file as base64, without `data:…,` before it. */
export function toBase64(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onerror = () => reject(reader.error);
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.readAsDataURL(file);
  });
}

/** The base64 of a file's value in any form that the server takes; null where it is none. */
export function base64Of(value: Json | undefined): string | null {
  if (Array.isArray(value)) return value.length === 1 ? base64Of(value[0]) : null;
  if (typeof value === "object" && value !== null) return base64Of(value.b64);
  if (typeof value !== "string") return null;
  return (value.startsWith("data:") ? value.slice(value.indexOf(",") + 1) : value) || null;
}

/** A file from its base64; null where that is damaged. */
export function blobOf(base64: string, type: string): Blob | null {
  try {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
    return new Blob([bytes], { type });
  } catch {
    return null;
  }
}

const BEGINNINGS: readonly [string, string][] = [
  ["iVBOR", "image/png"],
  ["/9j/", "image/jpeg"],
  ["R0lGOD", "image/gif"],
  ["UklGR", "image/webp"],
  ["Qk", "image/bmp"],
  ["SUkq", "image/tiff"],
  ["TU0A", "image/tiff"],
];

/** What kind of picture base64 begins as; null for none that is known. */
export function pictureType(base64: string): string | null {
  return BEGINNINGS.find(([start]) => base64.startsWith(start))?.[1] ?? null;
}

/** Whether a file calls itself a picture of pixels. */
export function isPicture(file: Blob): boolean {
  return file.type.startsWith("image/") && !file.type.startsWith("image/svg");
}
