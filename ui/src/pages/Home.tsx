import {
  Button,
  Card,
  Code,
  Group,
  SimpleGrid,
  Skeleton,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { IconArrowRight, IconSearch } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "react-router";
import * as api from "../api/client";
import type { Listed, ModelTraffic } from "../api/types";
import { duration, short } from "../charts/format";
import { isStranger, useSession } from "../session";
import { useAgain } from "../useAgain";
import { type Loaded, useLoaded } from "../useLoaded";
import { useTitle } from "../useTitle";
import classes from "./Home.module.css";
import { StateBadge } from "./StateBadge";
import { served } from "./served";
import { Trouble } from "./Trouble";
import { CARDS_MS, useTraffic } from "./useTraffic";

/** Somebody waits for a model to come. */
const SOON_MS = 3000;
const ON_THEIR_WAY = ["LOADING", "WARMING", "DRAINING"];

/** All models as cards, with a search. */
export default function Home() {
  const { t } = useTranslation();
  const { session } = useSession();
  const { value, error, reload, again } = useModels(session?.principal ?? null);
  const traffic = useTraffic(Boolean(session?.permissions.includes("read")));
  const [query, setQuery] = useQuery();
  const isAwaited = value?.length === 0 || value?.some(({ state }) => ON_THEIR_WAY.includes(state));
  useAgain(again, isAwaited ? SOON_MS : CARDS_MS);
  useTitle("");
  if (error && !value) return <Trouble error={error} retry={reload} />;
  const all = value && served(value);
  const found = all?.filter((model) => matches(model, query));
  return (
    <Stack gap="lg">
      {error && <Trouble error={error} retry={reload} />}
      <Group justify="space-between" align="end">
        <div>
          <Title order={1}>{t("home.title")}</Title>
          <Text c="dimmed" size="sm" mih={22}>
            {found && all?.length ? t("home.found", { count: found.length }) : ""}
          </Text>
        </div>
        <TextInput
          type="search"
          w={{ base: "100%", xs: 280 }}
          placeholder={t("home.search")}
          aria-label={t("home.search")}
          leftSection={<IconSearch size={16} />}
          value={query}
          disabled={!all?.length}
          onChange={(event) => setQuery(event.currentTarget.value)}
        />
      </Group>
      {session && isStranger(session) && <Text size="sm">{t("open.noKey")}</Text>}
      {all?.length === 0 && <Empty />}
      {all && all.length > 0 && found?.length === 0 && (
        <Group>
          <Text>{t("home.nothing", { query })}</Text>
          <Button variant="default" size="compact-sm" onClick={() => setQuery("")}>
            {t("home.clear")}
          </Button>
        </Group>
      )}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="md">
        {found
          ? found.map((model) => (
              <ModelCard
                key={model.name}
                model={model}
                traffic={traffic?.filter((each) => each.name === model.name)}
              />
            ))
          : [1, 2, 3].map((n) => <Skeleton key={n} h={230} />)}
      </SimpleGrid>
    </Stack>
  );
}

/** The search, which the address keeps: for who comes back, and to be passed on. */
function useQuery(): [query: string, set: (query: string) => void] {
  const { key } = useLocation();
  const [query, setQuery] = useState(asked);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the address is read where a link leads here
  useEffect(() => setQuery(asked()), [key]);
  // The router would take its time, and letters that are typed meanwhile would be lost.
  const set = (text: string) => {
    setQuery(text);
    const search = text ? `?${new URLSearchParams({ q: text })}` : "";
    history.replaceState(history.state, "", location.pathname + search);
  };
  return [query, set];
}

const asked = () => new URLSearchParams(location.search).get("q") ?? "";

/** What was listed last, and for whom: who comes back finds the page as tall as they left it. */
let last: { who: string | null; models: Listed[] } | undefined;

function useModels(who: string | null): Loaded<Listed[]> {
  const { value, ...rest } = useLoaded(`models ${who}`, api.models);
  useEffect(() => {
    if (value) last = { who, models: value };
  }, [who, value]);
  return { value: value ?? (last?.who === who && !rest.error ? last.models : undefined), ...rest };
}

function matches(model: Listed, query: string): boolean {
  const text = `${model.name} ${model.title ?? ""} ${model.description ?? ""}`.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function ModelCard({
  model,
  traffic,
}: {
  model: Listed;
  /** Of each of its versions; undefined while it is not known. */
  traffic: ModelTraffic[] | undefined;
}) {
  const { t } = useTranslation();
  const takes = kinds(model.takes ?? [], t);
  const gives = kinds(model.gives ?? [], t);
  return (
    <Card
      component={Link}
      to={`/apps/${encodeURIComponent(model.name)}`}
      withBorder
      padding="lg"
      className={classes.card}
      data-testid={`card-${model.name}`}
    >
      <Stack gap="xs" h="100%">
        <Group justify="space-between" wrap="nowrap" align="start">
          <Title order={2} size="h4" lineClamp={2}>
            {model.title ?? model.name}
          </Title>
          <StateBadge state={model.state} />
        </Group>
        <Text size="sm" c="dimmed" lineClamp={3} className={classes.grow}>
          {model.reason ?? model.description ?? t("home.noDescription")}
        </Text>
        {takes && (
          <Group gap={6} className={classes.kinds}>
            <Text size="sm">{takes}</Text>
            <IconArrowRight size={16} aria-hidden />
            <Text size="sm">{gives}</Text>
          </Group>
        )}
        {model.in_short && <Example example={model.in_short} />}
        <Group gap="xs" justify="space-between" className={classes.foot}>
          <Text size="xs" c="dimmed" ff="monospace">
            {model.name} · {t("home.version", { version: model.version })}
          </Text>
          <Text size="xs" c="dimmed" mih={19} data-testid="traffic">
            {traffic && isServed(model) && <Traffic traffic={traffic} />}
          </Text>
        </Group>
      </Stack>
    </Card>
  );
}

const isServed = (model: Listed) => model.state === "READY" || model.state === "STANDBY";

/** What somebody gave and got, in a line each. */
function Example({ example }: { example: NonNullable<Listed["in_short"]> }) {
  const { t } = useTranslation();
  return (
    <dl className={classes.example}>
      <dt>{t("card.takes")}</dt>
      <dd>{example.takes}</dd>
      {example.gives && (
        <>
          <dt>{t("card.gives")}</dt>
          <dd>{example.gives}</dd>
        </>
      )}
    </dl>
  );
}

/** How much it is used now, and how quickly it answers. */
function Traffic({ traffic }: { traffic: ModelTraffic[] }) {
  const { t, i18n } = useTranslation();
  const rate = traffic.reduce((sum, each) => sum + each.requests_per_s, 0);
  const slowest = Math.max(0, ...traffic.map((each) => each.p95_s ?? 0));
  const parts = [
    rate > 0 ? t("card.traffic", { n: short(rate, i18n.language) }) : t("card.quiet"),
    slowest > 0 ? t("card.p95", { time: duration(slowest, i18n.language) }) : "",
  ];
  return parts.filter(Boolean).join(" · ");
}

/** What a model takes or gives, in words, each once. */
function kinds(found: string[], t: (key: string) => string): string {
  const words = found.map((kind) =>
    /^(U?INT|FP)\d+$/.test(kind) ? t("kind.tensor") : t(`kind.${kind}`),
  );
  return [...new Set(words)].join(", ");
}

function Empty() {
  const { t } = useTranslation();
  return (
    <Card withBorder padding="xl">
      <Stack align="center" gap="sm" py="lg">
        <Title order={2} size="h3">
          {t("home.empty")}
        </Title>
        <Text c="dimmed">{t("home.emptyHow")}</Text>
        <Code block fz="sm" className={classes.command}>
          modelport push model.onnx --name my-model --repository FOLDER
        </Code>
        <Text c="dimmed" size="sm">
          {t("home.emptyWhere")}
        </Text>
      </Stack>
    </Card>
  );
}
