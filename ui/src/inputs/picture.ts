import { blank, type Grid, inkOf, place, type Raster } from "./ink";

/** A picture's file as a drawing: scaled to fit the grid, its proportions kept. */
export async function drawingOf(file: Blob, grid: Grid): Promise<Raster> {
  const picture = await createImageBitmap(file);
  const { scale } = blank(grid);
  const fit = Math.min(
    (grid.width * scale) / picture.width,
    (grid.height * scale) / picture.height,
  );
  const width = Math.max(1, Math.floor(picture.width * fit));
  const height = Math.max(1, Math.floor(picture.height * fit));
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no canvas");
  // A picture of the grid's own size keeps its cells.
  context.imageSmoothingEnabled = fit < 1;
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, width, height);
  picture.close();
  return place(
    inkOf(context.getImageData(0, 0, width, height).data, width, height),
    width,
    height,
    grid,
  );
}

/** Show the ink of cells, each from 0 to 1, on a canvas with a pixel for each: dark on light. */
export function show(canvas: HTMLCanvasElement, cells: ArrayLike<number>): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(canvas.width, canvas.height);
  for (let at = 0; at < canvas.width * canvas.height; at += 1) {
    const light = Math.round(255 * (1 - (cells[at] ?? 0)));
    image.data.set([light, light, light, 255], at * 4);
  }
  context.putImageData(image, 0, 0);
}
