import {
  Alert,
  Anchor,
  Group,
  Skeleton,
  Stack,
  Tabs,
  Text,
  Title,
  VisuallyHidden,
} from "@mantine/core";
import { IconArrowLeft } from "@tabler/icons-react";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useParams } from "react-router";
import * as api from "../api/client";
import type { ModelInfo } from "../api/types";
import { useLook } from "../Look";
import { appPath, ONLY_APP } from "../onlyApp";
import { isStranger, useSession } from "../session";
import { useLoaded } from "../useLoaded";
import { useTitle } from "../useTitle";
import { About } from "./About";
import { Missing } from "./Missing";
import { StateBadge } from "./StateBadge";
import { Trouble } from "./Trouble";
import { TryIt } from "./TryIt";

const Batch = lazy(() => import("./Batch"));
const Compare = lazy(() => import("./Compare"));

const VIEWS = ["one", "batch", "compare", "about"] as const;

/** A model's page: try it, many rows, what it is. */
export default function ModelApp() {
  const { name = ONLY_APP ?? "", view = "one" } = useParams();
  return <Named key={name} name={name} view={view} />;
}

function Named({ name, view }: { name: string; view: string }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { session } = useSession();
  const { value: model, error, reload } = useLoaded(name, (signal) => api.model(name, signal));
  const known = model && isServed(model) ? model.app : model;
  const title = known?.title ?? (model || error ? name : "");
  useTitle(title);
  useLook(model && isServed(model) ? model.app.colour : null, title);
  if (!VIEWS.some((known) => known === view)) return <Missing />;
  return (
    <Stack gap="md">
      <div>
        {ONLY_APP === null ? (
          <>
            <Anchor component={Link} to="/" size="sm">
              <Group component="span" gap={4} display="inline-flex">
                <IconArrowLeft size={14} aria-hidden />
                {t("app.back")}
              </Group>
            </Anchor>
            <Group gap="sm" mt={4}>
              <Title order={1}>{title || name}</Title>
              {model && <StateBadge state={model.state} />}
              {model && session && !isStranger(session) && (
                <Anchor
                  component={Link}
                  to={`/docs/${encodeURIComponent(name)}`}
                  size="sm"
                  ms="auto"
                >
                  {t("app.api")}
                </Anchor>
              )}
            </Group>
          </>
        ) : (
          // The head has it for those who see.
          <VisuallyHidden component="h1">{title || name}</VisuallyHidden>
        )}
        {known?.description && (
          <Text c="dimmed" maw={760} mt={4}>
            {known.description}
          </Text>
        )}
      </div>
      {error && <Trouble error={error} retry={reload} />}
      {!model && !error && <Skeleton h={420} />}
      {model && !isServed(model) && (
        <Alert color="red">{t("app.notServed", { reason: model.reason ?? model.state })}</Alert>
      )}
      {model && isServed(model) && (
        <Tabs
          value={view}
          onChange={(chosen) => navigate(appPath(name, chosen === "one" ? "" : (chosen ?? "")))}
          keepMounted={false}
        >
          <Tabs.List mb="md">
            {VIEWS.map((known) => (
              <Tabs.Tab key={known} value={known}>
                {t(`app.views.${known}`)}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value="one">
            <TryIt model={model} />
          </Tabs.Panel>
          <Tabs.Panel value="batch">
            <Suspense fallback={<Skeleton h={300} />}>
              <Batch model={model} />
            </Suspense>
          </Tabs.Panel>
          <Tabs.Panel value="compare">
            <Suspense fallback={<Skeleton h={300} />}>
              <Compare model={model} />
            </Suspense>
          </Tabs.Panel>
          <Tabs.Panel value="about">
            <About model={model} />
          </Tabs.Panel>
        </Tabs>
      )}
    </Stack>
  );
}

/** Whether all is known of it: a version that is not served is listed only. */
function isServed(model: ModelInfo): boolean {
  return Array.isArray(model.fields);
}
