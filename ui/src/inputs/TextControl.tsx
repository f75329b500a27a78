import { Stack, Text, Textarea } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Json } from "../api/types";
import { single } from "./check";
import type { ControlProps } from "./control";
import { Unknown } from "./Unknown";

/** A text of any length. */
export function TextControl({ field, value, onChange, error, example }: ControlProps) {
  const { t } = useTranslation();
  const given = single(value);
  const told = single(example);
  const text = typeof given === "string" ? given : "";
  const isUnknown = given === null && Boolean(field.nullable);
  const [kept, setKept] = useState<Json | undefined>();
  return (
    <Stack gap="xs">
      <Textarea
        label={field.name}
        description={field.description}
        error={error}
        autosize
        minRows={field.kind === "text" ? 4 : 2}
        maxRows={16}
        value={text}
        onChange={(event) => onChange(event.currentTarget.value)}
        disabled={isUnknown}
        placeholder={typeof told === "string" ? told.slice(0, 200) : undefined}
        bottomSection={
          <Text size="xs" c="dimmed" ta="right">
            {t("inputs.characters", { count: text.length })}
          </Text>
        }
      />
      {field.nullable && (
        <Unknown
          name={field.name}
          checked={isUnknown}
          onChange={(checked) => {
            if (checked) setKept(given);
            onChange(checked ? null : kept);
          }}
        />
      )}
    </Stack>
  );
}
