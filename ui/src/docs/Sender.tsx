import { Button, Group, PasswordInput, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Session } from "../api/client";
import { useDocs } from "./context";

/** As whom the page sends; a key can be typed, which only the page knows. */
export function Sender(props: { permission: string | null; session: Session | undefined }) {
  const { permission, session } = props;
  const { t } = useTranslation();
  const { key, setKey } = useDocs();
  const [isTyping, setTyping] = useState(false);
  const lacks = permission && !key && session && !session.permissions.includes(permission);
  const who = session?.signed_in
    ? t("docs.try.asSession", { name: session.principal })
    : t("docs.try.asNobody");
  const isShown = isTyping || key !== "";
  return (
    <div>
      <Group gap="xs">
        <Text size="sm" c="dimmed">
          {key ? t("docs.try.asKey") : who}
        </Text>
        <Button
          variant="default"
          size="compact-sm"
          onClick={() => {
            setTyping(!isShown);
            setKey("");
          }}
        >
          {t(isShown ? "docs.try.dropKey" : "docs.try.useKey")}
        </Button>
      </Group>
      {isShown && (
        <PasswordInput
          label={t("docs.try.key")}
          mt="xs"
          autoComplete="off"
          value={key}
          // A header takes no other letters, and no key has them.
          onChange={(event) => setKey(event.currentTarget.value.replace(/[^!-~]/g, ""))}
        />
      )}
      {lacks && (
        <Text size="sm" mt="xs" c="var(--mantine-color-error)">
          {t("docs.try.lacks", { permission })}
        </Text>
      )}
    </div>
  );
}
