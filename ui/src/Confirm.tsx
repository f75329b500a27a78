import { Button, Group, Modal, Stack } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

/** Asks before something changes; what changes is its content. Nothing happens by closing it. */
export function Confirm(props: {
  title: string;
  action: string;
  /** What not to do it is called, where it is more than to cancel. */
  refusal?: string;
  isDangerous?: boolean;
  disabled?: boolean;
  onConfirm: () => void;
  onClose: () => void;
  children: ReactNode;
}) {
  const { title, action, refusal, isDangerous = false, disabled = false } = props;
  const { t } = useTranslation();
  return (
    // Without a `<header>`, which would be a second one of the page.
    <Modal.Root opened onClose={props.onClose} centered>
      <Modal.Overlay />
      <Modal.Content>
        <Modal.Body p="lg">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              props.onConfirm();
            }}
          >
            <Stack gap="sm">
              <Modal.Title fz="lg" fw={650}>
                {title}
              </Modal.Title>
              {props.children}
              <Group justify="flex-end" mt="xs">
                <Button
                  variant="default"
                  onClick={props.onClose}
                  {...(isDangerous ? { "data-autofocus": true } : {})}
                >
                  {refusal ?? t("app.cancel")}
                </Button>
                <Button
                  type="submit"
                  disabled={disabled}
                  {...(isDangerous ? { color: "red.9" } : {})}
                >
                  {action}
                </Button>
              </Group>
            </Stack>
          </form>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
