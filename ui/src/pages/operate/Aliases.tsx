import { Alert, Button, Group, Paper, Table, Text, Title } from "@mantine/core";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { OwnedAlias, OwnedModel } from "../../api/types";
import { useFocusBack } from "../../useFocusBack";
import { WideTable } from "../../WideTable";
import type { Changes } from "./changes";
import { Promote } from "./Promote";
import { Remove, RollBack } from "./TakeBack";
import { Told } from "./Told";

const OWN = ["promote", "rollBack", "remove"] as const;
type Asked = { what: (typeof OWN)[number]; alias: string };

/** Where the aliases of a model point, and a way to move each. */
export function Aliases({ owned, changes }: { owned: OwnedModel; changes: Changes }) {
  const { t } = useTranslation();
  const [asked, setAsked] = useState<Asked>();
  const names = Object.keys(owned.aliases).sort();
  const add = useRef<HTMLButtonElement>(null);
  const { busy, outcome } = changes;
  const from = useFocusBack(!asked && busy === "", () =>
    outcome?.kind === "done" && outcome.what !== "promote" ? add.current : undefined,
  );
  const close = () => setAsked(undefined);
  const shared = { owned, changes, onClose: close };
  return (
    <Paper withBorder p="md">
      <Group justify="space-between" mb={4}>
        <Title order={2} size="h4">
          {t("operate.aliases.title")}
        </Title>
        {owned.can_promote && (
          <Button
            ref={add}
            variant="default"
            size="compact-sm"
            disabled={busy !== "" || owned.versions.length === 0}
            onClick={(event) => {
              from.current = event.currentTarget;
              setAsked({ what: "promote", alias: "" });
            }}
          >
            {t("operate.aliases.add")}
          </Button>
        )}
      </Group>
      <Text size="sm" c="dimmed" mb="sm">
        {owned.default_alias === "latest"
          ? t("operate.aliases.howLatest")
          : t("operate.aliases.how", { alias: owned.default_alias })}
      </Text>
      {!owned.can_promote && owned.why_not && <Alert color="gray">{owned.why_not}</Alert>}
      {owned.can_promote && names.length === 0 && (
        <Text size="sm">{t("operate.aliases.none")}</Text>
      )}
      {names.length > 0 && (
        <WideTable label={t("operate.aliases.title")} minWidth={560}>
          <Table tabularNums data-testid="aliases">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t("operate.aliases.alias")}</Table.Th>
                <Table.Th>{t("operate.aliases.pointsTo")}</Table.Th>
                <Table.Th>{t("operate.aliases.before")}</Table.Th>
                <Table.Th>{t("operate.aliases.actions")}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {names.map((alias) => (
                <Table.Tr key={alias}>
                  <Table.Td fw={600}>{alias}</Table.Td>
                  <Table.Td>
                    {owned.aliases[alias]?.version}
                    <NotInForce alias={owned.aliases[alias]} />
                  </Table.Td>
                  <Table.Td c="dimmed">{owned.aliases[alias]?.before.join(", ") || "–"}</Table.Td>
                  <Table.Td>
                    <Group gap="xs" wrap="nowrap">
                      {OWN.map((what) => (
                        <Button
                          key={what}
                          variant="default"
                          size="compact-sm"
                          aria-label={t(`operate.aliases.${what}Of`, { alias })}
                          disabled={
                            busy !== "" ||
                            !owned.can_promote ||
                            (what === "rollBack" && !owned.aliases[alias]?.before.length)
                          }
                          onClick={(event) => {
                            from.current = event.currentTarget;
                            setAsked({ what, alias });
                          }}
                        >
                          {t(`operate.aliases.${what}`)}
                        </Button>
                      ))}
                    </Group>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </WideTable>
      )}
      <Told changes={changes} of={OWN} />
      {asked?.what === "promote" && <Promote {...shared} alias={asked.alias} />}
      {asked?.what === "rollBack" && <RollBack {...shared} alias={asked.alias} />}
      {asked?.what === "remove" && <Remove {...shared} alias={asked.alias} />}
    </Paper>
  );
}

/** Where requests go meanwhile, if that is not where the alias points. */
function NotInForce({ alias }: { alias: OwnedAlias | undefined }) {
  const { t } = useTranslation();
  if (!alias || alias.served === alias.version) return null;
  return (
    <Text size="xs" c="dimmed">
      {alias.served === null
        ? t("operate.aliases.refused")
        : t("operate.aliases.elsewhere", { version: alias.served })}
    </Text>
  );
}
