import type { Answer, Json, ModelInfo, OutputInfo, Row } from "../api/types";
import { onlyText, picture } from "./asked";
import { ranked } from "./numbers";
import {
  type Fields,
  finite,
  isFields,
  isNumberOrNull,
  isScalar,
  isScores,
  type Scores,
} from "./values";

/** A place in a text, counted in characters as Python counts them. */
export interface Span {
  start: number;
  end: number;
  label: string;
  score: number | null;
}

/** A thing that was found in a picture, in its pixels; null is a number that is none. */
export interface Detection {
  label: string;
  score: number | null;
  box: { left: number; top: number; right: number; bottom: number } | null;
}

/** A class for each pixel: the PNG's values are indices into the names of `parts`. */
export interface Mask {
  png: string;
  width: number;
  height: number;
  parts: Scores;
}

/** Rows under names. */
export interface Table {
  columns: string[];
  rows: Json[][];
}

/** How one part of an answer is shown, with what it is shown from. */
export type Shown =
  | { view: "classes"; prediction: Json; scores: Scores }
  | { view: "labels"; prediction: string[]; scores: Scores; threshold: number }
  | { view: "number"; value: number | null }
  | { view: "text"; text: string }
  | { view: "spans"; text: string; spans: Span[] }
  | { view: "boxes"; picture: string | null; boxes: Detection[] }
  | { view: "mask"; picture: string | null; mask: Mask }
  | { view: "vector"; values: (number | null)[] }
  | { view: "json"; value: Json };

/** One part of an answer: its name, the output that it is of, and how it is shown. */
export interface Part {
  name: string;
  output: OutputInfo | null;
  shown: Shown;
}

const THRESHOLD = 0.5;
const LABELS = ["label", "entity", "entity_group", "type", "tag"];

/** The parts of an answer in their order, each with the view that fits. */
export function parts(model: ModelInfo, request: Row, answer: Answer): Part[] {
  const left = new Map(Object.entries(answer));
  const found: Part[] = [];
  const scores = model.outputs.find((o) => o.kind === "probabilities" || o.kind === "logits");
  const named = left.get("probabilities");
  if (scores && left.has("prediction") && isScores(named)) {
    const prediction = left.get("prediction") ?? null;
    found.push({
      name: "prediction",
      output: scores,
      shown: { view: "classes", prediction, scores: named },
    });
    left.delete("prediction");
    left.delete("probabilities");
  }
  const only = model.outputs.length === 1 ? model.outputs[0] : undefined;
  const several = left.get("scores");
  if (only?.kind === "multilabel" && isScores(several)) {
    found.push({ name: "prediction", output: only, shown: labels(only, several) });
    left.delete("prediction");
    left.delete("scores");
  }
  for (const [name, value] of left) {
    const output =
      model.outputs.find((o) => o.name === name) ?? (name === "prediction" ? only : undefined);
    found.push({ name, output: output ?? null, shown: shown(model, request, output, value) });
  }
  return found;
}

function shown(model: ModelInfo, request: Row, output: OutputInfo | undefined, value: Json): Shown {
  const kind = output?.kind ?? "value";
  if (kind === "multilabel" && isScores(value)) return labels(output, value);
  if (kind === "label" && isScalar(value)) {
    return { view: "classes", prediction: value, scores: {} };
  }
  if (kind === "mask" && isMask(value)) {
    return { view: "mask", picture: picture(model, request, output), mask: value };
  }
  if (kind === "boxes" || kind === "json") {
    const boxes = detections(value, kind === "boxes");
    if (boxes) return { view: "boxes", picture: picture(model, request, output), boxes };
  }
  if (kind === "json") {
    const text = onlyText(model, request);
    const spans = text === null ? null : spansOf(text, value);
    if (text !== null && spans) return { view: "spans", text, spans };
    const ranked = ranking(value);
    if (ranked) return ranked;
  }
  if (typeof value === "number") return { view: "number", value };
  if (typeof value === "string") return { view: "text", text: value };
  if (typeof value === "boolean") return { view: "classes", prediction: value, scores: {} };
  if (value === null && kind !== "json") return { view: "number", value };
  if (Array.isArray(value) && value.length > 0 && value.every(isNumberOrNull)) {
    return { view: "vector", values: value };
  }
  return { view: "json", value };
}

function labels(output: OutputInfo | undefined, scores: Scores): Shown {
  const threshold = output?.threshold ?? THRESHOLD;
  const prediction = Object.keys(scores).filter((label) => (scores[label] ?? 0) >= threshold);
  return { view: "labels", prediction, scores, threshold };
}

/** Labels with scores in the form of a list, as many programs write them. */
function ranking(value: Json): Shown | null {
  if (!Array.isArray(value) || value.length === 0) return null;
  const scores: Scores = {};
  for (const item of value) {
    if (!isFields(item) || typeof item.label !== "string" || !isNumberOrNull(item.score ?? "")) {
      return null;
    }
    if (item.label in scores || Object.keys(item).length !== 2) return null;
    scores[item.label] = finite(item.score);
  }
  return { view: "classes", prediction: ranked(scores)[0]?.label ?? null, scores };
}

function isMask(value: Json): value is Fields & Mask {
  return (
    isFields(value) &&
    typeof value.png === "string" &&
    typeof value.width === "number" &&
    typeof value.height === "number" &&
    isScores(value.parts)
  );
}

function detections(value: Json, allowsNone: boolean): Detection[] | null {
  if (!Array.isArray(value) || (value.length === 0 && !allowsNone)) return null;
  const found: Detection[] = [];
  for (const item of value) {
    if (!isFields(item) || !isFields(item.box) || !("label" in item)) return null;
    const [left, top, right, bottom] = [
      finite(item.box.left),
      finite(item.box.top),
      finite(item.box.right),
      finite(item.box.bottom),
    ];
    const isWhole = left !== null && top !== null && right !== null && bottom !== null;
    found.push({
      label: String(item.label),
      score: finite(item.score),
      box: isWhole ? { left, top, right, bottom } : null,
    });
  }
  return found;
}

function spansOf(text: string, value: Json): Span[] | null {
  if (!Array.isArray(value)) return null;
  const length = Array.from(text).length;
  const found: Span[] = [];
  for (const item of value) {
    if (!isFields(item)) return null;
    const { start, end } = item;
    if (!Number.isInteger(start) || !Number.isInteger(end)) return null;
    const [from, to] = [start as number, end as number];
    if (from < 0 || to < from || to > length) return null;
    const key = LABELS.find((name) => isScalar(item[name]) && item[name] != null);
    const label = key === undefined ? "" : String(item[key]);
    found.push({ start: from, end: to, label, score: finite(item.score) });
  }
  return found;
}

/** A piece of a text, with the spans that cover it and those that end with it. */
export interface Piece {
  start: number;
  text: string;
  over: Span[];
  ending: Span[];
}

/** A text cut at every end of a span, so that each piece has the same spans throughout. */
export function pieces(text: string, spans: Span[]): Piece[] {
  const characters = Array.from(text);
  const cuts = new Set([0, characters.length]);
  for (const span of spans) cuts.add(span.start).add(span.end);
  const places = [...cuts].sort((a, b) => a - b);
  return places.slice(0, -1).map((start, at) => {
    const end = places[at + 1] ?? characters.length;
    const over = spans.filter((span) => span.start <= start && span.end >= end);
    return {
      start,
      text: characters.slice(start, end).join(""),
      // The innermost comes first, and gives the colour.
      over: over.sort((a, b) => a.end - a.start - (b.end - b.start)),
      ending: over.filter((span) => span.end === end),
    };
  });
}
