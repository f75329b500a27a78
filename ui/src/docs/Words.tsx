import { Code, Text, type TextProps } from "@mantine/core";

/** A text of the document: paragraphs, and code between backticks. */
export function Words({ text, ...rest }: { text: string } & TextProps) {
  return text
    .split(/\n{2,}/)
    .filter(Boolean)
    .map((paragraph, at) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: a text is cut the same way each time
      <Text key={at} {...rest}>
        {paragraph.split("`").map((part, n) =>
          // biome-ignore lint/suspicious/noArrayIndexKey: as above
          n % 2 === 1 ? <Code key={n}>{part}</Code> : part,
        )}
      </Text>
    ));
}
