import { Group } from "@mantine/core";
import classes from "./answers.module.css";
import { Copy } from "./Copy";
import type { Span } from "./parts";
import { SpanText } from "./SpanText";

/** A text, as the model wrote it or as it was sent with what the model found in it. */
export function TextAnswer({ text, spans }: { text: string; spans?: Span[] }) {
  if (spans) return <SpanText text={text} spans={spans} />;
  return (
    <Group gap="xs" align="flex-start" wrap="nowrap">
      <p className={`${classes.text} ${classes.grow}`}>{text}</p>
      <Copy value={text} />
    </Group>
  );
}
