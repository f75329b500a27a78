import { Box, Stack, Text } from "@mantine/core";
import { useMemo } from "react";
import type { Answer, ModelInfo, Row } from "../api/types";
import { asked } from "./asked";
import { ClassBars } from "./ClassBars";
import { JsonView } from "./JsonView";
import { NumberAnswer } from "./NumberAnswer";
import { PictureAnswer } from "./PictureAnswer";
import { type Part, parts } from "./parts";
import { TableAnswer } from "./TableAnswer";
import { TextAnswer } from "./TextAnswer";
import { manyRows } from "./table";
import { VectorAnswer } from "./VectorAnswer";

/** An answer: each of its parts in the view that fits, or many rows as a table. */
export function AnswerView({
  model,
  request,
  answer,
}: {
  model: ModelInfo;
  request: Row;
  answer: Answer;
}) {
  // Pages render often, and pictures are long texts.
  const { many, found, words } = useMemo(() => {
    const rows = manyRows(model, request, answer);
    return {
      many: rows,
      found: rows ? [] : parts(model, request, answer),
      words: asked(model, request),
    };
  }, [model, request, answer]);
  return (
    <Stack gap="lg">
      {many && <TableAnswer {...many} fileName={`${model.name}.csv`} />}
      {found.map((part) => (
        // Its own model's and name's, so that what a view keeps goes on to the next answer.
        <Section
          key={`${model.name}/${part.name}/${part.shown.view}`}
          part={part}
          isNamed={found.length > 1}
          words={words}
        />
      ))}
    </Stack>
  );
}

function Section({ part, isNamed, words }: { part: Part; isNamed: boolean; words: string }) {
  const { name, output } = part;
  return (
    // Not a landmark: two answers beside each other have parts of the same names.
    <Box role="group" aria-label={name}>
      {isNamed && <Text fw={600}>{name}</Text>}
      <View part={part} words={words} />
      {output?.description && (
        <Text size="sm" c="dimmed" mt={4}>
          {output.description}
        </Text>
      )}
    </Box>
  );
}

function View({ part: { name, output, shown }, words }: { part: Part; words: string }) {
  switch (shown.view) {
    case "classes":
      return <ClassBars prediction={shown.prediction} scores={shown.scores} />;
    case "labels":
      return (
        <ClassBars
          prediction={shown.prediction}
          scores={shown.scores}
          threshold={shown.threshold}
        />
      );
    case "number":
      return <NumberAnswer value={shown.value} output={output} />;
    case "text":
      return <TextAnswer text={shown.text} />;
    case "spans":
      return <TextAnswer text={shown.text} spans={shown.spans} />;
    case "boxes":
      return <PictureAnswer picture={shown.picture} output={output} boxes={shown.boxes} />;
    case "mask":
      return <PictureAnswer picture={shown.picture} output={output} mask={shown.mask} />;
    case "vector":
      return <VectorAnswer values={shown.values} output={output} asked={words} />;
    case "json":
      return <JsonView value={shown.value} label={name} />;
  }
}
