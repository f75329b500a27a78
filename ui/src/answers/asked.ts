import type { FieldInfo, Json, ModelInfo, OutputInfo, Row } from "../api/types";
import { shortened } from "./numbers";
import { isFields } from "./values";

function isFile(field: FieldInfo): boolean {
  return field.kind === "image" || field.kind === "audio";
}

function isText(field: FieldInfo): boolean {
  const isFree = field.kind === undefined || field.kind === "text";
  return isFree && field.datatype === "BYTES" && field.shape.length === 0 && !field.choices?.length;
}

export function onlyText(model: ModelInfo, request: Row): string | null {
  const texts = model.fields.filter(isText);
  const value = texts.length === 1 && texts[0] ? request[texts[0].name] : null;
  return typeof value === "string" ? value : null;
}

/** What was asked, in a few words: its texts, or else its values. */
export function asked(model: ModelInfo, request: Row): string {
  const given = model.fields.filter((f) => !isFile(f) && request[f.name] !== undefined);
  const texts = given.filter(isText).map((f) => request[f.name]);
  const words = texts.length
    ? texts.map((text) => (typeof text === "string" ? text : JSON.stringify(text)))
    : given.map((f) => `${f.name} = ${JSON.stringify(request[f.name])}`);
  return shortened(words.join(", "), 80);
}

/** The base64 text of a file as requests hold it; null where the value is none. */
export function fileText(value: Json | undefined): string | null {
  const text = isFields(value) ? value.b64 : value;
  if (typeof text !== "string") return null;
  const data = text.startsWith("data:") ? text.slice(text.indexOf(",") + 1) : text;
  return data.replace(/\s+/g, "");
}

/** The picture that was sent, as a URL that an `img` takes; null where there is none. */
export function picture(
  model: ModelInfo,
  request: Row,
  output: OutputInfo | undefined | null,
): string | null {
  const images = model.fields.filter((field) => field.kind === "image");
  const name = output?.picture ?? (images.length === 1 ? images[0]?.name : undefined);
  const text = name === undefined ? null : fileText(request[name]);
  if (!text) return null;
  return `data:${mediaType(text)?.type ?? "application/octet-stream"};base64,${text}`;
}

/** The media type of a file, and how names of such files end. */
export interface Media {
  type: string;
  ending: string;
}

/** Type, ending, and the texts that stand at places of the file. */
const MAGIC: [string, string, ...[number, string][]][] = [
  ["image/png", "png", [0, "\x89PNG\r\n\x1a\n"]],
  ["image/jpeg", "jpg", [0, "\xff\xd8\xff"]],
  ["image/gif", "gif", [0, "GIF8"]],
  ["image/webp", "webp", [0, "RIFF"], [8, "WEBP"]],
  ["audio/wav", "wav", [0, "RIFF"], [8, "WAVE"]],
  ["image/bmp", "bmp", [0, "BM"]],
  ["image/tiff", "tif", [0, "II*\0"]],
  ["image/tiff", "tif", [0, "MM\0*"]],
  ["image/avif", "avif", [4, "ftypavi"]],
  ["image/jp2", "jp2", [4, "jP  \r\n"]],
  ["audio/flac", "flac", [0, "fLaC"]],
  ["audio/ogg", "ogg", [0, "OggS"]],
];

/** What a file is, by its first bytes; null where they are of no known kind. */
export function mediaType(base64: string): Media | null {
  let head: string;
  try {
    head = atob(base64.slice(0, 32));
  } catch {
    return null;
  }
  for (const [type, ending, ...marks] of MAGIC) {
    if (marks.every(([at, text]) => head.startsWith(text, at))) return { type, ending };
  }
  return null;
}
