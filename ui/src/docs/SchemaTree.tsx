import { Badge, Button, Code, Text, UnstyledButton } from "@mantine/core";
import { IconChevronRight } from "@tabler/icons-react";
import type { TFunction } from "i18next";
import { type ReactNode, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useDocs } from "./context";
import classes from "./docs.module.css";
import type { Schema } from "./openapi";
import {
  type Child,
  childrenOf,
  choicesOf,
  lengthOf,
  rangeOf,
  type Shape,
  shapeOf,
} from "./schema";
import { Words } from "./Words";

/** More are shown when somebody asks for them. */
const MOST_FIELDS = 40;
const MOST_CHOICES = 12;
/** Down to here a tree is open at first. */
const OPEN_DEPTH = 1;

/** A schema as a tree, of which only what is open is made. */
export function SchemaTree(props: {
  schema: Schema;
  /** What stands in the first line before the type. */
  before?: ReactNode;
  description?: string | undefined;
  isRequired?: boolean | undefined;
}) {
  const { schema, before, description = "", isRequired } = props;
  const { t } = useTranslation();
  const { api } = useDocs();
  const shape = useMemo(() => shapeOf(schema, api.resolve), [schema, api]);
  const component = shape.component;
  return (
    <div>
      <div className={classes.line}>
        {before}
        <Kind shape={shape} />
        {isRequired && <span className={classes.required}>{t("docs.schema.required")}</span>}
      </div>
      <Facts shape={shape} />
      <Words text={description} size="sm" c="dimmed" />
      <Inside shape={shape} above={component ? [component] : []} depth={0} />
    </div>
  );
}

function Inside({ shape, above, depth }: { shape: Shape; above: string[]; depth: number }) {
  const { t } = useTranslation();
  const [isAll, setAll] = useState(false);
  const all = childrenOf(shape);
  if (all.length === 0) return null;
  const shown = isAll ? all : all.slice(0, MOST_FIELDS);
  return (
    <>
      {shape.forms.length > 0 && (
        <Text size="sm" c="dimmed" mt={4}>
          {t("docs.schema.forms")}
        </Text>
      )}
      <ul className={classes.fields}>
        {shown.map((child, at) => (
          <Node
            // biome-ignore lint/suspicious/noArrayIndexKey: forms may have no names, and never move
            key={`${child.kind}/${child.name}/${at}`}
            child={child}
            at={at}
            above={above}
            depth={depth}
          />
        ))}
      </ul>
      {shown.length < all.length && (
        <Button variant="default" size="compact-sm" onClick={() => setAll(true)}>
          {t("docs.schema.more", { count: all.length - shown.length })}
        </Button>
      )}
    </>
  );
}

function Node(props: { child: Child; at: number; above: string[]; depth: number }) {
  const { child, at, above, depth } = props;
  const { t } = useTranslation();
  const { api } = useDocs();
  const shape = useMemo(() => shapeOf(child.schema, api.resolve), [child.schema, api]);
  // Of several forms the first is the one that most callers send.
  const isFirst = child.kind === "form" ? at === 0 : depth < OPEN_DEPTH;
  const [isOpen, setOpen] = useState(isFirst);
  const again = shape.component !== null && above.includes(shape.component);
  const hasMore = !again && childrenOf(shape).length > 0;
  const name = nameOf(child, shape, at, t);
  const label =
    child.kind === "property" ? (
      <code className={classes.name}>{name}</code>
    ) : (
      <span className={classes.form}>{name}</span>
    );
  return (
    <li>
      <div className={classes.line}>
        {hasMore ? (
          <UnstyledButton
            className={classes.expander}
            aria-expanded={isOpen}
            onClick={() => setOpen(!isOpen)}
          >
            <IconChevronRight size={14} aria-hidden className={classes.chevron} />
            {label}
          </UnstyledButton>
        ) : (
          label
        )}
        <Kind shape={shape} />
        {child.isRequired && <span className={classes.required}>{t("docs.schema.required")}</span>}
        {again && (
          <Text size="xs" c="dimmed">
            {t("docs.schema.again", { name: shape.component })}
          </Text>
        )}
      </div>
      <Facts shape={shape} />
      {hasMore && isOpen && (
        <Inside
          shape={shape}
          above={shape.component ? [...above, shape.component] : above}
          depth={depth + (child.kind === "form" ? 0 : 1)}
        />
      )}
    </li>
  );
}

function nameOf(child: Child, shape: Shape, at: number, t: TFunction): string {
  switch (child.kind) {
    case "property":
      return child.name;
    case "form":
      return shape.title || t("docs.schema.form", { number: at + 1 });
    case "other":
      return t("docs.schema.others");
    default:
      return t("docs.schema.place", { number: Number(child.name) + 1 });
  }
}

/** The type in a few words, with the lengths of the lists around it. */
function Kind({ shape }: { shape: Shape }) {
  const { t } = useTranslation();
  const { schema, types, lists } = shape;
  const named = types.map((type) => t(`docs.type.${type}`, { defaultValue: type })).join(" | ");
  const sizes = lists.map((length) => lengthOf(length) || "?").join(" × ");
  const type = named || (shape.forms.length > 0 ? "" : t("docs.schema.anything"));
  const text = isFile(schema) ? t("docs.schema.file", { media: schema.contentMediaType }) : type;
  return (
    <>
      <Text size="sm" c="dimmed" component="span">
        {text}
        {sizes && ` [${sizes}]`}
        {schema.format && <span className={classes.format}> {schema.format}</span>}
      </Text>
      {shape.mayBeNull && (
        <Text size="sm" c="dimmed" component="span">
          {t("docs.schema.nullable")}
        </Text>
      )}
      {shape.isDeprecated && (
        <Badge variant="outline" color="gray" size="sm" tt="none">
          {t("docs.operation.deprecated")}
        </Badge>
      )}
    </>
  );
}

function isFile({ contentMediaType, contentEncoding, type }: Schema): boolean {
  return Boolean(contentMediaType) && !contentEncoding && !type;
}

/** What a value has to be besides its type, and what is said of it. */
function Facts({ shape }: { shape: Shape }) {
  const { t } = useTranslation();
  const { schema, unit } = shape;
  const unitSaid = t("docs.schema.unit", { unit });
  // The server's description says the unit, too, in English.
  const said = shape.description
    .replace(`Unit: ${unit}`, "")
    .replace(/^\.\s*|\s+\.$/, "")
    .trim();
  const length = lengthOf({ least: schema.minLength ?? 0, most: schema.maxLength ?? null });
  const facts = [
    rangeOf(schema),
    unit && unitSaid,
    schema.multipleOf !== undefined && t("docs.schema.steps", { step: schema.multipleOf }),
    length && t("docs.schema.length", { length }),
    schema.pattern && t("docs.schema.pattern", { pattern: schema.pattern }),
    schema.maxProperties !== undefined && t("docs.schema.most", { count: schema.maxProperties }),
    schema.contentEncoding === "base64" &&
      (schema.contentMediaType
        ? t("docs.schema.base64Of", { media: schema.contentMediaType })
        : t("docs.schema.base64")),
    shape.default !== undefined &&
      t("docs.schema.default", { value: JSON.stringify(shape.default) }),
  ].filter(Boolean);
  return (
    <>
      {facts.length > 0 && <Text size="sm">{facts.join(" · ")}</Text>}
      <Choices values={choicesOf(schema)} />
      {said && <Words text={said} size="sm" c="dimmed" />}
    </>
  );
}

function Choices({ values }: { values: string[] }) {
  const { t } = useTranslation();
  const [isAll, setAll] = useState(false);
  if (values.length === 0) return null;
  const shown = isAll ? values : values.slice(0, MOST_CHOICES);
  return (
    <div className={classes.choices}>
      <Text size="sm" component="span">
        {t("docs.schema.choices")}
      </Text>
      {shown.map((value) => (
        <Code key={value}>{value}</Code>
      ))}
      {shown.length < values.length && (
        <Button variant="default" size="compact-xs" onClick={() => setAll(true)}>
          {t("docs.schema.more", { count: values.length - shown.length })}
        </Button>
      )}
    </div>
  );
}
