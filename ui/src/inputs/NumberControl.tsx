import { NumberInput, Slider, Stack, Text, VisuallyHidden } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { FieldInfo, Json } from "../api/types";
import { checkField, isWhole, problemText, rangeText, single, toNumber } from "./check";
import type { ControlProps } from "./control";
import { useDraft } from "./hooks";

/** The step of 1, 2 or 5 times a power of ten that goes about a hundred times into a span. */
export function stepOf(span: number): number {
  const power = 10 ** Math.floor(Math.log10(span / 100));
  const times = span / 100 / power;
  const step = times >= 5 ? 5 * power : times >= 2 ? 2 * power : power;
  return Number(step.toPrecision(1));
}

function stepFor(field: FieldInfo, example: Json | undefined): number {
  if (isWhole(field.datatype)) return 1;
  const { minimum, maximum } = field;
  if (minimum !== undefined && maximum !== undefined && maximum > minimum) {
    return stepOf(maximum - minimum);
  }
  return typeof example === "number" && example !== 0 ? stepOf(Math.abs(example) * 10) : 0.1;
}

/** One number, with its unit and range; a slider where both ends are known. */
export function NumberControl({ field, value, onChange, error, example }: ControlProps) {
  const { t } = useTranslation();
  const given = single(value);
  const [draft, setDraft] = useDraft<string | number>(given);
  const { minimum, maximum, unit } = field;
  const whole = isWhole(field.datatype);
  const step = stepFor(field, single(example));
  const problem = given === undefined || given === null ? null : checkField(given, field);
  const hint = rangeText(field, t);
  const told = single(example);

  const take = (typed: string | number) => {
    const number = toNumber(typed);
    setDraft(typed, number);
    if (!Object.is(number, given)) onChange(number);
  };

  return (
    <Stack gap="xs">
      <NumberInput
        label={field.name}
        description={
          field.description || hint || unit ? (
            <>
              {[field.description, hint].filter(Boolean).join(" · ")}
              {unit && !hint && <VisuallyHidden>{` ${unit}`}</VisuallyHidden>}
            </>
          ) : null
        }
        error={problem ? problemText(problem, t, field) : error}
        value={draft ?? (typeof given === "number" ? given : "")}
        onChange={take}
        placeholder={typeof told === "number" ? String(told) : undefined}
        allowDecimal={!whole}
        allowNegative={
          !field.datatype.startsWith("UINT") && !(minimum !== undefined && minimum >= 0)
        }
        // A value outside is told, not changed under the person's hands.
        clampBehavior="none"
        step={step}
        {...(minimum !== undefined ? { min: minimum, startValue: minimum } : {})}
        {...(maximum !== undefined ? { max: maximum } : {})}
        {...(unit
          ? {
              rightSection: (
                <Text size="sm" c="dimmed" aria-hidden truncate px={6}>
                  {unit}
                </Text>
              ),
              rightSectionWidth: Math.min(120, 24 + unit.length * 9),
            }
          : {})}
      />
      {minimum !== undefined && maximum !== undefined && maximum > minimum && (
        <Slider
          mx={4}
          min={minimum}
          max={maximum}
          step={step}
          value={typeof given === "number" ? given : minimum}
          onChange={take}
          thumbLabel={field.name}
          thumbValueText={
            typeof given === "number" ? `${given} ${unit ?? ""}` : t("inputs.notGiven")
          }
        />
      )}
    </Stack>
  );
}
