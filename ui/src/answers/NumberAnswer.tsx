import { Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { OutputInfo } from "../api/types";
import classes from "./answers.module.css";
import { Copy } from "./Copy";
import { readable } from "./numbers";

/** One number, to read; its exact value is in the title, and what is copied. */
export function NumberAnswer({
  value,
  output,
}: {
  value: number | null;
  output: OutputInfo | null;
}) {
  const { t, i18n } = useTranslation();
  if (value === null) {
    return (
      <Stack gap="xs">
        <span className={classes.headline}>–</span>
        <Text size="sm" c="dimmed">
          {t("answers.noNumber")}
        </Text>
      </Stack>
    );
  }
  const exact = String(value);
  return (
    <Group gap="xs" align="center">
      <span className={classes.headline} title={exact}>
        {readable(value, i18n.language)}
        {output?.unit && (
          <Text span fz="lg" c="dimmed">
            {" "}
            {output.unit}
          </Text>
        )}
      </span>
      <Copy value={exact} label={t("answers.copyValue", { value: exact })} />
    </Group>
  );
}
