import { Alert, Button, Group, Modal, Stack } from "@mantine/core";
import { IconCamera } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import classes from "./inputs.module.css";
import { mediaProblem, release } from "./media";

interface CameraProps {
  onTake: (picture: Blob) => void;
  onClose: () => void;
}

interface CameraModalProps extends CameraProps {
  opened: boolean;
}

/** A window with the camera's picture, which takes one of it. */
export function CameraModal({ opened, onTake, onClose }: CameraModalProps) {
  const { t } = useTranslation();
  return (
    // Without a `<header>`, which would be a second one of the page.
    <Modal.Root opened={opened} onClose={onClose} centered>
      <Modal.Overlay />
      <Modal.Content>
        <Modal.Body>
          <Modal.Title mb="sm">{t("inputs.image.camera")}</Modal.Title>
          <Camera onTake={onTake} onClose={onClose} />
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function Camera({ onTake, onClose }: CameraProps) {
  const { t } = useTranslation();
  const video = useRef<HTMLVideoElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isReady, setReady] = useState(false);

  useEffect(() => {
    let isOver = false;
    let stream: MediaStream | null = null;
    const start = async () => {
      try {
        stream = await navigator.mediaDevices.getUserMedia({
          video: { facingMode: { ideal: "environment" } },
        });
        if (isOver) release(stream);
        else if (video.current) video.current.srcObject = stream;
      } catch (error) {
        if (!isOver) setProblem(mediaProblem(error));
      }
    };
    void start();
    return () => {
      isOver = true;
      release(stream);
    };
  }, []);

  const take = () => {
    const shown = video.current;
    if (!shown) return;
    const canvas = document.createElement("canvas");
    canvas.width = shown.videoWidth;
    canvas.height = shown.videoHeight;
    canvas.getContext("2d")?.drawImage(shown, 0, 0);
    canvas.toBlob(
      (picture) => {
        if (picture) onTake(picture);
        else setProblem("inputs.media.failed");
      },
      "image/jpeg",
      0.92,
    );
  };

  return (
    <Stack gap="sm">
      {problem ? (
        <Alert color="red" role="alert">
          {t(problem)}
        </Alert>
      ) : (
        <video
          ref={video}
          className={classes.video}
          aria-label={t("inputs.image.live")}
          autoPlay
          muted
          playsInline
          onLoadedMetadata={() => setReady(true)}
        />
      )}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          {t("app.cancel")}
        </Button>
        <Button
          leftSection={<IconCamera size={16} aria-hidden />}
          onClick={take}
          disabled={!isReady || problem !== null}
          data-autofocus
        >
          {t("inputs.image.take")}
        </Button>
      </Group>
    </Stack>
  );
}
