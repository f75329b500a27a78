import { Alert, Button, Drawer, Skeleton, Stack, Title } from "@mantine/core";
import { IconMenu2 } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import * as client from "../api/client";
import { DocsProvider } from "../docs/context";
import classes from "../docs/docs.module.css";
import { GroupPage } from "../docs/GroupPage";
import { Overview } from "../docs/Overview";
import { groupOf, read } from "../docs/openapi";
import { Sidebar } from "../docs/Sidebar";
import { addTexts } from "../i18n";
import * as texts from "../i18n/docs";
import { useLoaded } from "../useLoaded";
import { Trouble } from "./Trouble";

addTexts(texts);

/** The API's documentation, from the document that the server gives to this caller. */
export default function Docs() {
  const { t } = useTranslation();
  const { group: slug } = useParams();
  const { value, error, reload } = useLoaded("openapi", client.openapi);
  const api = useMemo(() => value && read(value), [value]);
  const [key, setKey] = useState("");
  const [isDrawn, setDrawn] = useState(false);
  const shared = useMemo(() => api && { api, key, setKey, reload }, [api, key, reload]);
  if (error && !value) return <Trouble error={error} retry={reload} />;
  if (!api || !shared) return <Waiting />;
  const group = slug === undefined ? undefined : groupOf(api, slug);
  return (
    <DocsProvider value={shared}>
      {error && <Trouble error={error} retry={reload} />}
      <div className={classes.layout}>
        <div className={classes.opener}>
          <Button
            variant="default"
            leftSection={<IconMenu2 size={16} aria-hidden />}
            onClick={() => setDrawn(true)}
          >
            {t("docs.contents")}
          </Button>
        </div>
        <Drawer.Root opened={isDrawn} onClose={() => setDrawn(false)} size="min(22rem, 90vw)">
          <Drawer.Overlay />
          <Drawer.Content>
            {/* By itself it would be a second head of the page. */}
            <Drawer.Header role="none">
              <Drawer.Title fw={600}>{t("docs.contents")}</Drawer.Title>
              <Drawer.CloseButton aria-label={t("inputs.close")} />
            </Drawer.Header>
            <Drawer.Body>
              <Sidebar current={group} onGo={() => setDrawn(false)} />
            </Drawer.Body>
          </Drawer.Content>
        </Drawer.Root>
        <div className={classes.side}>
          <Sidebar current={group} />
        </div>
        {slug === undefined && <Overview />}
        {group && <GroupPage key={group.name} group={group} />}
        {slug !== undefined && !group && (
          <Stack gap="md">
            <Title order={1}>{slug}</Title>
            <Alert color="yellow">{t("docs.noGroup")}</Alert>
          </Stack>
        )}
      </div>
    </DocsProvider>
  );
}

function Waiting() {
  return (
    <Stack gap="md">
      <Skeleton h={40} w={300} />
      <Skeleton h={320} />
    </Stack>
  );
}
