import { Checkbox, Group, Slider, Stack, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import classes from "./answers.module.css";
import { colour } from "./colours";
import { MaskLayer } from "./MaskLayer";
import { percent } from "./numbers";
import { PictureFrame } from "./PictureFrame";
import type { Mask } from "./parts";
import { type Gray, grayPng } from "./png";
import { tint } from "./tint";

const UNSEEN = 255;
const FEW = 12;
const BACKGROUND = /^[\W_]*(background|bg|none|unlabell?ed|背景)[\W_]*$/i;

/** A class for each pixel of a picture: colours over it, and the part of each class beside it. */
export function MaskAnswer({ source, mask }: { source: string | null; mask: Mask }) {
  const { t, i18n } = useTranslation();
  const [opacity, setOpacity] = useState(60);
  const [hidden, setHidden] = useState<readonly string[]>(() =>
    Object.keys(mask.parts).filter((name) => BACKGROUND.test(name)),
  );
  const [read, setRead] = useState<{ png: string; pixels: Gray | null } | null>(null);
  const { png } = mask;
  useEffect(() => {
    let isWanted = true;
    const keep = (pixels: Gray | null) => isWanted && setRead({ png, pixels });
    grayPng(png).then(keep, () => keep(null));
    return () => {
      isWanted = false;
    };
  }, [png]);

  const pixels = read?.png === png ? read.pixels : null;
  const names = Object.keys(mask.parts);
  const all = names.map((name, at) => ({ name, at, part: mask.parts[name] ?? 0 }));
  const shown =
    all.length <= FEW
      ? all
      : all.filter(({ part }) => part > 0).sort((a, b) => b.part - a.part || a.at - b.at);
  const toggle = (name: string) =>
    setHidden(hidden.includes(name) ? hidden.filter((one) => one !== name) : [...hidden, name]);
  const whole = new Intl.NumberFormat(i18n.language, { style: "percent" });
  const asPercent = (value: number) => whole.format(value / 100);

  return (
    <div className={classes.picture}>
      <div className={classes.pictureFrame}>
        <PictureFrame source={source} size={{ width: mask.width, height: mask.height }} isExact>
          {() =>
            pixels && (
              <MaskLayer pixels={pixels} names={names} hidden={hidden} opacity={opacity / 100} />
            )
          }
        </PictureFrame>
        {read?.png === png && !read.pixels && (
          <Text size="sm" c="dimmed">
            {t("answers.picture.maskFailed")}
          </Text>
        )}
      </div>
      <Stack className={classes.pictureSide ?? ""} gap="xs">
        <Group justify="space-between">
          <Text size="sm">{t("answers.picture.opacity")}</Text>
          <Text size="sm">{asPercent(opacity)}</Text>
        </Group>
        <Slider
          value={opacity}
          onChange={setOpacity}
          label={null}
          thumbLabel={t("answers.picture.opacity")}
          thumbValueText={asPercent}
        />
        <ul className={`${classes.list} ${classes.found}`} aria-label={t("answers.picture.parts")}>
          {shown.map(({ name, at, part }) => (
            <Group key={name} component="li" gap="xs" h="2rem" wrap="nowrap">
              <Checkbox
                className={classes.grow ?? ""}
                size="xs"
                checked={!hidden.includes(name)}
                onChange={() => toggle(name)}
                label={
                  <Group gap={6} wrap="nowrap">
                    <span className={classes.swatch} style={tint(colour(at))} aria-hidden />
                    {name}
                  </Group>
                }
              />
              <span className={classes.value}>{percent(part, i18n.language)}</span>
            </Group>
          ))}
        </ul>
        {pixels?.values.includes(UNSEEN) && (
          <Text size="sm" c="dimmed">
            {t("answers.picture.notSeen")}
          </Text>
        )}
      </Stack>
    </div>
  );
}
