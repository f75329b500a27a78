import { Input, Stack } from "@mantine/core";
import type { ReactNode, Ref } from "react";
import type { FieldInfo } from "../api/types";
import type { Ids } from "./hooks";

interface FrameProps {
  ids: Ids;
  field: FieldInfo;
  description?: ReactNode;
  error?: ReactNode;
  /** False where one of the parts is a group of its own. */
  isGroup?: boolean;
  children: ReactNode;
  ref?: Ref<HTMLDivElement>;
}

/** Label, description and error around a control of many parts. */
export function Frame({
  ids,
  field,
  description = field.description,
  error,
  isGroup = true,
  children,
  ref,
}: FrameProps) {
  const group = isGroup
    ? { role: "group", "aria-labelledby": ids.labelId, "aria-describedby": ids.describedBy }
    : {};
  return (
    <Input.Wrapper
      id={ids.id}
      labelElement="div"
      label={field.name}
      description={description}
      error={error}
      errorProps={{ role: "alert" }}
      {...group}
      {...(ref ? { ref } : {})}
    >
      <Stack gap="xs" my={4}>
        {children}
      </Stack>
    </Input.Wrapper>
  );
}
