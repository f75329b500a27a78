import { Alert } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Overview } from "../api/types";
import { clock } from "../charts/format";
import type { Link } from "../live";

/** Says that the server does not answer, and of when what is still shown is. */
export function LostAlert({ link, overview }: { link: Link; overview: Overview | undefined }) {
  const { t, i18n } = useTranslation();
  if (link !== "lost") return null;
  return (
    <Alert color="red" role="alert">
      {overview
        ? t("live.saidLost", { at: clock(overview.at, i18n.language, true) })
        : t("live.saidNone")}
    </Alert>
  );
}
