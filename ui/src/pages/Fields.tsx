import { Alert, SimpleGrid, Skeleton, Text } from "@mantine/core";
import { Suspense } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "../api/client";
import type { FieldInfo, Json, Row } from "../api/types";
import { controlFor, isCanvas, isSingle } from "../inputs";
import { gridOf } from "../inputs/ink";

/** Which values need not be given, said once for all of them. */
export function MayBeEmpty({ fields }: { fields: FieldInfo[] }) {
  const { t } = useTranslation();
  const names = fields.filter((field) => field.nullable).map((field) => field.name);
  if (names.length === 0) return null;
  return (
    <Text size="sm" c="dimmed">
      {names.length === fields.length
        ? t("app.anyEmpty")
        : t("app.someEmpty", { names: names.join(", ") })}
    </Text>
  );
}

/** What has to be given before anything can run. */
export function StillMissing({ fields }: { fields: FieldInfo[] }) {
  const { t } = useTranslation();
  if (fields.length === 0) return null;
  return (
    <Alert color="yellow" role="alert">
      {t("app.incomplete", { names: fields.map((field) => field.name).join(", ") })}
    </Alert>
  );
}

/** A control for each field; a failure is told at the one that it names. */
export function Fields(props: {
  fields: FieldInfo[];
  row: Row;
  example: Row | undefined;
  failure: Error | undefined;
  onChange: (field: FieldInfo, value: Json | undefined) => void;
}) {
  const { fields, row, example, failure, onChange } = props;
  const wrong = failure instanceof ApiError ? failure.detail.tensor : undefined;
  // Many single values are read across, a few or large ones from top to bottom.
  const isMany = fields.length > 6 && fields.every((field) => !field.shape.length);
  return (
    <SimpleGrid cols={isMany ? { base: 1, xs: 2, xl: 3 } : 1} spacing={isMany ? "sm" : "md"}>
      {fields.map((field) => {
        const Control = controlFor(field);
        return (
          <Suspense key={field.name} fallback={<Skeleton h={heightOf(field)} />}>
            <Control
              field={field}
              value={row[field.name]}
              onChange={(value) => onChange(field, value)}
              error={field.name === wrong ? failure?.message : undefined}
              example={example?.[field.name]}
            />
          </Suspense>
        );
      })}
    </SimpleGrid>
  );
}

/** About how high a control that is still loaded will be, in pixels: what is below it stays there. */
function heightOf(field: FieldInfo): number {
  const label = field.description ? 48 : 30;
  if (field.kind === "image") return label + 244;
  if (field.kind === "audio") return label + 90;
  if (isSingle(field)) return label + 32;
  const grid = isCanvas(field) && gridOf(field.shape);
  if (grid) return label + 65 + 320 * Math.min(1, grid.height / grid.width);
  return label + 148;
}
