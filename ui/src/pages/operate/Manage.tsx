import { Alert, Button, Group, List, Paper, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as figures from "../../api/figures";
import { Trouble } from "../Trouble";
import { Confirm } from "./Confirm";
import type { Changes } from "./changes";

/** Load, unload, and read the repository anew. */
export function Manage(props: {
  name: string;
  changes: Changes;
  /** Whether there is anything to unload. */
  isThere: boolean;
}) {
  const { name, changes, isThere } = props;
  const { t } = useTranslation();
  const [asks, setAsks] = useState(false);
  const done = (what: string) => () => t(`operate.manage.done.${what}`, { name });
  return (
    <Paper withBorder p="md" component="section" aria-label={t("operate.manage.title")}>
      <Stack gap="sm">
        <Title order={2} size="h4">
          {t("operate.manage.title")}
        </Title>
        <Group gap="sm">
          <Button
            variant="default"
            title={t("operate.manage.loadHow")}
            loading={changes.busy === "load"}
            disabled={changes.busy !== ""}
            onClick={() => void changes.make("load", done("load"), () => figures.load(name))}
          >
            {t("operate.manage.load")}
          </Button>
          <Button
            variant="default"
            title={t("operate.manage.unloadHow")}
            loading={changes.busy === "unload"}
            disabled={changes.busy !== "" || !isThere}
            onClick={() => setAsks(true)}
          >
            {t("operate.manage.unload")}
          </Button>
          <Button
            variant="default"
            title={t("operate.manage.reloadHow")}
            loading={changes.busy === "reload"}
            disabled={changes.busy !== ""}
            onClick={() => void changes.make("reload", done("reload"), figures.reload)}
          >
            {t("operate.manage.reload")}
          </Button>
        </Group>
        <Told changes={changes} />
      </Stack>
      {asks && (
        <Confirm
          title={t("operate.manage.unloadTitle", { name })}
          action={t("operate.manage.unload")}
          isDangerous
          onClose={() => setAsks(false)}
          onConfirm={() => {
            setAsks(false);
            void changes.make("unload", done("unload"), () => figures.unload(name));
          }}
        >
          <Text size="sm">{t("operate.manage.unloadWhat")}</Text>
        </Confirm>
      )}
    </Paper>
  );
}

/** What became of the last change, in the server's words where something is wrong. */
function Told({ changes }: { changes: Changes }) {
  const { t } = useTranslation();
  const { outcome } = changes;
  return (
    <div aria-live="polite" data-testid="outcome">
      {outcome?.kind === "failed" && <Trouble error={outcome.error} />}
      {outcome?.kind === "done" && (
        <Alert color={outcome.problems.length ? "yellow" : "teal"} variant="light">
          <Text size="sm">
            {outcome.problems.length ? t("operate.manage.partly") : outcome.said}
          </Text>
          {outcome.problems.length > 0 && (
            <List size="sm">
              {outcome.problems.map((problem) => (
                <List.Item key={problem}>{problem}</List.Item>
              ))}
            </List>
          )}
        </Alert>
      )}
    </div>
  );
}
