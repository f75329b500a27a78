import { Badge } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Link } from "../live";

const COLOURS: Record<Link, string> = {
  live: "teal",
  paused: "gray",
  connecting: "yellow",
  lost: "red",
};

/** Whether what is shown is of now. */
export function LinkBadge({ link }: { link: Link }) {
  const { t } = useTranslation();
  return (
    <Badge
      variant="dot"
      color={COLOURS[link]}
      tt="none"
      fw={500}
      role="status"
      data-testid="link"
      data-link={link}
    >
      {t(`live.${link}`)}
    </Badge>
  );
}
