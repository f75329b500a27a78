import type { TFunction } from "i18next";
import type { Group } from "./openapi";

/** What a group is called: a model by its own name, others in the reader's language. */
export function groupName(t: TFunction, { name, model }: Group): string {
  return model ? name : t(`names.group.${name}`, { defaultValue: name });
}
