import { Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Row } from "../api/types";
import { UploadButton } from "../inputs/Actions";
import { asRow } from "../share";

/** Opens an input that was downloaded as a file, here or by who passed it on. */
export function OpenInput({ onOpen }: { onOpen: (row: Row) => void }) {
  const { t } = useTranslation();
  const [isBad, setIsBad] = useState(false);
  return (
    <>
      <UploadButton
        accept="application/json,.json"
        label={t("app.openFile")}
        variant="subtle"
        size="sm"
        onPick={async (file) => {
          const read = asRow(await parsed(file));
          setIsBad(!read);
          if (read) onOpen(read);
        }}
      />
      {isBad && (
        <Text size="sm" c="var(--mantine-color-error)" role="alert">
          {t("app.badFile")}
        </Text>
      )}
    </>
  );
}

async function parsed(file: File): Promise<unknown> {
  try {
    return JSON.parse(await file.text());
  } catch {
    return null;
  }
}
