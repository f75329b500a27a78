import { describe, expect, it } from "vitest";
import { encodeWav, isWav, mixDown } from "./wav";

describe("encodeWav", () => {
  const bytes = encodeWav(Float32Array.of(0, 1, -1, 2, 0.5), 16_000);
  const view = new DataView(bytes.buffer);

  it("writes the head of one channel with 16 bits", () => {
    expect(isWav(bytes)).toBe(true);
    expect(bytes).toHaveLength(44 + 10);
    expect(view.getUint32(4, true)).toBe(46);
    expect(view.getUint16(20, true)).toBe(1);
    expect(view.getUint16(22, true)).toBe(1);
    expect(view.getUint32(24, true)).toBe(16_000);
    expect(view.getUint32(28, true)).toBe(32_000);
    expect(view.getUint16(34, true)).toBe(16);
    expect(view.getUint32(40, true)).toBe(10);
  });

  it("writes samples, held within the range", () => {
    const samples = [0, 1, 2, 3, 4].map((at) => view.getInt16(44 + at * 2, true));
    expect(samples).toEqual([0, 32767, -32768, 32767, 16384]);
  });

  it("knows what is none", () => {
    expect(isWav(new Uint8Array(50))).toBe(false);
  });
});

it("mixes channels into their mean", () => {
  expect([...mixDown([Float32Array.of(1, 0), Float32Array.of(0, 0.5)])]).toEqual([0.5, 0.25]);
});
