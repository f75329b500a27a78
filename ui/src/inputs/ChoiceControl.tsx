import { Box, SegmentedControl, Select } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { single } from "./check";
import type { ControlProps } from "./control";
import { Frame } from "./Frame";
import { useIds } from "./hooks";

const UNKNOWN = "null";

function isShort(labels: readonly string[]): boolean {
  // So many letters have room beside each other on a screen of 360 px.
  return labels.length <= 4 && labels.join("").length + labels.length * 4 <= 36;
}

/** One of some values: side by side where they are few and short, else a list to search. */
export function ChoiceControl({ field, value, onChange, error }: ControlProps) {
  const { t } = useTranslation();
  const choices = field.choices ?? [];
  const given = single(value);
  const place = choices.findIndex((choice) => Object.is(choice, given));
  const isUnknown = given === null && Boolean(field.nullable);
  // Places stand for the choices, which so keep their types.
  const data = choices.map((choice, at) => ({ value: String(at), label: String(choice) }));
  if (field.nullable) data.push({ value: UNKNOWN, label: t("inputs.unknown") });
  const chosen = place >= 0 ? String(place) : isUnknown ? UNKNOWN : null;
  const isStrange = chosen === null && given !== undefined;
  const problem = isStrange
    ? t("inputs.problem.choice", { got: JSON.stringify(given).slice(0, 40) })
    : error;
  const ids = useIds(field.description, problem);
  const take = (next: string | null) =>
    onChange(next === UNKNOWN || next === null ? null : choices[Number(next)]);

  if (!isShort(data.map((item) => item.label))) {
    return (
      <Select
        label={field.name}
        description={field.description}
        error={problem}
        data={data}
        value={chosen}
        onChange={take}
        searchable
        allowDeselect={false}
        clearable={Boolean(field.nullable)}
        clearButtonProps={{ "aria-label": t("inputs.clearOf", { name: field.name }) }}
        placeholder={t("inputs.choose")}
        nothingFoundMessage={t("inputs.noChoice")}
        maxDropdownHeight={280}
      />
    );
  }
  return (
    <Frame ids={ids} field={field} error={problem} isGroup={false}>
      <Box>
        <SegmentedControl
          fullWidth={data.length > 2}
          data={data}
          value={chosen ?? ""}
          onChange={take}
          aria-labelledby={ids.labelId}
          aria-describedby={ids.describedBy}
          aria-invalid={problem ? true : undefined}
        />
      </Box>
    </Frame>
  );
}
