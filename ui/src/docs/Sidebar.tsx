import { Button, Stack, Text, TextInput } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { type KeyboardEvent, useDeferredValue, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useDocs } from "./context";
import classes from "./docs.module.css";
import { groupName } from "./groupName";
import { Method } from "./Method";
import { type Api, type Group, groupNamed, type Operation, pageOf, shownPath } from "./openapi";
import { search } from "./search";

/** More models are shown when somebody asks for them. */
const MOST_MODELS = 30;

/** The contents, or what a search found in them. */
export function Sidebar({ current, onGo }: { current: Group | undefined; onGo?: () => void }) {
  const { t } = useTranslation();
  const { api } = useDocs();
  const [query, setQuery] = useState("");
  const late = useDeferredValue(query);
  const input = useRef<HTMLInputElement>(null);
  const root = useRef<HTMLDivElement>(null);
  useHotkeys([["mod+K", () => input.current?.focus()]], []);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: arrows go through links, which do without
    <div ref={root} onKeyDown={(event) => walk(event, root.current)}>
      <TextInput
        ref={input}
        type="search"
        aria-label={t("docs.search")}
        placeholder={t("docs.searchHow")}
        leftSection={<IconSearch size={16} />}
        value={query}
        onChange={(event) => setQuery(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape" && query) {
            event.stopPropagation();
            setQuery("");
          }
          // Within a method of input, it ends a word.
          if (event.key === "Enter" && !event.nativeEvent.isComposing) {
            root.current?.querySelector<HTMLElement>("[data-found]")?.click();
          }
        }}
        mb="sm"
      />
      {late.trim() ? (
        <Results query={late} onGo={onGo} />
      ) : (
        <Contents api={api} current={current} onGo={onGo} />
      )}
    </div>
  );
}

/** The arrow keys go from the search to its results, and through them. */
function walk(event: KeyboardEvent, root: HTMLElement | null): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !root) return;
  const stops = [...root.querySelectorAll<HTMLElement>("input, a")];
  const next = stops[stops.indexOf(document.activeElement as HTMLElement) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

function Results({ query, onGo }: { query: string; onGo: (() => void) | undefined }) {
  const { t } = useTranslation();
  const { api } = useDocs();
  const { operations, total } = useMemo(() => search(api, query), [api, query]);
  return (
    <nav aria-label={t("docs.search")}>
      <Text size="xs" c="dimmed" role="status" mb={4}>
        {total === 0 && t("docs.noneFound", { query: query.trim() })}
        {total > 0 && total === operations.length && t("docs.found", { count: total })}
        {total > operations.length && t("docs.first", { shown: operations.length, count: total })}
      </Text>
      <ul className={classes.links}>
        {operations.map((operation) => (
          <li key={operation.id}>
            <Link className={classes.link} to={linkTo(api, operation)} onClick={onGo} data-found>
              <span className={classes.address}>
                <Method of={operation.method} /> {operation.path}
              </span>
              <Text size="xs" c="dimmed" component="span">
                {operation.summary}
              </Text>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function linkTo(api: Api, operation: Operation): string {
  const group = groupNamed(api, operation.group);
  return `${group ? pageOf(group) : "/docs"}#${encodeURIComponent(operation.id)}`;
}

function Contents(props: { api: Api; current: Group | undefined; onGo: (() => void) | undefined }) {
  const { api, current, onGo } = props;
  const { t } = useTranslation();
  const [isAll, setAll] = useState(false);
  const models = api.groups.filter((group) => group.model);
  const shown = isAll ? models : models.slice(0, MOST_MODELS);
  // The one that is looked at is in the list, wherever it stands.
  if (current?.model && !shown.includes(current)) shown.push(current);
  const entry = (group: Group) => (
    <Entry key={group.name} group={group} isCurrent={group === current} onGo={onGo} />
  );
  return (
    <nav aria-label={t("docs.contents")}>
      <Stack gap="xs">
        <Link
          className={classes.link}
          to="/docs"
          onClick={onGo}
          aria-current={current ? undefined : "page"}
        >
          {t("docs.overview")}
        </Link>
        {models.length > 0 && (
          <div>
            <Title text={t("docs.models")} />
            <ul className={classes.links}>{shown.map(entry)}</ul>
            {shown.length < models.length && (
              <Button variant="subtle" size="compact-sm" onClick={() => setAll(true)}>
                {t("docs.all", { count: models.length })}
              </Button>
            )}
          </div>
        )}
        <div>
          <Title text={t("docs.server")} />
          <ul className={classes.links}>{api.groups.filter((group) => !group.model).map(entry)}</ul>
        </div>
      </Stack>
    </nav>
  );
}

function Title({ text }: { text: string }) {
  return (
    <Text size="xs" fw={700} c="dimmed" px="0.6rem" mb={2}>
      {text}
    </Text>
  );
}

function Entry(props: { group: Group; isCurrent: boolean; onGo: (() => void) | undefined }) {
  const { group, isCurrent, onGo } = props;
  const { t } = useTranslation();
  const page = pageOf(group);
  return (
    <li>
      <Link
        className={classes.link}
        to={page}
        onClick={onGo}
        aria-current={isCurrent ? "page" : undefined}
      >
        {groupName(t, group)}
      </Link>
      {isCurrent && group.operations.length > 1 && (
        <ul className={`${classes.links} ${classes.nested}`}>
          {group.operations.map((operation) => (
            <li key={operation.id}>
              <Link
                className={classes.link}
                to={`${page}#${encodeURIComponent(operation.id)}`}
                onClick={onGo}
              >
                <Method of={operation.method} /> {shownPath(operation)}
              </Link>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}
