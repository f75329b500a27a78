import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

/** What uPlot needs besides its size: made anew only where `shape` changes. */
export type Shape = Omit<uPlot.Options, "width" | "height">;

/** A CSS variable as a chart inherits it, in the scheme of the moment. */
export function inherited(plot: uPlot, name: string): string {
  return getComputedStyle(plot.root).getPropertyValue(name).trim() || "#888";
}

/** Lines on a canvas as wide as there is room, redrawn where the data, scheme or width change. */
export function Plot(props: {
  shape: Shape;
  data: uPlot.AlignedData;
  height: number;
  hidden: readonly boolean[];
  label: string;
  /** The place under the cursor; null where there is none. */
  onCursor: (at: number | null) => void;
}) {
  const { shape, data, height, hidden, label, onCursor } = props;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef({ data, onCursor });
  latest.current = { data, onCursor };
  const scheme = useComputedColorScheme("light", { getInitialValueInEffect: false });

  useEffect(() => {
    const box = host.current;
    if (!box) return;
    const made = new uPlot(
      {
        ...shape,
        width: Math.max(1, box.clientWidth),
        height,
        hooks: { setCursor: [(own) => latest.current.onCursor(own.cursor.idx ?? null)] },
      },
      latest.current.data,
      box,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => {
      const width = box.clientWidth;
      if (width > 0 && width !== made.width) made.setSize({ width, height });
    });
    observer.observe(box);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [shape, height]);

  useEffect(() => plot.current?.setData(data), [data]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are read while drawing
  useEffect(() => plot.current?.redraw(false, true), [scheme]);

  const key = hidden.join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for `hidden`
  useEffect(() => {
    for (const [at, isHidden] of hidden.entries()) {
      const series = plot.current?.series[at + 1];
      if (series && series.show === isHidden) plot.current?.setSeries(at + 1, { show: !isHidden });
    }
  }, [key, shape]);

  return <div ref={host} role="img" aria-label={label} style={{ height }} />;
}
