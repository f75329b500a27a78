import { Group, Slider, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { OutputInfo } from "../api/types";
import classes from "./answers.module.css";
import { colours } from "./colours";
import { percent } from "./numbers";
import { PictureFrame, type Size } from "./PictureFrame";
import type { Detection } from "./parts";
import { tint } from "./tint";

const TAGGED = 12;

/** What was found in a picture: boxes over it, and a list beside it. */
export function BoxesAnswer({
  source,
  boxes,
  output,
}: {
  source: string | null;
  boxes: Detection[];
  output: OutputInfo | null;
}) {
  const { t, i18n } = useTranslation();
  const lowest = output?.kind === "boxes" ? (output.threshold ?? 0.25) : 0;
  const [least, setLeast] = useState(lowest);
  const [pointed, setPointed] = useState<Detection | null>(null);
  const [pinned, setPinned] = useState<Detection | null>(null);
  const named = colours(
    boxes.map((box) => box.label),
    output?.classes,
  );
  const shown = boxes
    .map((found, place) => ({ found, place }))
    .filter(({ found }) => found.score === null || found.score >= least || least <= lowest);
  const active = [pointed, pinned].find((one) => shown.some(({ found }) => found === one)) ?? null;
  const count = new Intl.NumberFormat(i18n.language);
  const score = (value: number) => percent(value, i18n.language);
  const whole = new Intl.NumberFormat(i18n.language, { style: "percent" });
  const said = t("answers.picture.boxes", {
    n: count.format(shown.length),
    all: count.format(boxes.length),
  });

  return (
    <div className={classes.picture}>
      <div className={classes.pictureFrame}>
        <PictureFrame source={source} size={extent(boxes)}>
          {(size) => (
            <>
              <svg
                viewBox={`0 0 ${size.width} ${size.height}`}
                preserveAspectRatio="none"
                role="img"
                aria-label={said}
              >
                {shown.map(({ found, place }) => (
                  <Box
                    key={place}
                    found={found}
                    colour={named.get(found.label)}
                    isActive={found === active}
                    isFaint={active !== null && found !== active}
                  />
                ))}
              </svg>
              {shown
                .filter(({ found }) => found === active || (!active && shown.length <= TAGGED))
                .map(({ found, place }) => (
                  <Tag key={place} found={found} colour={named.get(found.label)} size={size} />
                ))}
            </>
          )}
        </PictureFrame>
      </div>
      <Stack className={classes.pictureSide ?? ""} gap="xs">
        <Group justify="space-between">
          <Text size="sm">{t("answers.picture.least")}</Text>
          <Text size="sm">{whole.format(least)}</Text>
        </Group>
        <Slider
          min={lowest}
          max={1}
          step={0.01}
          value={least}
          onChange={setLeast}
          label={null}
          thumbLabel={t("answers.picture.least")}
          thumbValueText={whole.format}
        />
        <Text size="sm" c="dimmed">
          {boxes.length === 0 ? t("answers.picture.nothing") : said}
        </Text>
        <ul className={`${classes.list} ${classes.found}`} aria-label={t("answers.picture.found")}>
          {shown.map(({ found, place }) => (
            <li key={place}>
              <button
                type="button"
                className={classes.item}
                aria-pressed={found === pinned}
                onMouseEnter={() => setPointed(found)}
                onMouseLeave={() => setPointed(null)}
                onFocus={() => setPointed(found)}
                onBlur={() => setPointed(null)}
                onClick={() => setPinned(found === pinned ? null : found)}
              >
                <span className={classes.swatch} style={tint(named.get(found.label))} aria-hidden />
                <span className={`${classes.name} ${classes.grow}`} title={found.label}>
                  {found.label}
                </span>
                <span className={classes.value}>
                  {found.score === null ? "–" : score(found.score)}
                </span>
              </button>
            </li>
          ))}
        </ul>
      </Stack>
    </div>
  );
}

function Box({
  found: { box },
  colour,
  isActive,
  isFaint,
}: {
  found: Detection;
  colour: string | undefined;
  isActive: boolean;
  isFaint: boolean;
}) {
  if (!box) return null;
  const place = {
    x: box.left,
    y: box.top,
    width: Math.max(0, box.right - box.left),
    height: Math.max(0, box.bottom - box.top),
    vectorEffect: "non-scaling-stroke",
  };
  return (
    <g opacity={isFaint ? 0.25 : 1}>
      {/* A white edge around the colour, so that it is seen on any picture. */}
      <rect {...place} fill="none" stroke="#fff" strokeWidth={isActive ? 6 : 4} />
      <rect
        {...place}
        fill={colour}
        fillOpacity={isActive ? 0.25 : 0}
        stroke={colour}
        strokeWidth={isActive ? 4 : 2}
      />
    </g>
  );
}

function Tag({
  found: { box, label },
  colour,
  size,
}: {
  found: Detection;
  colour: string | undefined;
  size: Size;
}) {
  if (!box) return null;
  return (
    <span
      className={classes.tag}
      aria-hidden
      style={{
        ...tint(colour),
        // Inside of the picture wherever the box is.
        ...(box.left > 0.7 * size.width
          ? { right: `${100 - (box.right / size.width) * 100}%` }
          : { left: `${(box.left / size.width) * 100}%` }),
        top: `min(${(box.top / size.height) * 100}%, 100% - 1.25rem)`,
      }}
    >
      {label}
    </span>
  );
}

/** The smallest size that has all boxes in it, for a picture whose own is not known. */
function extent(boxes: Detection[]): Size | null {
  const places = boxes.flatMap(({ box }) => (box ? [box] : []));
  if (places.length === 0) return null;
  return {
    width: Math.max(1, ...places.map((box) => box.right)),
    height: Math.max(1, ...places.map((box) => box.bottom)),
  };
}
