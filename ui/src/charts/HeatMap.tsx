import { useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { quantile, total } from "./buckets";
import { ChartFrame } from "./ChartFrame";
import classes from "./charts.module.css";
import { clock, duration, short } from "./format";
import { type Heat, heat, strength, whole } from "./heat";
import { type Hour, LEAST_S } from "./hour";

const HEIGHT = 200;
/** Least width of a column, in pixels. */
const COLUMN = 6;

/** When how many answers took how long: columns of time, rows of durations. */
export function HeatMap({ title, hour }: { title: string; hour: Hour }) {
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  const { ref, width } = useElementSize();
  const [under, setUnder] = useState<{ column: number; bucket: number }>();
  const { times, latency, boundsS, stepS } = hour;
  const most = Math.max(20, Math.floor(width / COLUMN));
  const map = useMemo(
    () => heat(times, latency, most, LEAST_S / stepS),
    [times, latency, most, stepS],
  );
  const sums = whole(latency);
  const all = total(sums);
  const range = (bucket: number) => {
    const [low, high] = [boundsS[bucket - 1] ?? 0, boundsS[bucket]];
    return high === undefined
      ? t("charts.over", { low: duration(low, language) })
      : t("charts.between", { low: duration(low, language), high: duration(high, language) });
  };
  const rows = map.last - map.first + 1;
  const labels = Array.from({ length: rows }, (_, at) => map.first + at);
  // Not more bounds than can be read.
  const every = Math.ceil(rows / 9);
  const count = under ? (map.columns[under.column]?.[under.bucket] ?? 0) : 0;
  const part = (of: number) => {
    const found = quantile(sums, boundsS, of);
    return found === null ? "–" : duration(found, language);
  };

  return (
    <ChartFrame
      title={title}
      testId="heat"
      summary={
        all === 0
          ? t("charts.heatNothing")
          : t("charts.heatSaid", {
              count: all,
              all: new Intl.NumberFormat(language).format(all),
              p50: part(0.5),
              p95: part(0.95),
              p99: part(0.99),
            })
      }
      height={HEIGHT}
      table={() => ({
        head: [t("charts.took"), t("charts.answers"), t("charts.share")],
        body: labels.map((bucket) => {
          const own = sums[bucket] ?? 0;
          const share = new Intl.NumberFormat(language, {
            style: "percent",
            maximumFractionDigits: 1,
          }).format(all ? own / all : 0);
          return [range(bucket), new Intl.NumberFormat(language).format(own), share];
        }),
      })}
      legend={
        <div className={classes.legend}>
          <span className={classes.scale}>
            {map.most > 1 && (
              <>
                <span>1</span>
                <span className={classes.ramp} aria-hidden />
                <span>{short(map.most, language)}</span>
                <span>{t("charts.answersPerField")}</span>
              </>
            )}
          </span>
          <span className={classes.scale} data-testid="under">
            {under &&
              t("charts.under", {
                at: clock(map.times[under.column] ?? 0, language, stepS < 60),
                range: range(under.bucket),
                n: new Intl.NumberFormat(language).format(count),
              })}
          </span>
        </div>
      }
    >
      <div className={classes.heat} style={{ height: HEIGHT }}>
        <div className={classes.bounds} aria-hidden>
          {all > 0 &&
            labels
              .filter((_, at) => at % every === 0)
              .map((bucket) => (
                <span
                  key={bucket}
                  className={classes.bound}
                  style={{ bottom: `${(100 * (bucket - map.first + 0.5)) / rows}%` }}
                >
                  {boundsS[bucket] === undefined
                    ? `> ${duration(boundsS.at(-1) ?? 0, language)}`
                    : `≤ ${duration(boundsS[bucket] ?? 0, language)}`}
                </span>
              ))}
        </div>
        <div ref={ref} className={classes.field}>
          <Fields map={map} label={title} onUnder={setUnder} />
          {all === 0 && <span className={classes.empty}>{t("charts.heatNothing")}</span>}
        </div>
        <div className={classes.times} aria-hidden>
          {map.times.length > 1 &&
            [0, 0.5, 1].map((at) => (
              <span key={at}>
                {clock(map.times[Math.round(at * (map.times.length - 1))] ?? 0, language)}
              </span>
            ))}
        </div>
      </div>
    </ChartFrame>
  );
}

function Fields(props: {
  map: Heat;
  label: string;
  onUnder: (under: { column: number; bucket: number } | undefined) => void;
}) {
  const { map, label, onUnder } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const scheme = useComputedColorScheme("light", { getInitialValueInEffect: false });
  const rows = map.last - map.first + 1;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the scheme changes the colour that is read
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !map.columns.length) return;
    // One pixel for each field: the browser stretches them, with sharp edges.
    const { canvas: own } = context;
    own.width = map.columns.length;
    own.height = rows;
    const [red = 0, green = 0, blue = 0] = getComputedStyle(own)
      .getPropertyValue("--heat")
      .trim()
      .split(/\s+/)
      .map(Number);
    const image = context.createImageData(own.width, rows);
    for (const [column, counts] of map.columns.entries()) {
      for (let row = 0; row < rows; row++) {
        const found = strength(counts?.[map.last - row] ?? 0, map.most);
        image.data.set([red, green, blue, Math.round(255 * found)], 4 * (row * own.width + column));
      }
    }
    context.putImageData(image, 0, 0);
  }, [map, rows, scheme]);
  return (
    <canvas
      ref={canvas}
      role="img"
      aria-label={label}
      style={{ imageRendering: "pixelated" }}
      onPointerMove={(event) => {
        const box = event.currentTarget.getBoundingClientRect();
        const x = (event.clientX - box.left) / box.width;
        const y = (event.clientY - box.top) / box.height;
        const column = Math.floor(x * map.columns.length);
        const bucket = map.last - Math.floor(y * rows);
        const isInside = column >= 0 && column < map.columns.length;
        onUnder(isInside ? { column, bucket } : undefined);
      }}
      onPointerLeave={() => onUnder(undefined)}
    />
  );
}
