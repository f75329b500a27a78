import { Button, Stack, Tabs, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { CodeBlock } from "../code/CodeBlock";
import { save } from "../save";
import { useSession } from "../session";
import { bodyFile, type Codes, codes, type KeyNeed } from "./code";
import { useDocs } from "./context";
import { accepted, type Operation } from "./openapi";
import { type Level, PartTitle } from "./parts";
import { isReadable } from "./receive";
import type { Draft, Problems, Request } from "./request";

/** The request that the page sends, as code. */
export function CodeBox(props: {
  operation: Operation;
  draft: Draft;
  request: Request;
  problems: Problems;
  level: Level;
}) {
  const { operation, draft, request, problems, level } = props;
  const { t } = useTranslation();
  const { api, key } = useDocs();
  const { session } = useSession();
  const { origin } = window.location;
  const { permission } = operation;
  const type = draft.accept || accepted(api, operation)[0] || "";
  const isAllowed = permission !== null && Boolean(session?.permissions.includes(permission));
  const isKnown = Boolean(session?.needs_key || session?.signed_in || key);
  const need: KeyNeed = permission === null ? "none" : isAllowed && !isKnown ? "maybe" : "needed";
  // Code may name a file that is to be chosen yet; of a body that is missing or wrong there is none.
  const isRight = !problems.body || problems.body === "docs.try.noFile";
  const made = useMemo(() => {
    const answer = /[/+]json$/.test(type) || !type ? "json" : isReadable(type) ? "text" : "bytes";
    return isRight ? codes({ request, origin, key: need, answer }) : null;
  }, [request, origin, need, type, isRight]);
  const file = bodyFile(request.body);
  const names: Record<keyof Codes, string> = {
    curl: "curl",
    python: t("answers.code.python"),
    javascript: t("answers.code.javascript"),
  };
  return (
    <Stack gap="xs" mt="lg">
      <PartTitle level={level}>{t("docs.codes.title")}</PartTitle>
      {made === null ? (
        <Text size="sm" c="dimmed">
          {t("docs.codes.wrong")}
        </Text>
      ) : (
        <Tabs defaultValue="curl" keepMounted={false}>
          <Tabs.List aria-label={t("docs.codes.label")}>
            {Object.entries(names).map(([name, title]) => (
              <Tabs.Tab key={name} value={name}>
                {title}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          {Object.entries(names).map(([name, title]) => (
            <Tabs.Panel key={name} value={name} pt="sm">
              <CodeBlock name={name} title={title} text={made[name as keyof Codes]} />
            </Tabs.Panel>
          ))}
        </Tabs>
      )}
      {made && file && (
        <div>
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconDownload size={14} aria-hidden />}
            onClick={() => save(file.name, file.text, draft.media)}
          >
            {t("answers.code.download", { name: file.name })}
          </Button>
        </div>
      )}
    </Stack>
  );
}
