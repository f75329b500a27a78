import { Button, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { OutputInfo } from "../api/types";
import classes from "./answers.module.css";
import { Copy } from "./Copy";
import { cosine, norm, readable, sparkline } from "./numbers";

const FEW = 32;
/** More bars than that say no more than the line above them. */
const MOST_BARS = 500;
const WIDTH = 240;
const HEIGHT = 60;

type Values = (number | null)[];

/**
 * A list of numbers: a few as bars. Many as a line: above their bars where they have a unit or
 * names of their own, as a forecast's have; else, as an embedding's, to be compared with another.
 */
export function VectorAnswer({
  values,
  output,
  asked,
}: {
  values: Values;
  output: OutputInfo | null;
  /** What was asked, in a few words. */
  asked: string;
}) {
  if (values.length <= FEW) return <Bars values={values} output={output} />;
  const hasMeanings = Boolean(output?.unit) || output?.classes?.length === values.length;
  return hasMeanings ? (
    <Series values={values} output={output} />
  ) : (
    <Embedding values={values} asked={asked} />
  );
}

function Bars({ values, output }: { values: Values; output: OutputInfo | null }) {
  const { t, i18n } = useTranslation();
  const known = values.filter((value) => value !== null);
  const low = known.reduce((least, value) => Math.min(least, value), 0);
  const high = known.reduce((most, value) => Math.max(most, value), 0);
  const span = high - low || 1;
  const names = output?.classes?.length === values.length ? output.classes : null;
  const shown = values.slice(0, MOST_BARS);
  const rows = shown.map((value, at) => ({ value, at, name: String(names?.[at] ?? at) }));
  return (
    <Group align="flex-start" wrap="nowrap" gap="xs">
      <ol
        className={`${classes.list} ${classes.grow} ${values.length > FEW ? classes.long : ""}`}
        aria-label={t("answers.vector.values")}
        {...(values.length > FEW ? { tabIndex: 0 } : {})}
      >
        {rows.map(({ value, at, name }) => (
          <li key={at} className={classes.vectorRow}>
            <Text span size="sm" c="dimmed" className={classes.name ?? ""} title={name}>
              {name}
            </Text>
            <span className={classes.track} aria-hidden>
              <span
                className={`${classes.bar} ${classes.barChosen}`}
                style={{
                  left: `${((Math.min(0, value ?? 0) - low) / span) * 100}%`,
                  width: `${(Math.abs(value ?? 0) / span) * 100}%`,
                }}
              />
              {low < 0 && (
                <span className={classes.middle} style={{ left: `${(-low / span) * 100}%` }} />
              )}
            </span>
            <span
              className={classes.value}
              title={value === null ? t("answers.noNumber") : String(value)}
            >
              {value === null ? "–" : readable(value, i18n.language)}
              {output?.unit && value !== null ? ` ${output.unit}` : ""}
            </span>
          </li>
        ))}
      </ol>
      <Copy value={JSON.stringify(values)} />
    </Group>
  );
}

function Series({ values, output }: { values: Values; output: OutputInfo | null }) {
  const { t, i18n } = useTranslation();
  const left = values.length - MOST_BARS;
  return (
    <Stack gap="sm">
      <Line values={values} />
      <Bars values={values} output={output} />
      {left > 0 && (
        <Text size="sm" c="dimmed">
          {t("answers.leftOut", { n: new Intl.NumberFormat(i18n.language).format(left) })}
        </Text>
      )}
    </Stack>
  );
}

function Line({ values }: { values: Values }) {
  const { t, i18n } = useTranslation();
  const length = new Intl.NumberFormat(i18n.language).format(values.length);
  return (
    <svg
      className={classes.spark}
      viewBox={`-1 -1 ${WIDTH + 2} ${HEIGHT + 2}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={t("answers.vector.line", { n: length })}
    >
      <path d={sparkline(values, WIDTH, HEIGHT)} />
    </svg>
  );
}

function Embedding({ values, asked }: { values: Values; asked: string }) {
  const { t, i18n } = useTranslation();
  const [kept, setKept] = useState<{ values: Values; asked: string } | null>(null);
  const known = values.filter((value) => value !== null);
  const number = (value: number | null) => (value === null ? "–" : readable(value, i18n.language));
  const least = known.length ? known.reduce((a, b) => Math.min(a, b)) : null;
  const most = known.length ? known.reduce((a, b) => Math.max(a, b)) : null;
  const facts: [string, number | null][] = [
    [t("answers.vector.length"), values.length],
    [t("answers.vector.norm"), norm(values)],
    [t("answers.vector.least"), least],
    [t("answers.vector.most"), most],
  ];
  return (
    <Stack gap="sm">
      <Group gap="lg">
        {facts.map(([name, value]) => (
          <div key={name}>
            <Text size="sm" c="dimmed">
              {name}
            </Text>
            <Text title={value === null ? t("answers.noNumber") : String(value)}>
              {number(value)}
            </Text>
          </div>
        ))}
        <Copy value={JSON.stringify(values)} />
      </Group>
      <Line values={values} />
      <Group gap="xs">
        <Button size="compact-sm" variant="light" onClick={() => setKept({ values, asked })}>
          {t(kept ? "answers.vector.replace" : "answers.vector.keep")}
        </Button>
        {kept && (
          <Button size="compact-sm" variant="subtle" onClick={() => setKept(null)}>
            {t("answers.vector.forget")}
          </Button>
        )}
      </Group>
      <Stack gap={4} mih="4.5rem">
        <Text size="sm" c="dimmed" lineClamp={2}>
          {kept
            ? `${t("answers.vector.kept")} ${kept.asked || t("answers.vector.unnamed")}`
            : t("answers.vector.hint")}
        </Text>
        {kept?.values === values && <Text size="sm">{t("answers.vector.this")}</Text>}
        {kept && kept.values !== values && <Similarity value={cosine(kept.values, values)} />}
      </Stack>
    </Stack>
  );
}

function Similarity({ value }: { value: number | null }) {
  const { t, i18n } = useTranslation();
  if (value === null) return <Text size="sm">{t("answers.vector.none")}</Text>;
  const written = new Intl.NumberFormat(i18n.language, {
    minimumFractionDigits: 3,
    maximumFractionDigits: 3,
  }).format(value);
  return (
    <div>
      <Group justify="space-between">
        <Text size="sm">{t("answers.vector.similarity")}</Text>
        <Text fw={600} title={String(value)}>
          {written}
        </Text>
      </Group>
      <div className={classes.track} aria-hidden>
        <span
          className={`${classes.bar} ${classes.barChosen}`}
          style={{ left: `${50 + Math.min(0, value) * 50}%`, width: `${Math.abs(value) * 50}%` }}
        />
        <span className={classes.middle} style={{ left: "50%" }} />
      </div>
    </div>
  );
}
