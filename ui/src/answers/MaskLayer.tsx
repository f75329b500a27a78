import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import classes from "./answers.module.css";
import { rgb } from "./colours";
import type { Gray } from "./png";

const MOST = 4_000_000;

/** The colours of a mask's classes, as large as what they lie on. */
export function MaskLayer({
  pixels,
  names,
  hidden,
  opacity,
}: {
  pixels: Gray;
  /** The classes in the order of the mask's numbers; other numbers are left clear. */
  names: string[];
  hidden: readonly string[];
  opacity: number;
}) {
  const { t } = useTranslation();
  const canvas = useRef<HTMLCanvasElement>(null);
  const key = JSON.stringify([names, hidden]);
  useEffect(() => {
    const [all, left] = JSON.parse(key) as [string[], string[]];
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    // A screen shows no more, and colours take four bytes for each pixel.
    const step = Math.ceil(Math.sqrt((pixels.width * pixels.height) / MOST));
    const width = Math.ceil(pixels.width / step);
    const height = Math.ceil(pixels.height / step);
    const colours = all.map((name, at) => (left.includes(name) ? 0 : packed(rgb(at))));
    const image = new ImageData(width, height);
    const words = new Uint32Array(image.data.buffer);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const number = pixels.values[y * step * pixels.width + x * step] ?? -1;
        words[y * width + x] = colours[number] ?? 0;
      }
    }
    context.canvas.width = width;
    context.canvas.height = height;
    context.putImageData(image, 0, 0);
  }, [pixels, key]);
  return (
    <canvas
      ref={canvas}
      className={classes.pixels}
      style={{ opacity }}
      role="img"
      aria-label={t("answers.picture.mask")}
    />
  );
}

/** A colour that lets nothing through, as the bytes of a picture lie in memory. */
function packed([red, green, blue]: [number, number, number]): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
