import { Stack, Text, UnstyledButton } from "@mantine/core";
import { IconChevronRight } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useDocs } from "./context";
import classes from "./docs.module.css";
import { type Answer, answersOf, codesOf, type Header, type Operation } from "./openapi";
import { type Level, MediaSelect, PartTitle } from "./parts";
import { SchemaTree } from "./SchemaTree";
import { Words } from "./Words";

/** What may be answered, by status; the successes are open. */
export function Answers({ operation, level }: { operation: Operation; level: Level }) {
  const { t } = useTranslation();
  const { api } = useDocs();
  const all = answersOf(api, operation);
  const isError = ([, answer]: [string, Answer]) => codesOf(answer.description).length > 0;
  const parts = [
    { title: t("docs.operation.answers"), answers: all.filter((each) => !isError(each)) },
    { title: t("docs.operation.refusals"), answers: all.filter(isError) },
  ];
  return parts
    .filter(({ answers }) => answers.length > 0)
    .map(({ title, answers }) => (
      <div key={title}>
        <PartTitle level={level}>{title}</PartTitle>
        <ul className={classes.statuses}>
          {answers.map(([status, answer], at) => (
            <StatusLine
              key={status}
              status={status}
              answer={answer}
              isFirst={at === 0 && !isError([status, answer])}
            />
          ))}
        </ul>
      </div>
    ));
}

function StatusLine(props: { status: string; answer: Answer; isFirst: boolean }) {
  const { status, answer, isFirst } = props;
  const [isOpen, setOpen] = useState(isFirst);
  const codes = codesOf(answer.description).map(({ code }) => code);
  const tone = status.startsWith("2") ? classes.good : classes.bad;
  return (
    <li>
      <UnstyledButton
        className={classes.status}
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        <IconChevronRight size={14} aria-hidden className={classes.chevron} />
        <span className={`${classes.number} ${tone}`}>{status}</span>
        <span>{codes.length > 0 ? codes.join(", ") : answer.description}</span>
      </UnstyledButton>
      {isOpen && (
        <div className={classes.inner}>
          {codes.length > 0 && <Words text={answer.description} size="sm" c="dimmed" mb={6} />}
          <Content answer={answer} />
        </div>
      )}
    </li>
  );
}

function Content({ answer }: { answer: Answer }) {
  const { t } = useTranslation();
  const content = Object.entries(answer.content ?? {});
  const [media, setMedia] = useState(content[0]?.[0] ?? "");
  const schema = content.find(([type]) => type === media)?.[1].schema;
  const headers = Object.entries(answer.headers ?? {});
  return (
    <Stack gap="xs">
      {content.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t("docs.operation.none")}
        </Text>
      ) : (
        <div>
          <MediaSelect
            types={content.map(([type]) => type)}
            media={media}
            onMedia={setMedia}
            label={t("docs.operation.answers")}
          />
          {schema && <SchemaTree key={media} schema={schema} />}
        </div>
      )}
      {headers.length > 0 && <Headers headers={headers} />}
    </Stack>
  );
}

function Headers({ headers }: { headers: [string, NonNullable<Answer["headers"]>[string]][] }) {
  const { t } = useTranslation();
  const { api } = useDocs();
  return (
    <div>
      <Text size="sm" fw={600}>
        {t("docs.operation.headers")}
      </Text>
      <ul className={classes.fields}>
        {headers.map(([name, header]) => (
          <li key={name}>
            <code className={classes.name}>{name}</code>
            <Words text={api.resolve<Header>(header).description ?? ""} size="sm" c="dimmed" />
          </li>
        ))}
      </ul>
    </div>
  );
}
