import { Button, FileButton, Group, Input, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { IconUpload } from "@tabler/icons-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useDocs } from "./context";
import { faultOf, laidOut } from "./json";
import { bodiesOf, type Media, type Operation } from "./openapi";
import { type Draft, kindOf, type Problems, partsOf, written } from "./request";
import { samplesOf } from "./sample";
import { sized } from "./size";

interface Props {
  draft: Draft;
  /** What the draft was at first. */
  first: Draft;
  problems: Problems;
  onChange: (part: Partial<Draft>) => void;
  onSubmit: () => void;
}

/** The body in the way of its media type: JSON and texts, files, forms. */
export function BodyEditor({ operation, ...props }: Props & { operation: Operation }) {
  const { api } = useDocs();
  const { media } = props.draft;
  const said = bodiesOf(api, operation).find(([type]) => type === media)?.[1];
  if (!said) return null;
  switch (kindOf(media)) {
    case "file":
      return <OneFile {...props} />;
    case "form":
      return <Form {...props} media={said} />;
    default:
      return <TextBody {...props} media={said} />;
  }
}

function TextBody({ draft, first, problems, onChange, onSubmit, media }: Props & { media: Media }) {
  const { t } = useTranslation();
  const { api } = useDocs();
  const type = draft.media;
  const text = draft.bodies[type] ?? "";
  const isJson = kindOf(type) === "json";
  const fault = useMemo(() => (isJson && text.trim() ? faultOf(text) : null), [isJson, text]);
  const samples = isJson ? samplesOf(media, api.resolve) : [];
  const write = (next: string) => onChange({ bodies: { ...draft.bodies, [type]: next } });
  const initial = first.bodies[type] ?? "";
  const wrong = fault
    ? t("docs.fault.at", {
        line: fault.line,
        column: fault.column,
        what: t(`docs.fault.${fault.why}`, { found: fault.found }),
      })
    : problems.body && t(problems.body);
  return (
    <Stack gap="xs">
      <Textarea
        label={t("docs.try.body")}
        error={wrong}
        autosize
        minRows={3}
        maxRows={18}
        spellCheck={false}
        autoCapitalize="off"
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
        value={text}
        onChange={(event) => write(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          onSubmit();
        }}
      />
      <Group gap="xs">
        {samples.length > 1 &&
          samples.map(({ name, value }) => (
            <Button
              key={name}
              variant="default"
              size="compact-sm"
              onClick={() => write(written(value))}
            >
              {name || t("docs.try.example")}
            </Button>
          ))}
        {text !== initial && initial && (
          <Button variant="default" size="compact-sm" onClick={() => write(initial)}>
            {t("docs.try.reset")}
          </Button>
        )}
        {isJson && (
          <Button
            variant="default"
            size="compact-sm"
            disabled={fault !== null || text.trim() === ""}
            onClick={() => write(laidOut(text))}
          >
            {t("docs.try.tidy")}
          </Button>
        )}
        {!initial && (
          <Text size="sm" c="dimmed">
            {t("docs.try.noExample")}
          </Text>
        )}
      </Group>
    </Stack>
  );
}

function OneFile({ draft, problems, onChange }: Props) {
  const { t } = useTranslation();
  const { media, files } = draft;
  return (
    <FileField
      label={t("docs.try.body")}
      accept={media}
      file={files[media]}
      error={problems.body}
      onChange={(file) => onChange({ files: { ...files, [media]: file } })}
    />
  );
}

function Form({ draft, problems, onChange, media }: Props & { media: Media }) {
  const { api } = useDocs();
  const { t } = useTranslation();
  const type = draft.media;
  const parts = useMemo(() => partsOf(api, media), [api, media]);
  return (
    <Stack gap="sm">
      {parts.map((part) => {
        const wrong = problems[`part/${part.name}`];
        if (part.file) {
          const key = `${type}/${part.name}`;
          return (
            <FileField
              key={part.name}
              label={part.name}
              accept={part.file}
              file={draft.files[key]}
              error={wrong}
              onChange={(file) => onChange({ files: { ...draft.files, [key]: file } })}
            />
          );
        }
        return (
          <TextInput
            key={part.name}
            label={part.name}
            description={part.description}
            required={part.isRequired}
            error={wrong && t(wrong)}
            value={draft.parts[part.name] ?? ""}
            onChange={(event) =>
              onChange({ parts: { ...draft.parts, [part.name]: event.currentTarget.value } })
            }
          />
        );
      })}
    </Stack>
  );
}

function FileField(props: {
  label: string;
  accept: string;
  file: File | undefined;
  error: string | undefined;
  onChange: (file: File) => void;
}) {
  const { label, accept, file, error, onChange } = props;
  const { t, i18n } = useTranslation();
  // Browsers know no file names for media types of their own.
  const types = /^(image|audio|video|text)\//.test(accept) ? accept : "";
  return (
    <Input.Wrapper label={label} error={error && t(error)} labelElement="div">
      <Group gap="sm">
        <FileButton accept={types} onChange={(chosen) => chosen && onChange(chosen)}>
          {(button) => (
            <Button
              {...button}
              variant="default"
              size="sm"
              leftSection={<IconUpload size={16} />}
              aria-label={`${t(file ? "docs.try.other" : "docs.try.choose")}: ${label}`}
              data-problem={error ? true : undefined}
            >
              {t(file ? "docs.try.other" : "docs.try.choose")}
            </Button>
          )}
        </FileButton>
        <Text size="sm" c="dimmed">
          {file
            ? t("docs.try.bytes", { name: file.name, size: sized(file.size, i18n.language) })
            : t("docs.try.none")}
        </Text>
      </Group>
    </Input.Wrapper>
  );
}
