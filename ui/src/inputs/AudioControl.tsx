import { Button, Center, Group, Text } from "@mantine/core";
import { IconMicrophone, IconPlayerStopFilled } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { ActionButton, ExampleButton, RemoveButton, UploadButton } from "./Actions";
import type { ControlProps } from "./control";
import { Frame } from "./Frame";
import { base64Of, MOST_BYTES, toBase64 } from "./files";
import { useIds, useLatest, useObjectUrl, useProblem } from "./hooks";
import classes from "./inputs.module.css";
import { hasRecorder, mediaProblem, release } from "./media";
import { encodeWav, isWav, mixDown } from "./wav";

const RATE = 48_000;

/** So long a recording stays below the largest file. */
const MOST_SECONDS = 180;

async function toWav(sound: Blob): Promise<Blob> {
  const bytes = await sound.arrayBuffer();
  if (isWav(new Uint8Array(bytes))) return sound;
  const decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
  const channels = Array.from({ length: decoded.numberOfChannels }, (_, at) =>
    decoded.getChannelData(at),
  );
  return new Blob([encodeWav(mixDown(channels), decoded.sampleRate)], { type: "audio/wav" });
}

interface Recorder {
  seconds: number | null;
  start: () => void;
  stop: () => void;
}

function useRecorder(onSound: (sound: Blob) => void, onProblem: (key: string) => void): Recorder {
  const [seconds, setSeconds] = useState<number | null>(null);
  const running = useRef<MediaRecorder | null>(null);
  const isGone = useRef(false);
  const latest = useLatest(onSound);

  useEffect(() => {
    isGone.current = false;
    return () => {
      isGone.current = true;
      running.current?.stop();
    };
  }, []);

  useEffect(() => {
    if (seconds === null) return;
    const timer = setTimeout(() => {
      if (seconds + 1 >= MOST_SECONDS) running.current?.stop();
      else setSeconds(seconds + 1);
    }, 1000);
    return () => clearTimeout(timer);
  }, [seconds]);

  const start = async () => {
    let stream: MediaStream | null = null;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      if (isGone.current || running.current) return release(stream);
      const recorder = new MediaRecorder(stream);
      const parts: Blob[] = [];
      recorder.ondataavailable = (event) => parts.push(event.data);
      recorder.onstop = () => {
        release(stream);
        running.current = null;
        if (isGone.current) return;
        setSeconds(null);
        latest.current(new Blob(parts, { type: recorder.mimeType }));
      };
      recorder.start();
      running.current = recorder;
      setSeconds(0);
    } catch (error) {
      release(stream);
      onProblem(mediaProblem(error));
    }
  };
  return { seconds, start: () => void start(), stop: () => running.current?.stop() };
}

/** A sound: a file, or a recording with the microphone; sent as WAV. */
export function AudioControl({ field, value, onChange, error, example }: ControlProps) {
  const { t } = useTranslation();
  const [problem, setProblem] = useProblem(value);
  const latest = useLatest(onChange);
  const shown = problem ? t(problem, { size: MOST_BYTES / 1024 / 1024 }) : error;
  const ids = useIds(field.description, shown);
  const base64 = base64Of(value);
  const sample = base64Of(example);
  const url = useObjectUrl(base64, "audio/wav");

  const take = async (sound: Blob) => {
    if (sound.size > MOST_BYTES) return setProblem("inputs.file.tooLarge");
    try {
      const wav = await toWav(sound);
      if (wav.size > MOST_BYTES) return setProblem("inputs.audio.tooLong");
      const next = await toBase64(wav);
      setProblem(null);
      latest.current(next);
    } catch {
      setProblem("inputs.audio.noSound");
    }
  };
  const recorder = useRecorder((sound) => void take(sound), setProblem);

  return (
    <Frame ids={ids} field={field} error={shown}>
      {url ? (
        // biome-ignore lint/a11y/useMediaCaption: what the person has just given has no captions
        <audio
          controls
          src={url}
          className={classes.sound}
          aria-label={t("inputs.audio.player", { name: field.name })}
        />
      ) : (
        <Center h="3.375rem">
          <Text size="sm" c="dimmed" aria-live="polite">
            {recorder.seconds === null
              ? t("inputs.audio.empty")
              : t("inputs.audio.recording", { most: MOST_SECONDS })}
          </Text>
        </Center>
      )}
      <Group gap="xs">
        {hasRecorder() &&
          (recorder.seconds === null ? (
            <ActionButton
              leftSection={<IconMicrophone size={16} aria-hidden />}
              onClick={recorder.start}
            >
              {t("inputs.audio.record")}
            </ActionButton>
          ) : (
            <Button
              size="compact-sm"
              color="red"
              leftSection={<IconPlayerStopFilled size={16} aria-hidden />}
              onClick={recorder.stop}
            >
              {t("inputs.audio.stop", { seconds: recorder.seconds })}
            </Button>
          ))}
        <UploadButton
          accept="audio/*"
          label={t("inputs.audio.upload")}
          onPick={(file) => void take(file)}
          describedBy={ids.describedBy}
        />
        {sample !== null && <ExampleButton onClick={() => onChange(sample)} />}
        <RemoveButton
          disabled={base64 === null}
          onClick={() => {
            setProblem(null);
            onChange(undefined);
          }}
        />
      </Group>
    </Frame>
  );
}
