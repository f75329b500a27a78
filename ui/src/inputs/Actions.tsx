import { Button, type ButtonProps, FileButton } from "@mantine/core";
import { IconSparkles, IconUpload, IconX } from "@tabler/icons-react";
import { type ComponentPropsWithoutRef, useRef } from "react";
import { useTranslation } from "react-i18next";

/** A button of the row under an input. */
export function ActionButton(props: ButtonProps & ComponentPropsWithoutRef<"button">) {
  return <Button size="compact-sm" variant="default" {...props} />;
}

interface UploadProps extends Pick<ButtonProps, "variant" | "size" | "leftSection" | "disabled"> {
  /** What may be chosen, as the `accept` of a file input says it. */
  accept: string;
  label: string;
  onPick: (file: File) => void;
  describedBy?: string | undefined;
}

/** Chooses a file; the same one again, too. */
export function UploadButton({ accept, label, onPick, describedBy, ...look }: UploadProps) {
  const reset = useRef<() => void>(null);
  return (
    <FileButton
      accept={accept}
      resetRef={reset}
      onChange={(file) => {
        reset.current?.();
        if (file) onPick(file);
      }}
    >
      {(props) => (
        <ActionButton
          {...props}
          leftSection={<IconUpload size={16} aria-hidden />}
          aria-describedby={describedBy}
          {...look}
        >
          {label}
        </ActionButton>
      )}
    </FileButton>
  );
}

/** Takes the value of the model's own example. */
export function ExampleButton({ onClick }: { onClick: () => void }) {
  const { t } = useTranslation();
  return (
    <ActionButton leftSection={<IconSparkles size={16} aria-hidden />} onClick={onClick}>
      {t("inputs.useExample")}
    </ActionButton>
  );
}

/** Takes the value away. */
export function RemoveButton({ onClick, disabled }: { onClick: () => void; disabled: boolean }) {
  const { t } = useTranslation();
  return (
    <ActionButton
      leftSection={<IconX size={16} aria-hidden />}
      disabled={disabled}
      onClick={onClick}
    >
      {t("inputs.remove")}
    </ActionButton>
  );
}
