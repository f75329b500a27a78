/** A picture of one number for each pixel. */
export interface Gray {
  width: number;
  height: number;
  values: Uint8Array;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * The numbers of a grey PNG of 8 bits, as the server writes masks.
 *
 * A canvas would give them too, but browsers that hide who a person is change what is read back
 * from one, and here each number is a class.
 */
export async function grayPng(base64: string): Promise<Gray> {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  if (SIGNATURE.some((byte, at) => bytes[at] !== byte)) throw new Error("not a PNG");
  const view = new DataView(bytes.buffer);
  const data: Uint8Array<ArrayBuffer>[] = [];
  let [width, height] = [0, 0];
  for (let at = 8; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const start = at + 8;
    if (kind === "IHDR") {
      width = view.getUint32(start);
      height = view.getUint32(start + 4);
      const [depth, colour, , , interlaced] = bytes.subarray(start + 8, start + 13);
      if (depth !== 8 || colour !== 0 || interlaced !== 0) throw new Error("not a grey PNG");
    }
    if (kind === "IDAT") data.push(bytes.slice(start, start + length));
    at = start + length + 4;
  }
  const packed = new Blob(data).stream().pipeThrough(new DecompressionStream("deflate"));
  const lines = new Uint8Array(await new Response(packed).arrayBuffer());
  if (!width || lines.length < height * (width + 1)) throw new Error("a PNG that ends too early");
  return { width, height, values: unfiltered(lines, width, height) };
}

/** The pixels of lines that each hold differences to their neighbours (PNG, section 9). */
function unfiltered(lines: Uint8Array, width: number, height: number): Uint8Array {
  const values = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const filter = lines[y * (width + 1)];
    const from = y * (width + 1) + 1;
    const to = y * width;
    for (let x = 0; x < width; x++) {
      const left = x ? (values[to + x - 1] ?? 0) : 0;
      const up = y ? (values[to + x - width] ?? 0) : 0;
      const corner = x && y ? (values[to + x - width - 1] ?? 0) : 0;
      values[to + x] = (lines[from + x] ?? 0) + expected(filter, left, up, corner);
    }
  }
  return values;
}

function expected(filter: number | undefined, left: number, up: number, corner: number): number {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4: {
      const [a, b, c] = [up - corner, left - corner, left + up - 2 * corner].map(Math.abs) as [
        number,
        number,
        number,
      ];
      if (a <= b && a <= c) return left;
      return b <= c ? up : corner;
    }
    default:
      throw new Error("a PNG with an unknown filter");
  }
}
