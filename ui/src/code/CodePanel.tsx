import { Button, Group, Stack, Tabs, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { ModelInfo, Row } from "../api/types";
import { save } from "../save";
import { CodeBlock } from "./CodeBlock";
import { requestFiles, type Snippets, snippets } from "./snippets";

/** The request that the page sends, as code in several languages. */
export function CodePanel({
  model,
  request,
  version,
}: {
  model: ModelInfo;
  request: Row;
  version?: string | undefined;
}) {
  const { t } = useTranslation();
  const { origin } = window.location;
  const texts = useMemo(
    () => snippets(model, origin, request, version),
    [model, origin, request, version],
  );
  const files = useMemo(() => requestFiles(model, request), [model, request]);
  const titles: Record<keyof Snippets, string> = {
    curl: "curl",
    python: t("answers.code.python"),
    javascript: t("answers.code.javascript"),
    oip: t("answers.code.oip"),
  };
  const names = Object.keys(titles) as (keyof Snippets)[];
  return (
    <Stack gap="sm">
      <Tabs defaultValue="curl">
        <Tabs.List aria-label={t("answers.code.label")}>
          {names.map((name) => (
            <Tabs.Tab key={name} value={name}>
              {titles[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {names.map((name) => (
          <Tabs.Panel key={name} value={name} pt="sm">
            <CodeBlock name={name} title={titles[name]} text={texts[name]} />
          </Tabs.Panel>
        ))}
      </Tabs>
      {files.length > 0 && (
        <Group gap="xs">
          <Text size="sm" c="dimmed">
            {t("answers.code.files")}
          </Text>
          {files.map(({ name, text }) => (
            <Button
              key={name}
              size="compact-sm"
              variant="light"
              leftSection={<IconDownload size={16} aria-hidden />}
              onClick={() => save(name, text, "application/json")}
            >
              {t("answers.code.download", { name })}
            </Button>
          ))}
        </Group>
      )}
    </Stack>
  );
}
