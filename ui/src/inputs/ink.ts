import type { FieldInfo, Json } from "../api/types";
import { boundsOf, isNumeric, isWhole } from "./check";

/** The cells of a small picture, and how its tensor nests them. */
export interface Grid {
  height: number;
  width: number;
  form: "hw" | "hwc" | "chw";
}

/** The numbers that stand for no ink and for full ink. */
export interface Tone {
  paper: number;
  ink: number;
  whole: boolean;
}

/** A drawing finer than its grid: ink from 0 to 255 for each of `scale` × `scale` dots a cell. */
export interface Raster {
  grid: Grid;
  scale: number;
  dots: Uint8Array;
}

/** A place in a drawing, counted in cells from the top left. */
export interface Point {
  x: number;
  y: number;
}

const isSide = (size: number | undefined) => size !== undefined && size >= 4 && size <= 64;

/** The grid that a shape is: `[h, w]`, `[h, w, 1]` or `[1, h, w]`; null for any other. */
export function gridOf(shape: readonly number[]): Grid | null {
  const [a = 0, b = 0, c = 0] = shape;
  if (shape.length === 2 && isSide(a) && isSide(b)) return { height: a, width: b, form: "hw" };
  if (shape.length !== 3) return null;
  if (c === 1 && isSide(a) && isSide(b)) return { height: a, width: b, form: "hwc" };
  if (a === 1 && isSide(b) && isSide(c)) return { height: b, width: c, form: "chw" };
  return null;
}

/** Whether a field is a small grey picture that a person can draw. */
export function isCanvas(field: FieldInfo): boolean {
  return isNumeric(field.datatype) && !field.choices?.length && gridOf(field.shape) !== null;
}

/** The numbers for paper and ink in a field. */
export function toneOf(field: FieldInfo): Tone {
  const whole = isWhole(field.datatype);
  const most = boundsOf(field.datatype)?.[1] ?? Infinity;
  const paper = field.minimum ?? Math.min(0, field.maximum ?? 0);
  const ink = field.maximum ?? Math.max(paper + 1, whole ? Math.min(255, most) : 1);
  return { paper, ink, whole };
}

/** How many dots a cell is wide. */
export function scaleOf(grid: Grid): number {
  return Math.max(8, Math.round(320 / Math.max(grid.height, grid.width)));
}

/** How many cells a brush is wide: as thick as the strokes of scanned digits of that size. */
export function brushOf(grid: Grid): number {
  return 1.2 + Math.max(0, Math.min(grid.height, grid.width) - 8) * 0.09;
}

/** A drawing with nothing on it. */
export function blank(grid: Grid): Raster {
  const scale = scaleOf(grid);
  return { grid, scale, dots: new Uint8Array(grid.height * grid.width * scale * scale) };
}

/** Whether nothing is drawn. */
export const isBlank = (raster: Raster) => raster.dots.every((dot) => dot === 0);

/** Draw a straight piece of a stroke with round ends, or erase along it. */
export function stroke(raster: Raster, from: Point, to: Point, width: number, ink: boolean): void {
  const { grid, scale, dots } = raster;
  const [columns, rows] = [grid.width * scale, grid.height * scale];
  const radius = (width * scale) / 2;
  const [ax, ay, bx, by] = [from.x * scale, from.y * scale, to.x * scale, to.y * scale];
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const top = Math.max(0, Math.floor(Math.min(ay, by) - radius));
  const bottom = Math.min(rows - 1, Math.ceil(Math.max(ay, by) + radius));
  const left = Math.max(0, Math.floor(Math.min(ax, bx) - radius));
  const right = Math.min(columns - 1, Math.ceil(Math.max(ax, bx) + radius));
  for (let row = top; row <= bottom; row += 1) {
    for (let column = left; column <= right; column += 1) {
      const [px, py] = [column + 0.5 - ax, row + 0.5 - ay];
      const along = length ? Math.max(0, Math.min(1, (px * dx + py * dy) / length)) : 0;
      const [ox, oy] = [px - along * dx, py - along * dy];
      if (ox * ox + oy * oy <= radius * radius) dots[row * columns + column] = ink ? 255 : 0;
    }
  }
}

/** Give all dots of a cell the same ink, from 0 to 1. */
export function fillCell(raster: Raster, row: number, column: number, ink: number): void {
  const { grid, scale, dots } = raster;
  const columns = grid.width * scale;
  for (let at = row * scale; at < (row + 1) * scale; at += 1) {
    const start = at * columns + column * scale;
    dots.fill(Math.round(ink * 255), start, start + scale);
  }
}

/** The ink of each cell, from 0 to 1: the mean of its dots. */
export function average(raster: Raster): Float32Array {
  const { grid, scale, dots } = raster;
  const columns = grid.width * scale;
  const cells = new Float32Array(grid.height * grid.width);
  for (let row = 0; row < grid.height * scale; row += 1) {
    const base = Math.floor(row / scale) * grid.width;
    for (let cell = 0; cell < grid.width; cell += 1) {
      let sum = 0;
      const start = row * columns + cell * scale;
      for (let at = start; at < start + scale; at += 1) sum += dots[at] ?? 0;
      cells[base + cell] = (cells[base + cell] ?? 0) + sum;
    }
  }
  return cells.map((sum) => sum / (255 * scale * scale));
}

/** A drawing whose cells have this ink, each from 0 to 1. */
export function fromCells(cells: ArrayLike<number>, grid: Grid): Raster {
  const raster = blank(grid);
  for (let at = 0; at < grid.height * grid.width; at += 1) {
    fillCell(raster, Math.floor(at / grid.width), at % grid.width, cells[at] ?? 0);
  }
  return raster;
}

/** The ink of cells as the tensor's numbers, nested as its shape says. */
export function toValue(cells: ArrayLike<number>, grid: Grid, tone: Tone): Json {
  const number = (at: number): number => {
    const value = tone.paper + (cells[at] ?? 0) * (tone.ink - tone.paper);
    return tone.whole ? Math.round(value) : Number(value.toPrecision(5));
  };
  const rows = Array.from({ length: grid.height }, (_, row) =>
    Array.from({ length: grid.width }, (_, column) => number(row * grid.width + column)),
  );
  if (grid.form === "hwc") return rows.map((row) => row.map((value) => [value]));
  return grid.form === "chw" ? [rows] : rows;
}

/** The ink of each cell of a tensor's value, from 0 to 1; null where it is no such value. */
export function fromValue(value: Json | undefined, grid: Grid, tone: Tone): Float32Array | null {
  if (!Array.isArray(value)) return null;
  const flat = value.flat(2);
  if (flat.length !== grid.height * grid.width) return null;
  const span = tone.ink - tone.paper || 1;
  const cells = new Float32Array(flat.length);
  for (const [at, item] of flat.entries()) {
    if (typeof item !== "number") return null;
    cells[at] = Math.max(0, Math.min(1, (item - tone.paper) / span));
  }
  return cells;
}

/** The ink of each dot of a picture, from 0 to 255: what differs from the paper at its border. */
export function inkOf(rgba: ArrayLike<number>, width: number, height: number): Uint8Array {
  const light = new Float32Array(width * height);
  for (let at = 0; at < light.length; at += 1) {
    const [r = 0, g = 0, b = 0, a = 0] = [0, 1, 2, 3].map((channel) => rgba[at * 4 + channel]);
    // What is transparent shows the white below it.
    light[at] = 255 + ((0.299 * r + 0.587 * g + 0.114 * b - 255) * a) / 255;
  }
  const isBorder = (at: number) => {
    const [row, column] = [Math.floor(at / width), at % width];
    return row === 0 || column === 0 || row === height - 1 || column === width - 1;
  };
  const border = light.filter((_, at) => isBorder(at));
  const paper = border.reduce((sum, value) => sum + value, 0) / Math.max(1, border.length);
  const sign = paper > 127 ? -1 : 1;
  const ink = light.map((value) => Math.max(0, (value - paper) * sign));
  const most = ink.reduce((largest, value) => Math.max(largest, value), 0);
  // Below a tenth of the darkest is the grain of the paper.
  const strength = (value: number) => Math.max(0, (value / most - 0.1) / 0.9);
  return Uint8Array.from(ink, (value) => (most > 8 ? Math.round(strength(value) * 255) : 0));
}

/** A drawing with dots of a picture in its middle; the picture is no larger than the drawing. */
export function place(ink: Uint8Array, width: number, height: number, grid: Grid): Raster {
  const raster = blank(grid);
  const columns = grid.width * raster.scale;
  const left = Math.floor((columns - width) / 2);
  const top = Math.floor((grid.height * raster.scale - height) / 2);
  for (let row = 0; row < height; row += 1) {
    const line = ink.subarray(row * width, (row + 1) * width);
    raster.dots.set(line, (top + row) * columns + left);
  }
  return raster;
}
