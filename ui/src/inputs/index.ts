import { lazy } from "react";
import type { FieldInfo } from "../api/types";
import { isList, isSingle } from "./check";
import type { Control } from "./control";
import { isCanvas } from "./ink";
import { NumberControl } from "./NumberControl";
import { SwitchControl } from "./SwitchControl";
import { TextControl } from "./TextControl";

export { checkField, checkShape, isSingle, isTabular, type Problem, problemText } from "./check";
export type { Control, ControlProps } from "./control";
export { isCanvas } from "./ink";

// Loaded where a model needs them: most need one kind of the larger ones.
const AudioControl = lazy(async () => ({ default: (await import("./AudioControl")).AudioControl }));
const CanvasControl = lazy(async () => ({
  default: (await import("./CanvasControl")).CanvasControl,
}));
const ChoiceControl = lazy(async () => ({
  default: (await import("./ChoiceControl")).ChoiceControl,
}));
const ImageControl = lazy(async () => ({ default: (await import("./ImageControl")).ImageControl }));
const ListControl = lazy(async () => ({ default: (await import("./ListControl")).ListControl }));
const TensorControl = lazy(async () => ({
  default: (await import("./TensorControl")).TensorControl,
}));

/** The control for a field, by its kind, type and shape. */
export function controlFor(field: FieldInfo): Control {
  if (field.kind === "image") return ImageControl;
  if (field.kind === "audio") return AudioControl;
  if (isSingle(field)) {
    if (field.choices?.length) return ChoiceControl;
    if (field.datatype === "BOOL") return SwitchControl;
    return field.datatype === "BYTES" ? TextControl : NumberControl;
  }
  if (field.kind === "text") return TextControl;
  if (isCanvas(field)) return CanvasControl;
  return isList(field) ? ListControl : TensorControl;
}
