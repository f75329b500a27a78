import { ActionIcon, CopyButton } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";

/** A button that copies a text; absent where the browser lets no page copy (plain http). */
export function Copy({ value, label }: { value: string; label?: string | undefined }) {
  const { t } = useTranslation();
  if (!("clipboard" in navigator)) return null;
  return (
    <CopyButton value={value} timeout={1500}>
      {({ copied, copy }) => {
        const text = copied ? t("answers.copied") : (label ?? t("answers.copy"));
        return (
          <ActionIcon variant="subtle" color="gray" onClick={copy} aria-label={text} title={text}>
            {copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
          </ActionIcon>
        );
      }}
    </CopyButton>
  );
}
