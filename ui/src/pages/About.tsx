import { Alert, Code, Group, Paper, SimpleGrid, Stack, Table, Text, Title } from "@mantine/core";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import type { ModelInfo, OutputInfo, TensorInfo } from "../api/types";
import { WideTable } from "../WideTable";

/** What the model is: runtime, digest, tensors, and what its runtime has to say. */
export function About({ model }: { model: ModelInfo }) {
  const { t } = useTranslation();
  return (
    <Stack gap="lg">
      {model.warnings.map((warning) => (
        <Alert key={warning} color="yellow" title={t("about.warnings")}>
          {warning}
        </Alert>
      ))}
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        <Fact label={t("about.runtime")}>{model.runtime}</Fact>
        <Fact label={t("about.aliases")}>{model.aliases.join(", ") || "–"}</Fact>
        <Fact label={t("about.digest")}>
          <Code fz="xs">{model.digest.slice(0, 27)}…</Code>
        </Fact>
      </SimpleGrid>
      <Tensors title={t("about.inputs")} tensors={model.inputs} />
      <Tensors title={t("about.outputs")} tensors={model.outputs} />
      {model.notes.length > 0 && (
        <div>
          <Title order={2} size="h4" mb="xs">
            {t("about.notes")}
          </Title>
          {model.notes.map((note) => (
            <Text key={note} size="sm">
              {note}
            </Text>
          ))}
        </div>
      )}
    </Stack>
  );
}

function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <Paper withBorder p="md">
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Group mt={4}>{children}</Group>
    </Paper>
  );
}

function Tensors({ title, tensors }: { title: string; tensors: (TensorInfo | OutputInfo)[] }) {
  const { t } = useTranslation();
  return (
    <div>
      <Title order={2} size="h4" mb="xs">
        {title}
      </Title>
      <WideTable label={title} minWidth={420}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("about.name")}</Table.Th>
              <Table.Th>{t("about.type")}</Table.Th>
              <Table.Th>{t("about.shape")}</Table.Th>
              <Table.Th>{t("about.meaning")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {tensors.map((tensor) => (
              <Table.Tr key={tensor.name}>
                <Table.Td ff="monospace">{tensor.name}</Table.Td>
                <Table.Td>{tensor.datatype}</Table.Td>
                <Table.Td ff="monospace">
                  [{tensor.shape.map((size) => (size < 0 ? "?" : size)).join(", ")}]
                </Table.Td>
                <Table.Td>{meaning(tensor, t)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
    </div>
  );
}

function meaning(tensor: TensorInfo | OutputInfo, t: TFunction): string {
  if (!("kind" in tensor)) return "";
  const classes = tensor.classes?.map(String) ?? [];
  const shown = classes.length > 6 ? `${classes.slice(0, 6).join(", ")}, …` : classes.join(", ");
  const kind = t(`names.output.${tensor.kind}`, { defaultValue: tensor.kind });
  return [kind, shown].filter(Boolean).join(": ");
}
