import {
  Anchor,
  Box,
  Code,
  Group,
  Paper,
  SimpleGrid,
  Stack,
  Table,
  Text,
  Title,
} from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { Copy } from "../answers/Copy";
import { CodeBlock } from "../code/CodeBlock";
import { StateBadge } from "../pages/StateBadge";
import { useSession } from "../session";
import { useTitle } from "../useTitle";
import { WideTable } from "../WideTable";
import { useDocs } from "./context";
import classes from "./docs.module.css";
import { groupName } from "./groupName";
import { type Group as DocGroup, errorsOf, groupNamed, pageOf } from "./openapi";
import { Words } from "./Words";

const SESSIONS = "Signing in";

/** What the server serves, where, for whom, and how it says no. */
export function Overview() {
  const { t } = useTranslation();
  const { api } = useDocs();
  const { session } = useSession();
  const { origin } = window.location;
  useTitle(t("docs.title"));
  const models = api.groups.filter((group) => group.model);
  const sessions = groupNamed(api, SESSIONS);
  const isLocked = Boolean(session?.needs_key);
  const header = 'Authorization: Bearer $MODELPORT_API_KEY"';
  const call = `curl ${origin}/models${isLocked ? ` \\\n  -H "${header}` : ""}`;
  return (
    <Stack gap="xl">
      <div>
        <Title order={1}>{t("docs.title")}</Title>
        <Text c="dimmed" maw={760}>
          {t("docs.intro")}
        </Text>
        <Group gap="md" mt={4}>
          <Text size="sm" c="dimmed">
            {api.title} {api.version}
          </Text>
          <Anchor href="/openapi.json" size="sm">
            {t("docs.document")}
          </Anchor>
        </Group>
      </div>
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Paper withBorder p="md">
          <Title order={2} size="h4" mb="xs">
            {t("docs.base")}
          </Title>
          <Group gap="xs" mb="sm">
            <Code fz="sm">{origin}</Code>
            <Copy value={origin} />
          </Group>
          <Text size="sm" fw={600} mb={4}>
            {t("docs.firstCall")}
          </Text>
          <CodeBlock name="first" title={t("docs.firstCall")} text={call} />
        </Paper>
        <Paper withBorder p="md">
          <Title order={2} size="h4" mb="xs">
            {t("docs.auth")}
          </Title>
          <Stack gap="xs">
            <Text size="sm">{t(isLocked ? "docs.authKey" : "docs.authOpen")}</Text>
            <Text size="sm">{t("docs.authHow")}</Text>
            <Code block className={classes.wrapped}>
              Authorization: Bearer mp_…
            </Code>
            <Text size="sm">{t("docs.authSession")}</Text>
            {sessions && (
              <Anchor component={Link} to={pageOf(sessions)} size="sm">
                {groupName(t, sessions)}
              </Anchor>
            )}
          </Stack>
        </Paper>
      </SimpleGrid>
      <Listing title={t("docs.models")} groups={models} empty={t("docs.noModels")} />
      <Listing
        title={t("docs.server")}
        groups={api.groups.filter((group) => !group.model)}
        empty=""
      />
      <Errors />
    </Stack>
  );
}

function Listing({ title, groups, empty }: { title: string; groups: DocGroup[]; empty: string }) {
  const { t } = useTranslation();
  return (
    <div>
      <Title order={2} size="h4" mb="xs">
        {title}
      </Title>
      {groups.length === 0 && <Text c="dimmed">{empty}</Text>}
      {groups.length > 0 && (
        <Table verticalSpacing="xs" aria-label={title}>
          <Table.Tbody>
            {groups.map((group) => (
              <Table.Tr key={group.name}>
                <Table.Td w={{ base: "44%", sm: "30%" }} style={{ overflowWrap: "anywhere" }}>
                  <Anchor component={Link} to={pageOf(group)} fw={600} size="sm">
                    {groupName(t, group)}
                  </Anchor>
                  {group.model && (
                    <Box hiddenFrom="sm" mt={4}>
                      <StateBadge state={group.model.state} />
                    </Box>
                  )}
                </Table.Td>
                <Table.Td>
                  <Words text={group.description.split("\n\n")[0] ?? ""} size="sm" c="dimmed" />
                </Table.Td>
                {group.model && (
                  <Table.Td w={120} visibleFrom="sm">
                    <StateBadge state={group.model.state} />
                  </Table.Td>
                )}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </div>
  );
}

function Errors() {
  const { t } = useTranslation();
  const { api } = useDocs();
  return (
    <div>
      <Title order={2} size="h4" mb="xs">
        {t("docs.errors")}
      </Title>
      <Text size="sm" mb="xs" maw={760}>
        {t("docs.errorsHow")}
      </Text>
      <Code block mb="sm" className={classes.wrapped}>
        {'{"error": "…", "code": "…", "detail": {…}, "request_id": "…"}'}
      </Code>
      <WideTable label={t("docs.errors")} minWidth={560}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("docs.status")}</Table.Th>
              <Table.Th>{t("docs.code")}</Table.Th>
              <Table.Th>{t("docs.meaning")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {errorsOf(api).map(({ status, code, meaning, mayRetry }) => (
              <Table.Tr key={code}>
                <Table.Td>{status}</Table.Td>
                <Table.Td>
                  <Code>{code}</Code>
                </Table.Td>
                <Table.Td>
                  <Words text={meaning} size="sm" />
                  {mayRetry && (
                    <Text size="sm" c="dimmed">
                      {t("docs.retry")}
                    </Text>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
    </div>
  );
}
