import type { OutputInfo } from "../api/types";
import { BoxesAnswer } from "./BoxesAnswer";
import { MaskAnswer } from "./MaskAnswer";
import type { Detection, Mask } from "./parts";

/** What a model says of a picture, drawn over it: boxes, or a class for each pixel. */
export function PictureAnswer({
  picture,
  output,
  boxes,
  mask,
}: {
  /** The URL of the picture that was sent; null where there is none. */
  picture: string | null;
  output: OutputInfo | null;
  boxes?: Detection[];
  mask?: Mask;
}) {
  return (
    <>
      {boxes && <BoxesAnswer source={picture} boxes={boxes} output={output} />}
      {mask && <MaskAnswer source={picture} mask={mask} />}
    </>
  );
}
