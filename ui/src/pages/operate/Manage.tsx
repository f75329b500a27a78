import { Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import * as figures from "../../api/figures";
import { Confirm } from "../../Confirm";
import { useFocusBack } from "../../useFocusBack";
import type { Changes } from "./changes";
import { Told } from "./Told";

const OWN = ["load", "unload", "reload"];

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
  const load = useRef<HTMLButtonElement>(null);
  const { busy, outcome } = changes;
  const from = useFocusBack(!asks && busy === "", () =>
    outcome?.what === "unload" && outcome.kind === "done" ? load.current : undefined,
  );
  const done = (what: string) => () => t(`operate.manage.done.${what}`, { name });
  return (
    <Paper withBorder p="md" component="section" aria-label={t("operate.manage.title")}>
      <Stack gap="sm">
        <Title order={2} size="h4">
          {t("operate.manage.title")}
        </Title>
        <Group gap="sm">
          <Button
            ref={load}
            variant="default"
            title={t("operate.manage.loadHow")}
            loading={busy === "load"}
            disabled={busy !== ""}
            onClick={(event) => {
              from.current = event.currentTarget;
              void changes.make("load", done("load"), () => figures.load(name));
            }}
          >
            {t("operate.manage.load")}
          </Button>
          <Button
            variant="default"
            title={t("operate.manage.unloadHow")}
            loading={busy === "unload"}
            disabled={busy !== "" || !isThere}
            onClick={(event) => {
              from.current = event.currentTarget;
              setAsks(true);
            }}
          >
            {t("operate.manage.unload")}
          </Button>
          <Button
            variant="default"
            title={t("operate.manage.reloadHow")}
            loading={busy === "reload"}
            disabled={busy !== ""}
            onClick={(event) => {
              from.current = event.currentTarget;
              void changes.make("reload", done("reload"), figures.reload);
            }}
          >
            {t("operate.manage.reload")}
          </Button>
        </Group>
      </Stack>
      <Told changes={changes} of={OWN} />
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
