import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type uPlot from "uplot";
import { ChartFrame } from "./ChartFrame";
import classes from "./charts.module.css";
import { clock } from "./format";
import { HOUR_S, LEAST_S, type Line } from "./hour";
import { colourName, dash, Legend } from "./Legend";
import { inherited, Plot, type Shape } from "./Plot";
import { byMinute, said } from "./table";
import { useHidden } from "./useHidden";

export interface Named {
  name: string;
  line: Line;
}

const HEIGHT = 200;

/** Lines over the last hour, which go on as values come. */
export function TimeChart(props: {
  title: string;
  times: number[];
  lines: Named[];
  /** A value as it is written on the axis, in the legend and in the table. */
  written: (value: number, language: string) => string;
  /** The least upper end of the axis. */
  least?: number;
  /** Whether values of very different sizes share it. */
  isLog?: boolean;
  /** Whether its steps are powers of two, as those of memory. */
  isBinary?: boolean;
  testId?: string;
}) {
  const {
    title,
    times,
    lines,
    written,
    least = 1,
    isLog = false,
    isBinary = false,
    testId,
  } = props;
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  const [at, setAt] = useState<number | null>(null);
  const [hidden, toggle] = useHidden();
  const names = JSON.stringify(lines.map((line) => line.name));
  const shape = useMemo(
    () => shaped(JSON.parse(names) as string[], written, language, { least, isLog, isBinary }),
    [names, written, language, least, isLog, isBinary],
  );
  const data = useMemo(
    () => [times, ...lines.map(({ line }) => (isLog ? positive(line) : line))] as uPlot.AlignedData,
    [times, lines, isLog],
  );
  const shown = at ?? times.length - 1;
  const value = (line: Line) => {
    const known = line[shown] ?? null;
    return known === null ? "–" : written(known, language);
  };
  const hasAny = lines.some(({ line }) => line.some((known) => known !== null));
  const summary = [
    t("charts.hour"),
    ...lines.map(({ name, line }) => {
      const facts = said(line);
      return facts
        ? t("charts.said", {
            name,
            now: written(facts.now, language),
            mean: written(facts.mean, language),
            most: written(facts.most, language),
            at: clock(times[facts.at] ?? 0, language),
          })
        : t("charts.saidNothing", { name });
    }),
  ].join(" ");

  return (
    <ChartFrame
      title={title}
      summary={summary}
      height={HEIGHT}
      testId={testId}
      table={() => ({
        head: [t("charts.time"), ...lines.map(({ name }) => name)],
        body: byMinute(
          times,
          lines.map(({ line }) => line),
        ).map(([minute, ...means]) => [
          clock(minute, language),
          ...means.map((mean) => (mean === null ? "–" : written(mean, language))),
        ]),
      })}
      legend={
        <Legend
          label={t("charts.lines", { title })}
          keys={lines.map(({ name, line }) => ({ name, value: value(line) }))}
          hidden={hidden}
          onToggle={toggle}
        />
      }
    >
      <Plot
        shape={shape}
        data={data}
        height={HEIGHT}
        hidden={lines.map(({ name }) => hidden.includes(name))}
        label={title}
        onCursor={setAt}
      />
      {!hasAny && <span className={classes.empty}>{t("charts.nothing")}</span>}
    </ChartFrame>
  );
}

/** A logarithm has no zero. */
const positive = (line: Line): Line => line.map((value) => (value && value > 0 ? value : null));

function shaped(
  names: string[],
  written: (value: number, language: string) => string,
  language: string,
  axes: { least: number; isLog: boolean; isBinary: boolean },
): Shape {
  const { least, isLog, isBinary } = axes;
  const axis: uPlot.Axis = {
    stroke: (plot) => inherited(plot, "--mantine-color-dimmed"),
    grid: { stroke: (plot) => inherited(plot, "--grid"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  return {
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, sync: { key: "hour" }, y: false, points: { size: 7 } },
    scales: {
      x: {
        range: (_, first, last) => {
          const end = last ?? Date.now() / 1000;
          return [Math.max(end - HOUR_S, Math.min(first ?? end, end - LEAST_S)), end];
        },
      },
      y: isLog
        ? { distr: 3, range: (_, low, high) => decades(low, high) }
        : { range: (_, __, high) => [0, Math.max(least, 1.15 * (high ?? 0))] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        space: 64,
        values: (_, splits) => splits.map((time) => clock(time, language)),
      },
      {
        ...axis,
        size: 68,
        space: 34,
        ...(isBinary ? { incrs: POWERS } : {}),
        // A logarithm's steps between the decades are many, and say little.
        ...(isLog ? { grid: { ...axis.grid, filter: onlyDecades } } : {}),
        values: (_, splits) =>
          splits.map((value) => (value === null ? "" : written(value, language))),
      },
    ],
    series: [
      {},
      ...names.map(
        (name, at): uPlot.Series => ({
          label: name,
          stroke: (plot) => inherited(plot, colourName(at)),
          width: 1.75,
          dash: dash(at),
          points: { show: false },
        }),
      ),
    ],
  };
}

const POWERS = Array.from({ length: 50 }, (_, at) => 2 ** at);

const onlyDecades = (_: uPlot, splits: number[]): (number | null)[] =>
  splits.map((value) => (Math.abs(Math.log10(value) % 1) < 1e-6 ? value : null));

/** Whole decades around what is to be seen. */
function decades(low: number | null, high: number | null): [number, number] {
  const least = 10 ** Math.floor(Math.log10(low && low > 0 ? low : 1e-4));
  const most = 10 ** Math.ceil(Math.log10(high && high > 0 ? high : 1e-2));
  return [least, most > least ? most : 10 * least];
}
