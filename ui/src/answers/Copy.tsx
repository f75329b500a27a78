import { ActionIcon } from "@mantine/core";
import { IconCheck, IconCopy, IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { useCopy } from "../copy";

/** A button that copies a text. */
export function Copy({ value, label }: { value: string; label?: string | undefined }) {
  const { t } = useTranslation();
  const { said, copy } = useCopy(value);
  const text = said ? t(`copy.${said}`) : (label ?? t("answers.copy"));
  const Icon = said === null ? IconCopy : said === "copied" ? IconCheck : IconX;
  return (
    <ActionIcon variant="subtle" color="gray" onClick={copy} aria-label={text} title={text}>
      <Icon size={16} />
    </ActionIcon>
  );
}
