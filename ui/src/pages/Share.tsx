import { Button, FileButton, Group, Stack, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ModelInfo, Row } from "../api/types";
import { useCopy } from "../copy";
import { save } from "../save";
import { asRow, toFragment } from "../share";

/** The address that reproduces an input; a file where it is too long for one. */
export function Share(props: { model: ModelInfo; row: Row; onOpen: (row: Row) => void }) {
  const { model, row, onOpen } = props;
  const { t } = useTranslation();
  const [link, setLink] = useState<string | null>();
  const [isBad, setIsBad] = useState(false);
  useEffect(() => {
    let isOwn = true;
    void toFragment(row).then((fragment) => {
      if (!isOwn) return;
      const bare = location.pathname + location.search;
      history.replaceState(history.state, "", bare + (fragment ?? ""));
      setLink(fragment && location.href);
    });
    return () => {
      isOwn = false;
    };
  }, [row]);
  const { said, copy } = useCopy(link ?? "");
  if (link)
    return (
      <Button variant="subtle" size="compact-sm" onClick={copy} data-testid="share">
        {t(said ? `copy.${said}` : "app.share")}
      </Button>
    );
  if (link === undefined) return null;
  return (
    <Stack gap={4}>
      <Text size="xs" c="dimmed">
        {t("app.tooLong")}
      </Text>
      <Group gap="xs">
        <Button
          variant="default"
          size="compact-sm"
          leftSection={<IconDownload size={14} />}
          onClick={() => save(`${model.name}-input.json`, JSON.stringify(row), "application/json")}
        >
          {t("app.download")}
        </Button>
        <FileButton
          accept="application/json,.json"
          onChange={async (file) => {
            const read = file && asRow(await parsed(file));
            setIsBad(!read);
            if (read) onOpen(read);
          }}
        >
          {(button) => (
            <Button variant="subtle" size="compact-sm" {...button}>
              {t("app.openFile")}
            </Button>
          )}
        </FileButton>
      </Group>
      {isBad && (
        <Text size="xs" c="red" role="alert">
          {t("app.badFile")}
        </Text>
      )}
    </Stack>
  );
}

async function parsed(file: File): Promise<unknown> {
  try {
    return JSON.parse(await file.text());
  } catch {
    return null;
  }
}
