import { Anchor, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useTitle } from "../useTitle";

/** For an address that no page has. */
export function Missing() {
  const { t } = useTranslation();
  useTitle(t("error.title"));
  return (
    <Stack align="center" py={80} gap="sm">
      <Title order={1} size="h2">
        {t("error.title")}
      </Title>
      <Text c="dimmed">{t("error.notFound")}</Text>
      <Anchor component={Link} to="/">
        {t("app.back")}
      </Anchor>
    </Stack>
  );
}
