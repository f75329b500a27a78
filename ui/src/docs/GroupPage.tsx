import { Alert, Anchor, Button, Group, Stack, Text, Title } from "@mantine/core";
import { useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation, useNavigate, useNavigationType } from "react-router";
import * as client from "../api/client";
import { StateBadge } from "../pages/StateBadge";
import { useTitle } from "../useTitle";
import { useDocs } from "./context";
import { groupName } from "./groupName";
import { OperationView } from "./OperationView";
import { type Group as DocGroup, type Operation, operationsFor } from "./openapi";
import type { Level } from "./parts";
import { Words } from "./Words";

/** Seconds to ask for the document of a model that was loaded just now, at most. */
const MOST_LOOKS = 10;

/** The operations of a model or a group, each a line until it is opened. */
export function GroupPage({ group }: { group: DocGroup }) {
  const { t } = useTranslation();
  const { api } = useDocs();
  const { model, operations } = group;
  const own = useMemo(
    () => group.operations.map((operation) => withoutRepeats(operation, group)),
    [group],
  );
  const others = useMemo(() => (model ? operationsFor(api, group) : []), [api, group, model]);
  // A model has one operation of its own, which is what one comes for.
  const first = operations.length === 1 || model ? operations.slice(0, 1) : [];
  const { open, toggle } = useOpened(first.map((operation) => operation.id));
  useTitle(`${groupName(t, group)} · ${t("docs.title")}`);
  const list = (shown: Operation[], level: Level) => (
    <Stack gap="xs">
      {shown.map((operation) => (
        <OperationView
          key={operation.id}
          operation={operation}
          level={level}
          isOpen={open.has(operation.id)}
          onToggle={() => toggle(operation.id)}
        />
      ))}
    </Stack>
  );
  const isWaiting = model?.state === "STANDBY";
  const isServed = !model || operations.length > 0;
  return (
    <Stack gap="md">
      <div>
        <Group gap="sm">
          <Title order={1}>{groupName(t, group)}</Title>
          {model && <StateBadge state={model.state} />}
        </Group>
        {model && (
          <Group gap="md" mt={4}>
            <Text size="sm" c="dimmed">
              {[t("home.version", { version: model.version }), model.runtime]
                .filter(Boolean)
                .join(" · ")}
            </Text>
            <Anchor component={Link} to={`/apps/${encodeURIComponent(group.name)}`} size="sm">
              {t("docs.operation.app")}
            </Anchor>
          </Group>
        )}
        {isServed && <Words text={group.description} c="dimmed" maw={760} mt={4} />}
      </div>
      {!isServed && (
        <Alert
          color="yellow"
          title={t(isWaiting ? "docs.operation.standby" : "docs.operation.notServed")}
        >
          <Words text={group.description} size="sm" />
          {isWaiting && <LoadNow name={group.name} />}
        </Alert>
      )}
      {list(own, 2)}
      {others.length > 0 && (
        <div>
          <Title order={2} size="h4" mt="md" mb="sm">
            {t("docs.operation.more")}
          </Title>
          {list(others, 3)}
        </div>
      )}
    </Stack>
  );
}

/** Has a model loaded that was never asked: what it takes is known from then on. */
function LoadNow({ name }: { name: string }) {
  const { t } = useTranslation();
  const { reload } = useDocs();
  const [isBusy, setBusy] = useState(false);
  const [looks, setLooks] = useState(0);
  // A worker that has not loaded it may give the document: it is asked for until one has.
  useEffect(() => {
    if (!looks) return;
    reload();
    const timer = setTimeout(() => setLooks(looks - 1), 1000);
    return () => clearTimeout(timer);
  }, [looks, reload]);
  async function load() {
    setBusy(true);
    // Where that fails, the document says why.
    const isLoaded = await client.model(name).then(
      () => true,
      () => false,
    );
    setLooks(isLoaded ? MOST_LOOKS : 1);
    setBusy(false);
  }
  return (
    <Button
      mt="xs"
      size="compact-sm"
      variant="default"
      loading={isBusy || looks > 0}
      onClick={load}
    >
      {t("docs.operation.load")}
    </Button>
  );
}

/** An operation without what is said of its group already. */
function withoutRepeats(operation: Operation, group: DocGroup): Operation {
  const told = new Set(group.description.split("\n\n"));
  const paragraphs = operation.description.split("\n\n").filter((text) => !told.has(text));
  return { ...operation, description: paragraphs.join("\n\n") };
}

/** Which operations are open: the one that the address names, and what was clicked. */
function useOpened(first: string[]): { open: Set<string>; toggle: (id: string) => void } {
  const { hash, state, key } = useLocation();
  const kind = useNavigationType();
  const navigate = useNavigate();
  const wanted = decoded(hash.slice(1));
  const [open, setOpen] = useState(() => new Set(wanted ? [wanted] : first));
  const isQuiet = Boolean((state as { isQuiet?: boolean } | null)?.isQuiet);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a link that is followed again goes there again
  useEffect(() => {
    if (isQuiet) return;
    if (!wanted) {
      if (kind === "PUSH") window.scrollTo(0, 0);
      return;
    }
    setOpen((known) => new Set(known).add(wanted));
    // After it is drawn, as tall as it is when it is open.
    requestAnimationFrame(() => {
      const section = document.getElementById(wanted);
      section?.scrollIntoView();
      section?.querySelector("button")?.focus({ preventScroll: true });
    });
  }, [wanted, key]);

  const toggle = (id: string) => {
    const next = new Set(open);
    if (!next.delete(id)) {
      next.add(id);
      // So that the address can be passed on; the page stays where it is.
      void navigate(
        { hash: `#${encodeURIComponent(id)}` },
        { replace: true, state: { isQuiet: true } },
      );
    }
    setOpen(next);
  };
  return { open, toggle };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
