import { Badge } from "@mantine/core";
import { useTranslation } from "react-i18next";

const COLOURS: Record<string, string> = { READY: "teal", FAILED: "red", UNLOADED: "gray" };

/** Where a version stands, as a word with a colour. */
export function StateBadge({ state }: { state: string }) {
  const { t } = useTranslation();
  return (
    <Badge variant="dot" color={COLOURS[state] ?? "yellow"} tt="none" fw={500} flex="none">
      {t(`home.state.${state}`, { defaultValue: state.toLowerCase() })}
    </Badge>
  );
}
