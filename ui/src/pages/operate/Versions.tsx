import { Badge, Code, Group, Paper, Table, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Copy } from "../../answers/Copy";
import { bytes } from "../../charts/format";
import { WideTable } from "../../WideTable";
import { StateBadge } from "../StateBadge";
import type { Known } from "./versions";

const SHOWN = 19;
const SHORT = { maximumSignificantDigits: 4 };

/** Each version with where it stands and what it takes. */
export function Versions({ versions }: { versions: Known[] }) {
  const { t } = useTranslation();
  return (
    <Paper withBorder p="md">
      <Title order={2} size="h4" mb="xs">
        {t("operate.versions.title")}
      </Title>
      {versions.length === 0 ? (
        <Text c="dimmed" size="sm">
          {t("operate.versions.none")}
        </Text>
      ) : (
        <WideTable label={t("operate.versions.title")} minWidth={860}>
          <Table tabularNums data-testid="versions">
            <Table.Thead>
              <Table.Tr>
                {["version", "state", "aliases", "runtime", "placement", "memory", "digest"].map(
                  (name) => (
                    <Table.Th key={name} ta={name === "memory" ? "right" : "left"}>
                      {t(`operate.versions.${name}`)}
                    </Table.Th>
                  ),
                )}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {versions.map((version) => (
                <Row key={version.version} known={version} />
              ))}
            </Table.Tbody>
          </Table>
        </WideTable>
      )}
    </Paper>
  );
}

function Row({ known }: { known: Known }) {
  const { t, i18n } = useTranslation();
  const { placement, digest, reason, instances, evictions } = known;
  return (
    <Table.Tr>
      <Table.Td>
        <Text fw={600} size="sm">
          {known.version}
        </Text>
        {known.created && (
          <Text size="xs" c="dimmed" title={known.created}>
            {new Date(known.created).toLocaleDateString(i18n.language, { dateStyle: "medium" })}
          </Text>
        )}
        {Object.entries(known.metrics).map(([name, value]) => (
          <Text key={name} size="xs">
            {name} {new Intl.NumberFormat(i18n.language, SHORT).format(value)}
          </Text>
        ))}
      </Table.Td>
      <Table.Td miw={120} maw={320}>
        <StateBadge state={known.state} />
        {reason && (
          <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
            {reason}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Group gap={4}>
          {known.aliases.map((alias) => (
            <Badge key={alias} variant="default" tt="none" fw={500}>
              {alias}
            </Badge>
          ))}
        </Group>
      </Table.Td>
      <Table.Td>{known.runtime ?? "–"}</Table.Td>
      <Table.Td maw={260}>
        {placement ? t(`operate.versions.${placement}`) : "–"}
        <Text size="xs" c="dimmed">
          {known.placement_reason}
        </Text>
      </Table.Td>
      <Table.Td ta="right">
        {known.resident_bytes ? bytes(known.resident_bytes, i18n.language) : "–"}
        <Text size="xs" c="dimmed">
          {[
            instances ? t("operate.versions.instances", { count: instances }) : "",
            evictions ? t("operate.versions.evictions", { count: evictions }) : "",
          ]
            .filter(Boolean)
            .join(", ")}
        </Text>
      </Table.Td>
      <Table.Td>
        {digest ? (
          <Group gap={2} wrap="nowrap">
            <Code fz="xs" title={digest}>
              {digest.slice(0, SHOWN)}…
            </Code>
            <Copy
              value={digest}
              label={t("operate.versions.copyDigest", { version: known.version })}
            />
          </Group>
        ) : (
          "–"
        )}
      </Table.Td>
    </Table.Tr>
  );
}
