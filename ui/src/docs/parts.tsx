import { NativeSelect, Text, Title } from "@mantine/core";

/** Of an operation's heading. */
export type Level = 2 | 3;

/** The title of a part of an operation. */
export function PartTitle({ level, children }: { level: Level; children: string }) {
  return (
    <Title order={(level + 1) as 3 | 4} size="h5" mb={6}>
      {children}
    </Title>
  );
}

/** A choice of media types; one alone is said. */
export function MediaSelect(props: {
  types: string[];
  media: string;
  onMedia: (media: string) => void;
  label: string;
}) {
  const { types, media, onMedia, label } = props;
  if (types.length < 2) {
    return (
      <Text size="sm" c="dimmed" ff="monospace">
        {media}
      </Text>
    );
  }
  return (
    <NativeSelect
      aria-label={label}
      w="fit-content"
      mb={6}
      data={types}
      value={media}
      onChange={(event) => onMedia(event.currentTarget.value)}
    />
  );
}
