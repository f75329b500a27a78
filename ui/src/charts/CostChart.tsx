import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import uPlot from "uplot";
import type { CostCurve } from "../api/types";
import { ChartFrame } from "./ChartFrame";
import { duration, short } from "./format";
import { colourName, dash, Legend } from "./Legend";
import { inherited, Plot, type Shape } from "./Plot";
import { useHidden } from "./useHidden";

const HEIGHT = 200;

/** What a run of so many rows takes, as it was measured: its time, or the rows in a second. */
export function CostChart(props: { what: "seconds" | "rows_per_s"; curves: CostCurve[] }) {
  const { what, curves } = props;
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  const [at, setAt] = useState<number | null>(null);
  const [hidden, toggle] = useHidden();
  const title = t(`operate.cost.${what}`);
  const names = curves.map((curve) =>
    curve.row_elements === null && curves.length === 1
      ? title
      : [
          curve.row_elements === null ? "" : t("operate.cost.rowsOf", { size: curve.row_elements }),
          t("operate.cost.atOnce", { count: curve.at_once }),
        ]
          .filter(Boolean)
          .join(", "),
  );
  const written = (value: number | null | undefined) => {
    if (value === null || value === undefined) return "–";
    return what === "seconds" ? duration(value, language) : `${short(value, language)}/s`;
  };
  const key = JSON.stringify([names, curves.map((curve) => curve.best_rows)]);
  const shape = useMemo(() => {
    const [lines, best] = JSON.parse(key) as [string[], number[]];
    return shaped(lines, best, what, language);
  }, [key, what, language]);
  const data = useMemo(
    () =>
      uPlot.join(
        curves.map((curve) => [
          curve.points.map((point) => point.rows),
          curve.points.map((point) => point[what]),
        ]),
      ),
    [curves, what],
  );
  const rows = data[0] as number[];
  const shown = at ?? bestPlace(rows, curves);
  const valueAt = (line: number) => {
    const value = written((data[line + 1] as (number | null)[])[shown]);
    const count = rows[shown];
    return count === undefined ? value : `${value} (${t("operate.cost.count", { count })})`;
  };
  const [first] = curves;
  const best = first?.best_rows ?? null;
  const own = first?.points.find((point) => point.rows === best);

  return (
    <ChartFrame
      title={title}
      height={HEIGHT}
      testId={`cost-${what}`}
      summary={
        own
          ? t("operate.cost.said", {
              count: own.rows,
              time: duration(own.seconds, language),
              rate: short(own.rows_per_s, language),
            })
          : t("operate.cost.noBest")
      }
      table={() => ({
        head: [t("operate.cost.rows"), ...names],
        body: rows.map((count, place) => [
          count === best ? t("operate.cost.best", { rows: count }) : String(count),
          ...names.map((_, line) => written((data[line + 1] as (number | null)[])[place])),
        ]),
      })}
      legend={
        <Legend
          label={t("charts.lines", { title })}
          keys={names.map((name, line) => ({ name, value: valueAt(line) }))}
          hidden={hidden}
          onToggle={toggle}
        />
      }
    >
      <Plot
        shape={shape}
        data={data}
        height={HEIGHT}
        hidden={names.map((name) => hidden.includes(name))}
        label={title}
        onCursor={setAt}
      />
    </ChartFrame>
  );
}

function bestPlace(rows: number[], curves: CostCurve[]): number {
  const at = rows.indexOf(curves[0]?.best_rows ?? -1);
  return at < 0 ? rows.length - 1 : at;
}

function shaped(
  names: string[],
  best: number[],
  what: "seconds" | "rows_per_s",
  language: string,
): Shape {
  const axis: uPlot.Axis = {
    stroke: (plot) => inherited(plot, "--mantine-color-dimmed"),
    grid: { stroke: (plot) => inherited(plot, "--grid"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  return {
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false },
    padding: [12, 16, 0, 0],
    scales: {
      x: { time: false, distr: 3, log: 2, range: (_, low, high) => around(low, high) },
      y: { range: (_, __, high) => [0, 1.15 * (high ?? 1) || 1] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        splits: (_, __, low, high) => POWERS.filter((rows) => rows >= low && rows <= high),
        // Where there is little room, uPlot leaves some out.
        values: (_, splits: (number | null)[]) =>
          splits.map((rows) => (rows === null ? "" : short(rows, language))),
      },
      {
        ...axis,
        size: 68,
        space: 34,
        values: (_, splits) =>
          splits.map((value) =>
            what === "seconds" ? duration(value, language) : short(value, language),
          ),
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
          spanGaps: true,
          points: { show: true, size: 6 },
        }),
      ),
    ],
    plugins: [{ hooks: { draw: (plot) => markBest(plot, best[0] ?? null) } }],
  };
}

const POWERS = Array.from({ length: 25 }, (_, at) => 2 ** at);

/** Room to both sides, also around a single size. */
const around = (low: number | null, high: number | null): [number, number] => [
  (low ?? 1) / 1.3,
  (high ?? 1) * 1.3,
];

/** A line down from the best size, with the size beside. */
function markBest(plot: uPlot, rows: number | null): void {
  if (rows === null) return;
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(rows, "x", true));
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = inherited(plot, "--line-4");
  ctx.lineWidth = ratio;
  ctx.setLineDash([4 * ratio, 4 * ratio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = `600 ${12 * ratio}px system-ui, sans-serif`;
  const isLate = x > bbox.left + bbox.width / 2;
  ctx.textAlign = isLate ? "right" : "left";
  ctx.fillText(`★ ${rows}`, x + (isLate ? -6 : 6) * ratio, bbox.top + 12 * ratio);
  ctx.restore();
}
