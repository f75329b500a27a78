import { Switch } from "@mantine/core";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { single } from "./check";
import type { ControlProps } from "./control";

/** Yes or no. */
export function SwitchControl({ field, value, onChange, error }: ControlProps) {
  const { t } = useTranslation();
  const given = single(value);
  // A switch always shows one of the two, so that is its value.
  useEffect(() => {
    if (given === undefined) onChange(false);
  }, [given, onChange]);
  return (
    <Switch
      label={field.name}
      description={field.description}
      error={error}
      size="md"
      checked={given === true}
      onChange={(event) => onChange(event.currentTarget.checked)}
      onLabel={t("inputs.yes")}
      offLabel={t("inputs.no")}
    />
  );
}
