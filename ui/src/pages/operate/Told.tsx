import { Alert, Box, List, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Trouble } from "../Trouble";
import type { Changes } from "./changes";

/** What became of the last change, in the server's words where something is wrong; of these only. */
export function Told({ changes, of }: { changes: Changes; of: readonly string[] }) {
  const { t } = useTranslation();
  const outcome = of.includes(changes.outcome?.what ?? "") ? changes.outcome : undefined;
  return (
    <div aria-live="polite">
      {outcome && (
        <Box mt="sm" data-testid="outcome">
          {outcome.kind === "failed" ? (
            <Trouble error={outcome.error} />
          ) : (
            <Alert color={outcome.problems.length ? "yellow" : "teal"} variant="light">
              <Text size="sm">
                {outcome.problems.length ? t("operate.manage.partly") : outcome.said}
              </Text>
              {outcome.problems.length > 0 && (
                <List size="sm">
                  {outcome.problems.map((problem) => (
                    <List.Item key={problem}>{problem}</List.Item>
                  ))}
                </List>
              )}
            </Alert>
          )}
        </Box>
      )}
    </div>
  );
}
