import { Alert, Button, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, useNavigate, useSearchParams } from "react-router";
import * as api from "../api/client";
import { useSession } from "../session";
import { useTitle } from "../useTitle";

const LINK = /^#link=([\w.~-]+)$/;

/** Takes a key, or the token of a link in the address's fragment. */
export default function SignIn() {
  const { t } = useTranslation();
  const { session, set } = useSession();
  const navigate = useNavigate();
  const [search] = useSearchParams();
  const [key, setKey] = useState("");
  const [error, setError] = useState("");
  const [isBusy, setIsBusy] = useState(false);
  const tried = useRef(false);
  useTitle(t("session.signIn"));

  async function enter(by: { key: string } | { link: string }) {
    setIsBusy(true);
    setError("");
    try {
      set(await api.signIn(by));
      void navigate(own(search.get("next")), { replace: true });
    } catch (failure) {
      setError(failure instanceof api.ApiError ? failure.message : t("error.unreachable"));
      setIsBusy(false);
    }
  }

  // biome-ignore lint/correctness/useExhaustiveDependencies: a link is used once
  useEffect(() => {
    const [, link] = LINK.exec(location.hash) ?? [];
    if (!link || tried.current) return;
    tried.current = true;
    // It is of no use any more, and need not stay in the browser's history.
    history.replaceState(history.state, "", location.pathname + location.search);
    void enter({ link });
  }, []);

  // In another tab, which has the same cookie.
  const next = search.get("next");
  if (next && session?.signed_in) return <Navigate to={own(next)} replace />;
  return (
    <Paper
      withBorder
      p="xl"
      maw={440}
      mx="auto"
      mt="xl"
      component="form"
      onSubmit={(event: React.FormEvent) => {
        event.preventDefault();
        if (key.trim()) void enter({ key: key.trim() });
      }}
    >
      <Stack gap="md">
        <Title order={1} size="h3">
          {t("session.signIn")}
        </Title>
        <Text size="sm" c="dimmed">
          {t(session && !session.needs_key ? "session.howOpen" : "session.how")}
        </Text>
        <PasswordInput
          label={t("session.key")}
          name="key"
          autoComplete="current-password"
          required
          value={key}
          onChange={(event) => setKey(event.currentTarget.value)}
        />
        {error && (
          <Alert color="red" role="alert">
            {error}
          </Alert>
        )}
        <Button type="submit" loading={isBusy}>
          {t("session.signIn")}
        </Button>
      </Stack>
    </Paper>
  );
}

/** The page that was wanted, if it is one of ours. */
function own(path: string | null): string {
  return path?.startsWith("/") && !path.startsWith("//") ? path : "/";
}
