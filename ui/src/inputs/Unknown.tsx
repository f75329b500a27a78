import { Checkbox } from "@mantine/core";
import { useTranslation } from "react-i18next";

interface UnknownProps {
  name: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}

/** The box that says that a value is not known. */
export function Unknown({ name, checked, onChange }: UnknownProps) {
  const { t } = useTranslation();
  return (
    <Checkbox
      size="xs"
      label={t("inputs.unknown")}
      aria-label={t("inputs.unknownOf", { name })}
      checked={checked}
      onChange={(event) => onChange(event.currentTarget.checked)}
    />
  );
}
