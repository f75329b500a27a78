import { Alert, Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Operation } from "./openapi";

/** Asks once before something is taken away. */
export function Sure(props: {
  operation: Operation;
  path: string;
  isOpen: boolean;
  onNo: () => void;
  onYes: () => void;
}) {
  const { operation, path, isOpen, onNo, onYes } = props;
  const { t } = useTranslation();
  return (
    <Modal.Root opened={isOpen} onClose={onNo} centered>
      <Modal.Overlay />
      <Modal.Content>
        {/* By itself it would be a second head of the page. */}
        <Modal.Header role="none">
          <Modal.Title fw={600}>{t("docs.try.sure")}</Modal.Title>
          <Modal.CloseButton aria-label={t("inputs.close")} />
        </Modal.Header>
        <Modal.Body>
          <Stack gap="md">
            <Text size="sm">{t("docs.try.sureHow")}</Text>
            <Alert color="red" variant="light" role="presentation">
              <Text size="sm" ff="monospace">
                {operation.method} {path}
              </Text>
              <Text size="sm">{operation.summary}</Text>
            </Alert>
            <Group justify="flex-end">
              <Button variant="default" onClick={onNo} data-autofocus>
                {t("docs.try.sureNo")}
              </Button>
              <Button color="red.9" onClick={onYes}>
                {t("docs.try.sureYes")}
              </Button>
            </Group>
          </Stack>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
