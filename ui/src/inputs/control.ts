import type { ComponentType } from "react";
import type { FieldInfo, Json } from "../api/types";

/** What every input control takes; a value is what is sent under the field's name. */
export interface ControlProps {
  field: FieldInfo;
  /** undefined: nothing is given yet. */
  value: Json | undefined;
  onChange: (value: Json | undefined) => void;
  /** What is wrong with the value, in the server's words. */
  error?: string | undefined;
  /** The value of the model's own example. */
  example?: Json | undefined;
}

export type Control = ComponentType<ControlProps>;
