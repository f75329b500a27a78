import { describe, expect, it } from "vitest";
import type { FieldInfo } from "../api/types";
import {
  average,
  blank,
  brushOf,
  fillCell,
  fromCells,
  fromValue,
  gridOf,
  inkOf,
  isBlank,
  isCanvas,
  place,
  stroke,
  toneOf,
  toValue,
} from "./ink";

const field = (more: Partial<FieldInfo>): FieldInfo => ({
  name: "x",
  datatype: "FP32",
  shape: [8, 8],
  ...more,
});
const grid = { height: 8, width: 8, form: "hw" } as const;

describe("isCanvas", () => {
  it("takes small grey pictures", () => {
    expect(isCanvas(field({}))).toBe(true);
    expect(gridOf([28, 20, 1])).toEqual({ height: 28, width: 20, form: "hwc" });
    expect(gridOf([1, 28, 20])).toEqual({ height: 28, width: 20, form: "chw" });
    for (const shape of [[], [8], [3, 8], [8, 65], [3, 28, 28], [-1, 8], [1, 8, 8, 1]]) {
      expect(gridOf(shape)).toBeNull();
    }
    expect(isCanvas(field({ datatype: "BYTES" }))).toBe(false);
    expect(isCanvas(field({ datatype: "BOOL" }))).toBe(false);
  });

  it("knows the numbers of paper and ink", () => {
    expect(toneOf(field({}))).toEqual({ paper: 0, ink: 1, whole: false });
    expect(toneOf(field({ datatype: "UINT8" }))).toEqual({ paper: 0, ink: 255, whole: true });
    expect(toneOf(field({ datatype: "INT8" })).ink).toBe(127);
    expect(toneOf(field({ minimum: -1, maximum: 1 }))).toMatchObject({ paper: -1, ink: 1 });
    expect(toneOf(field({ maximum: 16 }))).toMatchObject({ paper: 0, ink: 16 });
  });
});

describe("drawing", () => {
  it("averages dots down to cells", () => {
    const raster = blank(grid);
    expect(isBlank(raster)).toBe(true);
    fillCell(raster, 2, 3, 1);
    const cells = average(raster);
    expect(cells[2 * 8 + 3]).toBe(1);
    expect(cells.reduce((sum, ink) => sum + ink, 0)).toBe(1);
  });

  it("draws a soft stroke: full within, less at its sides", () => {
    const raster = blank(grid);
    stroke(raster, { x: 3.5, y: 1 }, { x: 3.5, y: 7 }, brushOf(grid), true);
    const cells = average(raster);
    expect(cells[4 * 8 + 3]).toBe(1);
    expect(cells[4 * 8 + 2]).toBeGreaterThan(0.05);
    expect(cells[4 * 8 + 2]).toBeLessThan(0.2);
    expect(cells[4 * 8 + 4]).toBeCloseTo(cells[4 * 8 + 2] ?? 0, 5);
    expect(cells[4 * 8 + 6]).toBe(0);
    stroke(raster, { x: 3.5, y: 0 }, { x: 3.5, y: 8 }, 3, false);
    expect(isBlank(raster)).toBe(true);
  });

  it("stays inside, wherever the pointer goes", () => {
    const raster = blank(grid);
    stroke(raster, { x: -20, y: -20 }, { x: 30, y: 30 }, 1.2, true);
    expect(average(raster)[0]).toBeGreaterThan(0.5);
    expect(average(raster)[7]).toBe(0);
  });

  it("gives and takes values in the tensor's own shape", () => {
    const ink = Float32Array.from({ length: 64 }, (_, at) => (at === 9 ? 1 : 0));
    for (const form of ["hw", "hwc", "chw"] as const) {
      const own = { ...grid, form };
      const value = toValue(ink, own, { paper: -1, ink: 1, whole: false });
      expect((value as unknown[]).flat(2)).toHaveLength(64);
      expect(fromValue(value, own, { paper: -1, ink: 1, whole: false })).toEqual(ink);
    }
    const whole = toValue(
      [0.5],
      { height: 1, width: 1, form: "chw" },
      toneOf(field({ datatype: "UINT8" })),
    );
    expect(whole).toEqual([[[128]]]);
    expect(fromValue([1, 2], grid, toneOf(field({})))).toBeNull();
    expect(fromValue("a", grid, toneOf(field({})))).toBeNull();
  });

  it("draws a value so that it gives the same again", () => {
    const ink = Float32Array.from({ length: 64 }, (_, at) => at / 63);
    const again = average(fromCells(ink, grid));
    for (const [at, value] of again.entries()) expect(value).toBeCloseTo(ink[at] ?? 0, 2);
  });
});

describe("inkOf", () => {
  const picture = (paper: number, pen: number, alpha = 255) =>
    Array.from({ length: 25 }, (_, at) => [
      ...Array(3).fill(at === 12 ? pen : paper),
      alpha,
    ]).flat();

  it("finds the ink on light and on dark paper", () => {
    for (const [paper, pen] of [
      [250, 20],
      [10, 240],
    ] as const) {
      const ink = inkOf(picture(paper, pen), 5, 5);
      expect(ink[12]).toBe(255);
      expect(ink[0]).toBe(0);
    }
  });

  it("sees no ink on plain paper, or where nothing is", () => {
    expect(Math.max(...inkOf(picture(200, 200), 5, 5))).toBe(0);
    expect(Math.max(...inkOf(picture(0, 0, 0), 5, 5))).toBe(0);
  });

  it("puts a smaller picture into the middle", () => {
    const raster = place(new Uint8Array(4).fill(255), 2, 2, grid);
    expect(raster.dots.reduce((sum, dot) => sum + dot, 0)).toBe(4 * 255);
    expect(average(raster)[0]).toBe(0);
  });
});
