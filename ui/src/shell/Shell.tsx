import {
  ActionIcon,
  Anchor,
  AppShell,
  Box,
  Button,
  Container,
  Group,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from "@mantine/core";
import { IconLanguage, IconLogout, IconMoon, IconSun } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "react-router";
import * as api from "../api/client";
import { LANGUAGES, type Language, setLanguage } from "../i18n";
import icon from "../icon.svg";
import { useLookTitle } from "../Look";
import { ONLY_APP } from "../onlyApp";
import { Trouble } from "../pages/Trouble";
import { isStranger, useSession } from "../session";
import classes from "./Shell.module.css";

/** The head with its links and switches, around each page. */
export function Shell({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const { leave, failure } = useLeaving();
  return (
    <AppShell header={{ height: 56 }}>
      <a href="#main" className={classes.skip}>
        {t("shell.skip")}
      </a>
      <AppShell.Header className={classes.header}>
        <Container size="xl" h="100%">
          <Group h="100%" justify="space-between" wrap="nowrap">
            {ONLY_APP === null ? <Navigation /> : <OwnTitle />}
            <Group wrap="nowrap" className={classes.tools ?? ""}>
              <SignedIn leave={leave} />
              <LanguageSwitch />
              <SchemeSwitch />
            </Group>
          </Group>
        </Container>
      </AppShell.Header>
      <AppShell.Main id="main" tabIndex={-1} className={classes.main}>
        <Container size="xl" py="lg">
          {failure && (
            <Box mb="md">
              <Trouble error={failure} said={t("session.stillIn")} retry={leave} />
            </Box>
          )}
          {children}
        </Container>
      </AppShell.Main>
    </AppShell>
  );
}

/** Signs out, and knows on which page that failed. */
function useLeaving(): { leave: () => void; failure: Error | undefined } {
  const { set } = useSession();
  const { pathname } = useLocation();
  const [failed, setFailed] = useState<{ error: Error; pathname: string }>();
  return {
    leave: () => {
      api.signOut().then(
        (session) => {
          setFailed(undefined);
          set(session);
        },
        (error: Error) => setFailed({ error, pathname }),
      );
    },
    failure: failed?.pathname === pathname ? failed.error : undefined,
  };
}

/** To all pages: those that somebody may see. */
function Navigation() {
  const { t } = useTranslation();
  const { session } = useSession();
  return (
    <Group wrap="nowrap" className={classes.nav ?? ""}>
      <Link to="/" className={classes.brand} aria-label={t("shell.home")}>
        <img src={icon} alt="" width={26} height={26} />
        <Text fw={700} size="lg" visibleFrom="xs">
          Modelport
        </Text>
      </Link>
      <Group component="nav" wrap="nowrap" className={classes.nav ?? ""}>
        <Anchor component={Link} to="/" size="sm" fw={500}>
          {t("shell.models")}
        </Anchor>
        {session?.permissions.includes("read") && (
          <>
            <Anchor component={Link} to="/overview" size="sm" fw={500}>
              {t("overview.link")}
            </Anchor>
            <Anchor component={Link} to="/docs" size="sm" fw={500}>
              {t("shell.api")}
            </Anchor>
          </>
        )}
      </Group>
    </Group>
  );
}

/** The model's title, where its page is all that there is. */
function OwnTitle() {
  const title = useLookTitle();
  const { pathname } = useLocation();
  return (
    <Text fw={700} lineClamp={2} className={classes.title ?? ""}>
      {title || (pathname === "/sign-in" ? ONLY_APP : "")}
    </Text>
  );
}

/** Who is signed in, or how to do so where it makes a difference. */
function SignedIn({ leave }: { leave: () => void }) {
  const { t } = useTranslation();
  const { session } = useSession();
  const { pathname, search, hash } = useLocation();
  if (session && isStranger(session) && pathname !== "/sign-in") {
    return (
      <Button
        component={Link}
        to={`/sign-in?next=${encodeURIComponent(pathname + search + hash)}`}
        variant="default"
        size="compact-sm"
      >
        {t("session.signIn")}
      </Button>
    );
  }
  if (!session?.signed_in) return null;
  return (
    <Group gap="xs" wrap="nowrap">
      <Text size="sm" c="dimmed" visibleFrom="sm" maw={160} truncate>
        {session.principal}
      </Text>
      <Button variant="subtle" color="gray" size="compact-md" visibleFrom="xs" onClick={leave}>
        {t("session.signOut")}
      </Button>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        hiddenFrom="xs"
        aria-label={t("session.signOut")}
        onClick={leave}
      >
        <IconLogout size={20} />
      </ActionIcon>
    </Group>
  );
}

function LanguageSwitch() {
  const { i18n } = useTranslation();
  const other: Language = i18n.language === "zh" ? "en" : "zh";
  return (
    <Button
      variant="subtle"
      color="gray"
      size="compact-md"
      lang={other}
      leftSection={<IconLanguage size={18} aria-hidden />}
      classNames={{ section: classes.wideOnly ?? "" }}
      onClick={() => setLanguage(other)}
    >
      {LANGUAGES[other]}
    </Button>
  );
}

function SchemeSwitch() {
  const { t } = useTranslation();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light", { getInitialValueInEffect: false });
  const other = scheme === "dark" ? "light" : "dark";
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="lg"
      aria-label={t(`shell.${other}`)}
      title={t(`shell.${other}`)}
      onClick={() => setColorScheme(other)}
    >
      {scheme === "dark" ? <IconSun size={20} /> : <IconMoon size={20} />}
    </ActionIcon>
  );
}
