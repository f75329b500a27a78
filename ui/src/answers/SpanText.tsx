import { Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import classes from "./answers.module.css";
import { colours } from "./colours";
import { percent } from "./numbers";
import { pieces, type Span } from "./parts";
import { tint } from "./tint";

/** A text with its marked spans, each with its label and score, and what the colours mean. */
export function SpanText({ text, spans }: { text: string; spans: Span[] }) {
  const { t, i18n } = useTranslation();
  const named = colours(spans.map((span) => span.label));
  const counts = new Map<string, number>();
  for (const span of spans) counts.set(span.label, (counts.get(span.label) ?? 0) + 1);
  const words = ({ label, score }: Span) =>
    score === null ? label : `${label} ${percent(score, i18n.language)}`;
  const count = new Intl.NumberFormat(i18n.language);

  return (
    <Stack gap="sm">
      <p className={`${classes.text} ${classes.marked}`}>
        {pieces(text, spans).map((piece) => {
          const inner = piece.over[0];
          if (!inner) return <span key={piece.start}>{piece.text}</span>;
          return (
            <mark
              key={piece.start}
              className={classes.mark}
              style={tint(named.get(inner.label))}
              title={piece.over.map(words).join(", ")}
            >
              {piece.text}
              {piece.ending.length > 0 && (
                <span className={classes.markLabel}> {piece.ending.map(words).join(", ")}</span>
              )}
            </mark>
          );
        })}
      </p>
      {spans.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t("answers.text.nothing")}
        </Text>
      ) : (
        <Group
          component="ul"
          className={classes.list ?? ""}
          gap="md"
          aria-label={t("answers.text.marks")}
        >
          {[...counts].map(([label, n]) => (
            <Group key={label} gap={6} component="li" wrap="nowrap">
              <span className={classes.swatch} style={tint(named.get(label))} aria-hidden />
              <Text span size="sm">
                {label || "–"} · {count.format(n)}
              </Text>
            </Group>
          ))}
        </Group>
      )}
    </Stack>
  );
}
