import { Alert, Button, Group, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { ApiError } from "../api/client";

/** An error in the server's own words, with its request's id. */
export function Trouble(props: {
  error: Error;
  /** Of an error that is none of the server's; else that it does not answer. */
  said?: string;
  retry?: (() => void) | undefined;
}) {
  const { error, said, retry } = props;
  const { t } = useTranslation();
  const isOurs = error instanceof ApiError;
  return (
    <Alert
      color="red"
      variant="light"
      icon={<IconAlertTriangle />}
      title={t("app.errorTitle")}
      role="alert"
    >
      <Text size="sm">{isOurs ? error.message : (said ?? t("error.unreachable"))}</Text>
      {(isOurs || retry) && (
        <Group mt="xs" justify="space-between">
          {retry ? (
            <Button size="compact-sm" variant="default" onClick={retry}>
              {t("error.retry")}
            </Button>
          ) : (
            <span />
          )}
          {isOurs && error.requestId && (
            <Text size="xs" ff="monospace" c="dimmed">
              {t("app.requestId", { id: error.requestId })}
            </Text>
          )}
        </Group>
      )}
    </Alert>
  );
}
