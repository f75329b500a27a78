import { Text } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import classes from "./answers.module.css";

/** A picture's width and height in its own pixels. */
export interface Size {
  width: number;
  height: number;
}

const TALLEST = "26rem";
const TINY = 160;

/** The picture that was sent with something drawn over it, which is told the picture's size. */
export function PictureFrame({
  source,
  size: known,
  isExact = false,
  children,
}: {
  /** Its URL; null where there is none. */
  source: string | null;
  /** The size to draw in where it cannot be shown. */
  size: Size | null;
  /** Whether that is the picture's own size. */
  isExact?: boolean;
  children: (size: Size) => ReactNode;
}) {
  const { t } = useTranslation();
  const [loaded, setLoaded] = useState<{ source: string; size: Size } | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const isUnseen = source === null || failed === source;
  const own = loaded && loaded.source === source ? loaded.size : null;
  const drawn = own ?? (isUnseen ? known : null);
  // Until the next picture is there, the frame keeps the form of the one before.
  const { width, height } = drawn ??
    (isExact ? known : null) ??
    loaded?.size ?? { width: 4, height: 3 };

  return (
    <div>
      <div
        className={classes.frame}
        style={{
          aspectRatio: `${width} / ${height}`,
          width: `min(100%, calc(${TALLEST} * ${width / height}))`,
        }}
      >
        {source !== null && !isUnseen && (
          <img
            src={source}
            alt={t("answers.picture.sent")}
            className={Math.max(width, height) < TINY ? classes.pixels : undefined}
            onLoad={({ currentTarget: image }) =>
              setLoaded({
                source,
                size: { width: image.naturalWidth, height: image.naturalHeight },
              })
            }
            onError={() => setFailed(source)}
          />
        )}
        {drawn && children(drawn)}
      </div>
      {isUnseen && (
        <Text size="sm" c="dimmed" mt={4}>
          {t(source === null ? "answers.picture.missing" : "answers.picture.unseen")}
        </Text>
      )}
    </div>
  );
}
