import {
  Alert,
  Badge,
  Button,
  Group,
  NativeSelect,
  Paper,
  SimpleGrid,
  Stack,
  Text,
} from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { AnswerView } from "../answers/AnswerView";
import * as api from "../api/client";
import type { Json, Listed, ModelInfo, Row } from "../api/types";
import { isFilled } from "../inputs/table";
import { useFocusBack } from "../useFocusBack";
import { useLoaded } from "../useLoaded";
import { Fields, StillMissing } from "./Fields";
import { examplesOf, isMissing, seen, shown, took, whole } from "./rows";
import { Trouble } from "./Trouble";

type Side = { version: string; got?: api.Prediction; error?: Error };

/** Two versions on the same input, with what differs between their answers. */
export default function Compare({ model, begun }: { model: ModelInfo; begun: Row }) {
  const { t } = useTranslation();
  const listed = useLoaded("models", api.models);
  const versions = listed.value?.filter((each) => each.name === model.name && works(each)) ?? [];
  const fields = useMemo(() => shown(model), [model]);
  const example = useMemo(() => examplesOf(model)[0]?.row, [model]);
  const [row, setRow] = useState<Row>(isFilled(begun) ? begun : (example ?? {}));
  const [chosen, setChosen] = useState<[string | undefined, string | undefined]>([
    undefined,
    undefined,
  ]);
  const [asked, setAsked] = useState<Row>();
  const [sides, setSides] = useState<Side[]>([]);
  const [wantsMore, setWantsMore] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  const from = useFocusBack(!isBusy, () => undefined);
  if (listed.error) return <Trouble error={listed.error} retry={listed.reload} />;
  if (!listed.value) return null;
  const latest = [...versions].sort((a, b) => Number(b.version) - Number(a.version));
  const pair = [chosen[0] ?? latest[1]?.version, chosen[1] ?? latest[0]?.version];
  if (!pair[0] || !pair[1]) return <Alert color="gray">{t("compare.one")}</Alert>;
  const missing = fields.filter((field) => isMissing(field, row));

  async function run() {
    setWantsMore(false);
    setIsBusy(true);
    const request = whole(model, row);
    setSides(
      await Promise.all(
        pair.map(async (version = ""): Promise<Side> => {
          try {
            return { version, got: await api.predict(model.name, request, { version }) };
          } catch (error) {
            return { version, error: error as Error };
          }
        }),
      ),
    );
    setAsked(seen(model, row));
    setIsBusy(false);
  }

  return (
    <Stack gap="lg">
      <Paper withBorder p="lg">
        <Stack gap="md">
          <Group>
            {([0, 1] as const).map((side) => (
              <NativeSelect
                key={side}
                label={t(side ? "compare.with" : "compare.version")}
                value={pair[side] ?? ""}
                data={latest.map((each) => ({ value: each.version, label: label(each) }))}
                onChange={(event) => {
                  const next: [string | undefined, string | undefined] = [pair[0], pair[1]];
                  next[side] = event.currentTarget.value;
                  setChosen(next);
                }}
              />
            ))}
          </Group>
          <Fields
            fields={fields}
            row={row}
            example={example}
            failure={sides.find((side) => side.error)?.error}
            onChange={(field, value) =>
              setRow(({ [field.name]: _, ...rest }) =>
                value === undefined ? rest : { ...rest, [field.name]: value },
              )
            }
          />
          {wantsMore && <StillMissing fields={missing} />}
          <Group>
            <Button
              leftSection={<IconPlayerPlay size={16} />}
              loading={isBusy}
              onClick={(event) => {
                from.current = event.currentTarget;
                setWantsMore(true);
                if (missing.length === 0) void run();
              }}
            >
              {t("app.run")}
            </Button>
          </Group>
        </Stack>
      </Paper>
      <div aria-live="polite">{asked && <Both model={model} row={asked} sides={sides} />}</div>
    </Stack>
  );
}

function Both({ model, row, sides }: { model: ModelInfo; row: Row; sides: Side[] }) {
  const { t } = useTranslation();
  const [one, other] = sides.map((side) => side.got?.answer);
  const [error, otherError] = sides.map((side) => side.error);
  if (error && otherError && error.message === otherError.message) return <Trouble error={error} />;
  const differing = one && other ? differences(one, other) : [];
  return (
    <Stack gap="md">
      {one && other && (
        <Group gap="xs" data-testid="difference">
          <Badge variant="dot" color={differing.length ? "orange" : "teal"} tt="none" fw={500}>
            {t(differing.length ? "compare.differ" : "compare.same")}
          </Badge>
          {differing.slice(0, MOST).map(({ path, change }) => (
            <Text key={path} size="sm" ff="monospace">
              {path}: {change}
            </Text>
          ))}
          {differing.length > MOST && (
            <Text size="sm" c="dimmed">
              {t("kept.moreDifferences", { count: differing.length - MOST })}
            </Text>
          )}
        </Group>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        {sides.map((side, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: both may be of one version
          <Paper key={at} withBorder p="lg" component="section">
            <Text size="sm" c="dimmed" mb="sm">
              {side.got
                ? t("app.took", { ms: took(side.got.tookMs), version: side.version })
                : t("home.version", { version: side.version })}
            </Text>
            {side.error && <Trouble error={side.error} />}
            {side.got && <AnswerView model={model} request={row} answer={side.got.answer} />}
          </Paper>
        ))}
      </SimpleGrid>
    </Stack>
  );
}

/** Differences that are told; the answers have them all. */
const MOST = 6;

/** The places in which two answers differ, and from what to what. */
export function differences(one: Json, other: Json, path = ""): { path: string; change: string }[] {
  if (isNested(one) && isNested(other)) {
    const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
    return [...keys].flatMap((key) =>
      differences(one[key] ?? null, other[key] ?? null, path ? `${path}.${key}` : key),
    );
  }
  if (JSON.stringify(one) === JSON.stringify(other)) return [];
  return [{ path, change: `${short(one)} → ${short(other)}` }];
}

function isNested(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null;
}

function short(value: Json): string {
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function works(model: Listed): boolean {
  return !["FAILED", "UNLOADED"].includes(model.state);
}

function label(model: Listed): string {
  return [model.version, ...model.aliases].join(" · ");
}
