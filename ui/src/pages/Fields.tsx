import { Alert, SimpleGrid, Skeleton, Text } from "@mantine/core";
import { Suspense } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "../api/client";
import type { FieldInfo, Json, Row } from "../api/types";
import { controlFor } from "../inputs";

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
          <Suspense key={field.name} fallback={<Skeleton h={62} />}>
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
