import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import * as figures from "../../api/figures";
import type { OwnedModel } from "../../api/types";
import { Confirm } from "../../Confirm";
import type { Changes } from "./changes";
import { DEFAULT } from "./Promote";

interface Asked {
  owned: OwnedModel;
  alias: string;
  changes: Changes;
  onClose: () => void;
}

/** Asks whether an alias is to point where it did before. */
export function RollBack({ owned, alias, changes, onClose }: Asked) {
  const { t } = useTranslation();
  const { version: from, before } = owned.aliases[alias] ?? { version: "", before: [] };
  const to = before.at(-1) ?? "";
  return (
    <Confirm
      title={t("operate.aliases.rollBackTitle", { alias, to })}
      action={t("operate.aliases.doRollBack")}
      onClose={onClose}
      onConfirm={() => {
        onClose();
        void changes.make(
          "rollBack",
          (answer) => t("operate.manage.done.promote", { alias, version: answer.version ?? to }),
          () => figures.rollBack(owned.name, alias),
        );
      }}
    >
      <Text size="sm">
        {t("operate.aliases.changes", { alias, from, to })}{" "}
        {alias === DEFAULT && t("operate.aliases.default", { to })}
      </Text>
    </Confirm>
  );
}

/** Asks whether an alias is to be no more. */
export function Remove({ owned, alias, changes, onClose }: Asked) {
  const { t } = useTranslation();
  const from = owned.aliases[alias]?.version ?? "";
  return (
    <Confirm
      title={t("operate.aliases.removeTitle", { alias })}
      action={t("operate.aliases.doRemove")}
      isDangerous
      onClose={onClose}
      onConfirm={() => {
        onClose();
        void changes.make(
          "remove",
          () => t("operate.manage.done.remove", { alias }),
          () => figures.removeAlias(owned.name, alias),
        );
      }}
    >
      <Text size="sm">
        {t("operate.aliases.removeWhat", { alias, from })}{" "}
        {alias === DEFAULT && t("operate.aliases.removeDefault")}
      </Text>
    </Confirm>
  );
}
