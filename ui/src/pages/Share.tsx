import { Button, Stack, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ModelInfo, Row } from "../api/types";
import { useCopy } from "../copy";
import { save } from "../save";
import { bareAddress, toFragment } from "../share";

/** The address that reproduces an input; a file where it is too long for one. */
export function Share(props: { model: ModelInfo; row: Row }) {
  const { model, row } = props;
  const { t } = useTranslation();
  const [link, setLink] = useState<string | null>();
  useEffect(() => {
    let isOwn = true;
    void toFragment(row).then((fragment) => {
      if (!isOwn) return;
      history.replaceState(history.state, "", bareAddress() + (fragment ?? ""));
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
      <Button
        variant="default"
        size="compact-sm"
        leftSection={<IconDownload size={14} />}
        onClick={() => save(`${model.name}-input.json`, JSON.stringify(row), "application/json")}
      >
        {t("app.download")}
      </Button>
    </Stack>
  );
}
