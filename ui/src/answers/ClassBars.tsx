import { Button, Group, Stack, Text, VisuallyHidden } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Json } from "../api/types";
import classes from "./answers.module.css";
import { isLabel, percent, type Ranked, ranked, readable } from "./numbers";
import type { Scores } from "./values";

const FEW = 10;
const MOST = 1000;

/** A predicted class, or the labels that hold, and a bar for the score of each. */
export function ClassBars({
  prediction,
  scores,
  threshold,
}: {
  prediction: Json;
  scores: Scores;
  /** Of labels of which several may hold: from which score on one does. */
  threshold?: number;
}) {
  const { t, i18n } = useTranslation();
  const [isWhole, setIsWhole] = useState(false);
  const rows = ranked(scores);
  const chosen = Array.isArray(prediction) ? prediction : [prediction];
  const isChosen = (row: Ranked) => chosen.some((label) => isLabel(row.label, label));
  const known = rows.flatMap(({ score }) => (score === null ? [] : [score]));
  const isPart = known.every((score) => score >= 0 && score <= 1);
  const largest = isPart ? 1 : Math.max(...known.map(Math.abs));
  const written = (score: number | null) => {
    if (score === null) return "–";
    return isPart ? percent(score, i18n.language) : readable(score, i18n.language);
  };
  const first = Array.isArray(prediction) ? undefined : rows.find(isChosen);
  const shown = rows.slice(0, isWhole ? MOST : FEW);
  const count = new Intl.NumberFormat(i18n.language);
  const least = threshold === undefined ? "" : percent(threshold, i18n.language);

  return (
    <Stack gap="sm">
      <Group gap="sm" align="baseline">
        <span className={classes.headline} data-testid="predicted">
          {chosen.length > 0 ? chosen.map(title).join(", ") : t("answers.noLabels", { least })}
        </span>
        {first && first.score !== null && (
          <Text span c="dimmed" fz="lg">
            {written(first.score)}
          </Text>
        )}
      </Group>
      {prediction === null && (
        <Text size="sm" c="dimmed">
          {t("answers.noClass")}
        </Text>
      )}
      {shown.length > 0 && (
        <ul className={`${classes.list} ${classes.bars}`} aria-label={t("answers.scores")}>
          {shown.map((row) => (
            <li key={row.place} className={classes.row}>
              <span
                className={`${classes.name} ${isChosen(row) ? classes.strong : ""}`}
                title={row.label}
              >
                {row.label}
              </span>
              <span className={classes.track} aria-hidden>
                <span
                  className={`${classes.bar} ${isChosen(row) ? classes.barChosen : ""}`}
                  style={{ left: 0, width: `${width(row.score, largest)}%` }}
                />
                {threshold !== undefined && isPart && (
                  <span className={classes.middle} style={{ left: `${threshold * 100}%` }} />
                )}
              </span>
              <span
                className={`${classes.value} ${isChosen(row) ? classes.strong : ""}`}
                title={row.score === null ? undefined : String(row.score)}
              >
                {threshold !== undefined && isChosen(row) && (
                  <>
                    <IconCheck size={14} aria-hidden />
                    <VisuallyHidden>{t("answers.holds")}</VisuallyHidden>{" "}
                  </>
                )}
                {written(row.score)}
              </span>
            </li>
          ))}
        </ul>
      )}
      {threshold !== undefined && (
        <Text size="sm" c="dimmed">
          {t("answers.threshold", { least })}
        </Text>
      )}
      {isWhole && rows.length > MOST && (
        <Text size="sm" c="dimmed">
          {t("answers.leftOut", { n: count.format(rows.length - MOST) })}
        </Text>
      )}
      {rows.length > FEW && (
        <Group>
          <Button
            variant="subtle"
            size="compact-sm"
            aria-expanded={isWhole}
            onClick={() => setIsWhole(!isWhole)}
          >
            {isWhole
              ? t("answers.showFewer")
              : t("answers.showAll", { n: count.format(rows.length) })}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

function title(label: Json): string {
  if (label === null) return "–";
  return typeof label === "string" ? label : JSON.stringify(label);
}

function width(score: number | null, largest: number): number {
  if (score === null || largest === 0) return 0;
  return Math.max(0, Math.min(100, (score / largest) * 100));
}
