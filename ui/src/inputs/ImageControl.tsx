import { Group, Text } from "@mantine/core";
import { IconCamera, IconPhoto } from "@tabler/icons-react";
import { type DragEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { ActionButton, ExampleButton, RemoveButton } from "./Actions";
import { CameraModal } from "./Camera";
import type { ControlProps } from "./control";
import { Frame } from "./Frame";
import { base64Of, isPicture, MOST_BYTES, pictureType, toBase64 } from "./files";
import { useIds, useLatest, useObjectUrl, usePaste, useProblem } from "./hooks";
import classes from "./inputs.module.css";
import { hasMedia } from "./media";

/** A picture: dropped, chosen, pasted or taken with the camera. */
export function ImageControl({ field, value, onChange, error, example }: ControlProps) {
  const { t } = useTranslation();
  const root = useRef<HTMLDivElement>(null);
  const [isOver, setOver] = useState(false);
  const [isCamera, setCamera] = useState(false);
  const [problem, setProblem] = useProblem(value);
  const latest = useLatest(onChange);
  const shown = problem ? t(problem, { size: MOST_BYTES / 1024 / 1024 }) : error;
  const ids = useIds(field.description, shown);
  const base64 = base64Of(value);
  const sample = base64Of(example);

  const take = async (file: Blob) => {
    if (!isPicture(file)) return setProblem("inputs.image.noImage");
    if (file.size > MOST_BYTES) return setProblem("inputs.file.tooLarge");
    try {
      const next = await toBase64(file);
      setProblem(null);
      latest.current(next);
    } catch {
      setProblem("inputs.file.unreadable");
    }
  };

  usePaste(root, (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find(isPicture);
    if (!file) return;
    event.preventDefault();
    void take(file);
  });

  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const [file] = event.dataTransfer.files;
    if (file) void take(file);
    else setProblem("inputs.image.noImage");
  };

  return (
    <Frame ref={root} ids={ids} field={field} error={shown}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the input inside does it without a mouse */}
      <div
        className={classes.zone}
        data-over={isOver || undefined}
        data-invalid={shown ? true : undefined}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        {base64 === null ? (
          <>
            <IconPhoto size={32} stroke={1.5} aria-hidden />
            <Text size="sm">{t("inputs.image.drop")}</Text>
            <Text size="xs">{t("inputs.image.paste")}</Text>
          </>
        ) : (
          <Preview base64={base64} name={field.name} />
        )}
        <input
          type="file"
          accept="image/*"
          className={classes.file}
          title=""
          aria-label={t(base64 === null ? "inputs.image.choose" : "inputs.image.replace", {
            name: field.name,
          })}
          aria-describedby={ids.describedBy}
          aria-invalid={shown ? true : undefined}
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            // The same file can be chosen again only if the input has forgotten it.
            event.currentTarget.value = "";
            if (file) void take(file);
          }}
        />
      </div>
      <Group gap="xs">
        {hasMedia() && (
          <ActionButton
            leftSection={<IconCamera size={16} aria-hidden />}
            onClick={() => setCamera(true)}
          >
            {t("inputs.image.camera")}
          </ActionButton>
        )}
        {sample !== null && <ExampleButton onClick={() => onChange(sample)} />}
        <RemoveButton
          disabled={base64 === null}
          onClick={() => {
            setProblem(null);
            onChange(undefined);
          }}
        />
      </Group>
      <CameraModal
        opened={isCamera}
        onClose={() => setCamera(false)}
        onTake={(picture) => {
          setCamera(false);
          void take(picture);
        }}
      />
    </Frame>
  );
}

function Preview({ base64, name }: { base64: string; name: string }) {
  const { t } = useTranslation();
  const url = useObjectUrl(base64, pictureType(base64) ?? "image/png");
  const [isSmall, setSmall] = useState(false);
  const [broken, setBroken] = useState<string | null>(null);
  // Not every picture that a model reads is one that the browser shows, such as TIFF.
  if (broken !== null && broken === url) return <Text size="sm">{t("inputs.image.hidden")}</Text>;
  return (
    url && (
      <img
        src={url}
        alt={t("inputs.image.alt", { name })}
        className={`${classes.picture} ${isSmall ? classes.small : ""}`}
        onLoad={(event) => setSmall(event.currentTarget.naturalHeight < 64)}
        onError={() => setBroken(url)}
      />
    )
  );
}
