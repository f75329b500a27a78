import { Badge, Button, Code, Group, Paper, Skeleton, Table, Text, Title } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Copy } from "../answers/Copy";
import type { RecentError } from "../api/types";
import { type Link, useReturn } from "../live";
import { useLoaded } from "../useLoaded";
import { WideTable } from "../WideTable";
import { Trouble } from "./Trouble";

/** White on it is read easily; on the orange of the theme it is not. */
const CALLERS = "#a64b00";
/** More are shown when somebody asks for them. */
const FEW = 10;
/** Where requests go on failing, the list is loaded so often at most. */
const EVERY_MS = 5000;

/** The last requests that failed, as their callers were told. */
export function Errors(props: {
  load: (signal: AbortSignal) => Promise<RecentError[]>;
  /** What `load` depends on: it is loaded anew where this changes. */
  of: string;
  /** When requests were last seen to fail, in seconds since 1970. */
  failedAt: number | undefined;
  link: Link;
  withModel?: boolean;
}) {
  const { load, of, failedAt, link, withModel = false } = props;
  const { t } = useTranslation();
  const { value, error, reload } = useLoaded(of, load);
  useSoon(failedAt, reload);
  useReturn(link, reload);
  return (
    <Paper withBorder p="md">
      <Group justify="space-between" mb="xs">
        <Title order={2} size="h4">
          {t("errors.title")}
        </Title>
        <Button variant="default" size="compact-sm" onClick={reload}>
          {t("errors.refresh")}
        </Button>
      </Group>
      {error && link !== "lost" && <Trouble error={error} retry={reload} />}
      {!value && !error && <Skeleton h={80} />}
      {value?.length === 0 && (
        <Text c="dimmed" size="sm">
          {t("errors.none")}
        </Text>
      )}
      {value && value.length > 0 && <Rows errors={value} withModel={withModel} />}
    </Paper>
  );
}

/** Loads again after requests failed, soon but not for each of them. */
function useSoon(failedAt: number | undefined, reload: () => void) {
  const last = useRef(Number.NEGATIVE_INFINITY);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    if (failedAt === undefined || timer.current !== undefined) return;
    timer.current = setTimeout(
      () => {
        timer.current = undefined;
        last.current = performance.now();
        reload();
      },
      Math.max(0, last.current + EVERY_MS - performance.now()),
    );
  }, [failedAt, reload]);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    },
    [],
  );
}

function Rows({ errors, withModel }: { errors: RecentError[]; withModel: boolean }) {
  const { t, i18n } = useTranslation();
  const [isAll, setAll] = useState(false);
  const shown = isAll ? errors : errors.slice(0, FEW);
  const time = new Intl.DateTimeFormat(i18n.language, {
    dateStyle: "short",
    timeStyle: "medium",
    hourCycle: "h23",
  });
  return (
    <>
      <WideTable label={t("errors.title")} minWidth={760}>
        <Table tabularNums data-testid="errors">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("errors.when")}</Table.Th>
              {withModel && <Table.Th>{t("errors.model")}</Table.Th>}
              <Table.Th>{t("errors.status")}</Table.Th>
              <Table.Th>{t("errors.message")}</Table.Th>
              <Table.Th>{t("errors.request")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((error) => (
              <Table.Tr key={`${error.at} ${error.request_id}`}>
                <Table.Td style={{ whiteSpace: "nowrap" }}>{time.format(error.at * 1000)}</Table.Td>
                {withModel && (
                  <Table.Td>{error.model ? `${error.model} ${error.version ?? ""}` : "–"}</Table.Td>
                )}
                <Table.Td>
                  <Badge
                    color={error.status >= 500 ? "red.9" : CALLERS}
                    miw="max-content"
                    title={error.code}
                  >
                    {error.status}
                  </Badge>
                </Table.Td>
                <Table.Td style={{ overflowWrap: "anywhere" }}>{error.message}</Table.Td>
                <Table.Td>
                  <Group gap={2} wrap="nowrap">
                    <Code fz="xs">{error.request_id}</Code>
                    <Copy value={error.request_id} label={t("errors.copy")} />
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
      {errors.length > FEW && (
        <Button
          variant="subtle"
          size="compact-sm"
          mt="xs"
          aria-expanded={isAll}
          onClick={() => setAll(!isAll)}
        >
          {t(isAll ? "answers.showFewer" : "answers.showAll", { n: errors.length })}
        </Button>
      )}
    </>
  );
}
