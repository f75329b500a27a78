import { ActionIcon, Badge, Group, Stack, Text, UnstyledButton } from "@mantine/core";
import { IconChevronRight, IconLink } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { Answers } from "./Answers";
import { Console } from "./Console";
import { useDocs } from "./context";
import classes from "./docs.module.css";
import { Method } from "./Method";
import { bodiesOf, type Operation, type Parameter, parametersOf, shownPath } from "./openapi";
import { type Level, MediaSelect, PartTitle } from "./parts";
import { SchemaTree } from "./SchemaTree";
import { Words } from "./Words";

/** One operation: a line, and all that is known of it where it is open. */
export function OperationView(props: {
  operation: Operation;
  level: Level;
  isOpen: boolean;
  onToggle: () => void;
}) {
  const { operation, level, isOpen, onToggle } = props;
  const { t } = useTranslation();
  const Heading = `h${level}` as const;
  return (
    <section className={classes.operation} id={operation.id} aria-label={operation.summary}>
      <div className={classes.head}>
        <Heading className={classes.heading}>
          <UnstyledButton className={classes.opens} aria-expanded={isOpen} onClick={onToggle}>
            <IconChevronRight size={16} aria-hidden className={classes.chevron} />
            <Method of={operation.method} />
            <span className={classes.path}>{shownPath(operation)}</span>
            <span className={classes.summary}>{operation.summary}</span>
          </UnstyledButton>
        </Heading>
        {operation.isDeprecated && (
          <Badge variant="outline" color="gray" tt="none">
            {t("docs.operation.deprecated")}
          </Badge>
        )}
        <ActionIcon
          component={Link}
          to={{ hash: `#${encodeURIComponent(operation.id)}` }}
          variant="subtle"
          color="gray"
          aria-label={`${t("docs.operation.link")}: ${operation.summary}`}
          title={t("docs.operation.link")}
        >
          <IconLink size={16} />
        </ActionIcon>
      </div>
      {isOpen && <Opened operation={operation} level={level} />}
    </section>
  );
}

function Opened({ operation, level }: { operation: Operation; level: Level }) {
  const { api } = useDocs();
  const bodies = bodiesOf(api, operation);
  const [media, setMedia] = useState(bodies[0]?.[0] ?? "");
  const parameters = parametersOf(api, operation).filter(
    (each) => !(each.in === "path" && each.name in operation.fixed),
  );
  const isAsking = parameters.length > 0 || bodies.length > 0;
  return (
    <div className={classes.body}>
      <Stack gap="xs" mb="md">
        <Permission of={operation.permission} />
        <Words text={operation.description} size="sm" maw={760} />
      </Stack>
      <div className={classes.columns}>
        {isAsking && (
          <Stack gap="lg">
            {parameters.length > 0 && <Parameters parameters={parameters} level={level} />}
            {bodies.length > 0 && (
              <RequestBody operation={operation} media={media} onMedia={setMedia} level={level} />
            )}
          </Stack>
        )}
        <Console operation={operation} media={media} onMedia={setMedia} level={level} />
        <Stack gap="lg">
          <Answers operation={operation} level={level} />
        </Stack>
      </div>
    </div>
  );
}

function Permission({ of }: { of: string | null }) {
  const { t } = useTranslation();
  const key = of === null ? "public" : of || "some";
  return (
    <Group gap="xs">
      <Badge variant="default" tt="none" fw={500}>
        {t([`docs.permission.${key}`, "docs.permission.other"], { name: key })}
      </Badge>
    </Group>
  );
}

function Parameters({ parameters, level }: { parameters: Parameter[]; level: Level }) {
  const { t } = useTranslation();
  return (
    <div>
      <PartTitle level={level}>{t("docs.operation.parameters")}</PartTitle>
      <ul className={classes.fields}>
        {parameters.map((each) => (
          <li key={`${each.in}/${each.name}`}>
            <SchemaTree
              schema={each.schema ?? {}}
              description={each.description}
              before={
                <>
                  <code className={classes.name}>{each.name}</code>
                  <Text size="sm" c="dimmed" component="span">
                    {t(`docs.operation.in.${each.in}`)},
                  </Text>
                </>
              }
              isRequired={each.required}
            />
          </li>
        ))}
      </ul>
    </div>
  );
}

function RequestBody(props: {
  operation: Operation;
  media: string;
  onMedia: (media: string) => void;
  level: Level;
}) {
  const { operation, media, onMedia, level } = props;
  const { t } = useTranslation();
  const { api } = useDocs();
  const bodies = bodiesOf(api, operation);
  const schema = bodies.find(([type]) => type === media)?.[1].schema;
  return (
    <div>
      <PartTitle level={level}>{t("docs.operation.request")}</PartTitle>
      <MediaSelect
        types={bodies.map(([type]) => type)}
        media={media}
        onMedia={onMedia}
        label={t("docs.operation.request")}
      />
      {schema ? (
        <SchemaTree key={media} schema={schema} />
      ) : (
        <Text size="sm" c="dimmed">
          {t("docs.schema.file", { media })}
        </Text>
      )}
    </div>
  );
}
