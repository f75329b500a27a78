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
import { Link, Navigate, useNavigate, useParams } from "react-router";
import * as api from "../api/client";
import type { ModelInfo } from "../api/types";
import { useLook } from "../Look";
import { appPath, ONLY_APP } from "../onlyApp";
import { useSession } from "../session";
import { useLoaded } from "../useLoaded";
import { useTitle } from "../useTitle";
import { About } from "./About";
import { Missing } from "./Missing";
import { StateBadge } from "./StateBadge";
import { Trouble } from "./Trouble";
import { TryIt, useTried } from "./TryIt";

const Batch = lazy(() => import("./Batch"));
const Compare = lazy(() => import("./Compare"));
const Operate = lazy(() => import("./operate/Operate"));

/** The views of a model that is served; the last one is there for every model. */
const VIEWS = ["one", "batch", "compare", "about", "operate"] as const;

/** A model's page: try it, many rows, what it is, how it does. */
export default function ModelApp() {
  const { name = ONLY_APP ?? "", view = "one" } = useParams();
  return <Named key={name} name={name} view={view} />;
}

function Named({ name, view }: { name: string; view: string }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { session } = useSession();
  const tried = useTried();
  const { value: model, error, reload } = useLoaded(name, (signal) => api.model(name, signal));
  const whole = model && isServed(model) ? model : undefined;
  const known = whole ? whole.app : model;
  const title = known?.title ?? (model || error ? name : "");
  useTitle(title);
  useLook(whole?.app.colour ?? null, title);
  const mayRead = ONLY_APP === null && session?.permissions.includes("read");
  const isAdmin = session?.permissions.includes("admin");
  if (!VIEWS.some((known) => known === view)) return <Missing />;
  if (view === "operate" && session && !mayRead) {
    return ONLY_APP === null ? <Navigate to={appPath(name)} replace /> : <Missing />;
  }
  // There is nothing to try; and once it is served, whoever loaded it stays where they are.
  if (model && !whole && mayRead && view !== "operate") {
    return <Navigate to={appPath(name, "operate")} replace />;
  }
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
              {model && mayRead && (
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
      {model && !whole && (
        <Alert color="red">
          {t("app.notServed", {
            reason: model.reason ?? t(`home.state.${model.state}`, { defaultValue: model.state }),
          })}
        </Alert>
      )}
      {(whole || (model && mayRead) || (error && mayRead && isAdmin)) && (
        <Tabs
          value={whole ? view : "operate"}
          onChange={(chosen) => navigate(appPath(name, chosen === "one" ? "" : (chosen ?? "")))}
          keepMounted={false}
        >
          <Tabs.List mb="md">
            {VIEWS.filter((each) => (each === "operate" ? mayRead : whole)).map((known) => (
              <Tabs.Tab key={known} value={known}>
                {t(known === "operate" ? "operate.tab" : `app.views.${known}`)}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          {whole && (
            <>
              <Tabs.Panel value="one">
                <TryIt model={whole} tried={tried} />
              </Tabs.Panel>
              <Tabs.Panel value="batch">
                <Suspense fallback={<Skeleton h={300} />}>
                  <Batch model={whole} />
                </Suspense>
              </Tabs.Panel>
              <Tabs.Panel value="compare">
                <Suspense fallback={<Skeleton h={300} />}>
                  <Compare model={whole} begun={tried.row} />
                </Suspense>
              </Tabs.Panel>
              <Tabs.Panel value="about">
                <About model={whole} />
              </Tabs.Panel>
            </>
          )}
          {mayRead && (
            <Tabs.Panel value="operate">
              <Suspense fallback={<Skeleton h={420} />}>
                <Operate name={name} model={whole} onChange={reload} />
              </Suspense>
            </Tabs.Panel>
          )}
        </Tabs>
      )}
    </Stack>
  );
}

/** Whether all is known of it: a version that is not served is listed only. */
function isServed(model: ModelInfo): boolean {
  return Array.isArray(model.fields);
}
