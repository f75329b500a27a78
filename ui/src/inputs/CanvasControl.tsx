import { Box, Group, Text, VisuallyHidden } from "@mantine/core";
import { IconArrowBackUp, IconBrush, IconEraser, IconTrash } from "@tabler/icons-react";
import {
  type KeyboardEvent,
  type PointerEvent as ReactPointerEvent,
  type RefObject,
  useCallback,
  useEffect,
  useRef,
  useState,
} from "react";
import { useTranslation } from "react-i18next";
import type { Json } from "../api/types";
import { ActionButton, UploadButton } from "./Actions";
import type { ControlProps } from "./control";
import { Frame } from "./Frame";
import { isPicture, MOST_BYTES } from "./files";
import { useIds, useLatest, useProblem } from "./hooks";
import {
  average,
  blank,
  brushOf,
  fillCell,
  fromCells,
  fromValue,
  type Grid,
  gridOf,
  isBlank,
  type Point,
  type Raster,
  stroke,
  type Tone,
  toneOf,
  toValue,
} from "./ink";
import classes from "./inputs.module.css";
import { drawingOf, show } from "./picture";

const MOST_STEPS_BACK = 30;

/** While a stroke is drawn, a value is given at most so often. */
const EVERY_MS = 100;

const WIDEST = 320;

/** The value that is drawn. */
interface Given {
  value: Json | undefined;
  size: string;
  /** When it was given from here, on the page's clock. */
  at: number;
  /** Whether its stroke goes on. */
  isOpen: boolean;
}

interface Sheet {
  canvas: RefObject<HTMLCanvasElement | null>;
  canUndo: boolean;
  /** Draw with what changes the drawing; it can be taken back as one step. */
  begin: () => void;
  change: (draw: (raster: Raster) => void) => void;
  /** Give the value, of a stroke that goes on only where the last one is long enough ago. */
  give: (isOver: boolean) => void;
  replace: (raster: Raster) => void;
  undo: () => void;
  inkAt: (row: number, column: number) => number;
}

/** The drawing behind the canvas: kept finer than the value, and drawn anew when that changes. */
function useSheet(
  grid: Grid,
  tone: Tone,
  value: Json | undefined,
  onChange: (value: Json | undefined) => void,
): Sheet {
  const canvas = useRef<HTMLCanvasElement>(null);
  const raster = useRef<Raster | null>(null);
  const past = useRef<Uint8Array[]>([]);
  const given = useRef<Given | null>(null);
  const [canUndo, setCanUndo] = useState(false);
  const size = `${grid.form} ${grid.height} ${grid.width} ${tone.paper} ${tone.ink}`;
  const latest = useLatest({ grid, tone });

  // What is drawn changes between renders, so it is always asked for anew.
  const drawing = useCallback((): Raster => {
    raster.current ??= blank(latest.current.grid);
    return raster.current;
  }, [latest]);
  const paint = useCallback(() => {
    if (canvas.current) show(canvas.current, average(drawing()));
  }, [drawing]);

  useEffect(() => {
    // A value that was given from here is drawn already, finer than it says.
    const before = given.current;
    if (before?.size === size && (before.isOpen || before.value === value)) return;
    const { grid, tone } = latest.current;
    const cells = fromValue(value, grid, tone);
    raster.current = cells ? fromCells(cells, grid) : blank(grid);
    given.current = { value, size, at: 0, isOpen: false };
    past.current = [];
    setCanUndo(false);
    paint();
  }, [value, size, latest, paint]);

  const give = (isOver: boolean) => {
    const now = performance.now();
    if (!isOver && now - (given.current?.at ?? 0) < EVERY_MS) return;
    const next = isBlank(drawing()) ? undefined : toValue(average(drawing()), grid, tone);
    given.current = { value: next, size, at: now, isOpen: !isOver };
    onChange(next);
  };
  const begin = () => {
    past.current = [...past.current.slice(1 - MOST_STEPS_BACK), drawing().dots.slice()];
    setCanUndo(true);
  };
  const change = (draw: (raster: Raster) => void) => {
    draw(drawing());
    paint();
  };
  const replace = (next: Raster) => {
    begin();
    raster.current = next;
    paint();
    give(true);
  };
  const undo = () => {
    const dots = past.current.pop();
    setCanUndo(past.current.length > 0);
    if (!dots) return;
    raster.current = { ...drawing(), dots };
    paint();
    give(true);
  };
  const inkAt = (row: number, column: number) => average(drawing())[row * grid.width + column] ?? 0;
  return { canvas, canUndo, begin, change, give, replace, undo, inkAt };
}

/** A small grey picture to draw, cell by cell or with a brush. */
export function CanvasControl({ field, value, onChange, error }: ControlProps) {
  const { t } = useTranslation();
  const grid = gridOf(field.shape) ?? { height: 8, width: 8, form: "hw" as const };
  const [problem, setProblem] = useProblem(value);
  const shown = problem ? t(problem, { size: MOST_BYTES / 1024 / 1024 }) : error;
  const ids = useIds(field.description, shown);
  const sheet = useSheet(grid, toneOf(field), value, onChange);
  const latest = useLatest(sheet);
  const [isErasing, setErasing] = useState(false);

  const upload = async (file: Blob) => {
    if (!isPicture(file)) return setProblem("inputs.image.noImage");
    if (file.size > MOST_BYTES) return setProblem("inputs.file.tooLarge");
    try {
      const drawing = await drawingOf(file, grid);
      setProblem(null);
      latest.current.replace(drawing);
    } catch {
      setProblem("inputs.file.unreadable");
    }
  };

  return (
    <Frame ids={ids} field={field} error={shown}>
      <Paper
        grid={grid}
        sheet={sheet}
        isErasing={isErasing}
        name={field.name}
        labelledBy={ids.labelId}
        describedBy={ids.describedBy}
        isInvalid={Boolean(shown)}
      />
      <Group gap="xs">
        <ActionButton
          variant={isErasing ? "filled" : "default"}
          aria-pressed={isErasing}
          leftSection={<IconEraser size={16} aria-hidden />}
          onClick={() => setErasing(!isErasing)}
        >
          {t("inputs.canvas.eraser")}
        </ActionButton>
        <ActionButton
          leftSection={<IconArrowBackUp size={16} aria-hidden />}
          disabled={!sheet.canUndo}
          onClick={sheet.undo}
        >
          {t("inputs.canvas.undo")}
        </ActionButton>
        <ActionButton
          leftSection={<IconTrash size={16} aria-hidden />}
          disabled={value === undefined}
          onClick={() => {
            setProblem(null);
            setErasing(false);
            sheet.replace(blank(grid));
          }}
        >
          {t("inputs.canvas.clear")}
        </ActionButton>
        <UploadButton
          accept="image/*"
          label={t("inputs.canvas.upload")}
          onPick={(file) => void upload(file)}
        />
      </Group>
    </Frame>
  );
}

interface PaperProps {
  grid: Grid;
  sheet: Sheet;
  isErasing: boolean;
  name: string;
  labelledBy: string;
  describedBy: string | undefined;
  isInvalid: boolean;
}

function Paper({ grid, sheet, isErasing, name, labelledBy, describedBy, isInvalid }: PaperProps) {
  const { t } = useTranslation();
  const [cursor, setCursor] = useState<{ row: number; column: number } | null>(null);
  const [said, setSaid] = useState("");
  const pen = useRef<{ id: number; last: Point; erase: boolean } | null>(null);
  const hintId = `${labelledBy}-hint`;

  const pointOf = (event: { clientX: number; clientY: number }): Point => {
    const box = sheet.canvas.current?.getBoundingClientRect();
    if (!box?.width || !box.height) return { x: 0, y: 0 };
    return {
      x: ((event.clientX - box.left) / box.width) * grid.width,
      y: ((event.clientY - box.top) / box.height) * grid.height,
    };
  };
  const line = (points: readonly Point[]) => {
    const held = pen.current;
    if (!held) return;
    sheet.change((raster) => {
      for (const point of points) {
        stroke(raster, held.last, point, brushOf(grid), !held.erase);
        held.last = point;
      }
    });
  };
  const down = (event: ReactPointerEvent<HTMLCanvasElement>) => {
    // A pen turned round says that its eraser touches, as button 5.
    if (pen.current || (event.button !== 0 && event.button !== 5)) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const start = pointOf(event);
    pen.current = { id: event.pointerId, last: start, erase: isErasing || event.button === 5 };
    setCursor(null);
    sheet.begin();
    line([start]);
    sheet.give(false);
  };
  const move = (event: ReactPointerEvent<HTMLCanvasElement>) => {
    if (pen.current?.id !== event.pointerId) return;
    const between = event.nativeEvent.getCoalescedEvents?.() ?? [];
    line((between.length ? between : [event]).map(pointOf));
    sheet.give(false);
  };
  const up = (event: ReactPointerEvent<HTMLCanvasElement>) => {
    if (pen.current?.id !== event.pointerId) return;
    pen.current = null;
    sheet.give(true);
  };

  const say = (row: number, column: number, ink: number) =>
    setSaid(
      t(ink >= 0.5 ? "inputs.canvas.inked" : "inputs.canvas.empty", {
        row: row + 1,
        column: column + 1,
      }),
    );
  const press = (event: KeyboardEvent) => {
    const at = cursor ?? { row: Math.floor(grid.height / 2), column: Math.floor(grid.width / 2) };
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      sheet.undo();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps: Record<string, [number, number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const step = steps[event.key];
    if (step) {
      event.preventDefault();
      const row = Math.max(0, Math.min(grid.height - 1, at.row + step[0]));
      const column = Math.max(0, Math.min(grid.width - 1, at.column + step[1]));
      setCursor({ row, column });
      say(row, column, sheet.inkAt(row, column));
    } else if (event.key === " ") {
      event.preventDefault();
      const ink = sheet.inkAt(at.row, at.column) >= 0.5 ? 0 : 1;
      sheet.begin();
      sheet.change((raster) => fillCell(raster, at.row, at.column, ink));
      sheet.give(true);
      setCursor(at);
      say(at.row, at.column, ink);
    }
  };
  const focus = () => {
    // A pointer draws where it is, so the cell of the keyboard would only be in its way.
    if (sheet.canvas.current?.matches(":focus-visible")) {
      setCursor({ row: Math.floor(grid.height / 2), column: Math.floor(grid.width / 2) });
    }
  };
  const percent = (part: number, whole: number) => `${(100 * part) / whole}%`;

  return (
    <>
      <Box
        className={classes.sheet}
        mod={{ invalid: isInvalid }}
        w={Math.round(WIDEST * Math.min(1, grid.width / grid.height))}
      >
        {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: as an application it gets the arrow keys from screen readers */}
        <canvas
          ref={sheet.canvas}
          width={grid.width}
          height={grid.height}
          className={classes.paper}
          role="application"
          tabIndex={0}
          aria-roledescription={t("inputs.canvas.role")}
          aria-label={t("inputs.canvas.label", { name, rows: grid.height, columns: grid.width })}
          aria-describedby={[describedBy, hintId].filter(Boolean).join(" ")}
          onPointerDown={down}
          onPointerMove={move}
          onPointerUp={up}
          onPointerCancel={up}
          onLostPointerCapture={up}
          onKeyDown={press}
          onFocus={focus}
          onBlur={() => setCursor(null)}
        />
        {cursor && (
          <Box
            className={classes.cursor}
            top={percent(cursor.row, grid.height)}
            left={percent(cursor.column, grid.width)}
            w={percent(1, grid.width)}
            h={percent(1, grid.height)}
          />
        )}
      </Box>
      <Group id={hintId} gap={4} c="dimmed" wrap="nowrap">
        <IconBrush size={14} aria-hidden />
        <Text size="xs">{t("inputs.canvas.hint")}</Text>
      </Group>
      <VisuallyHidden aria-live="polite">{said}</VisuallyHidden>
    </>
  );
}
