import { NativeSelect, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as figures from "../../api/figures";
import type { OwnedModel } from "../../api/types";
import { Confirm } from "../../Confirm";
import type { Changes } from "./changes";

/** The alias that requests without a version go to, once it is set. */
export const DEFAULT = "production";

/** Asks which version an alias is to point to, and says what that changes. */
export function Promote(props: {
  owned: OwnedModel;
  /** Empty for one that is to be made. */
  alias: string;
  changes: Changes;
  onClose: () => void;
}) {
  const { owned, alias, changes, onClose } = props;
  const { t } = useTranslation();
  const from = owned.aliases[alias]?.version;
  const others = owned.versions.map((each) => each.version).filter((each) => each !== from);
  const [typed, setTyped] = useState(alias || (owned.aliases[DEFAULT] ? "" : DEFAULT));
  const [to, setTo] = useState(others[0] ?? "");
  const name = typed.trim();
  const present = owned.aliases[name]?.version;
  return (
    <Confirm
      title={
        alias
          ? t("operate.aliases.promoteTitle", { alias, version: to })
          : t("operate.aliases.promoteNew")
      }
      action={t("operate.aliases.doPromote")}
      disabled={!name || !to || present === to}
      onClose={onClose}
      onConfirm={() => {
        onClose();
        void changes.make(
          "promote",
          (answer) =>
            t("operate.manage.done.promote", { alias: name, version: answer.version ?? to }),
          () => figures.promote(owned.name, name, to),
        );
      }}
    >
      {!alias && (
        <TextInput
          label={t("operate.aliases.name")}
          required
          value={typed}
          data-autofocus
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      )}
      <NativeSelect
        label={t("operate.aliases.to")}
        value={to}
        data={others}
        onChange={(event) => setTo(event.currentTarget.value)}
      />
      {name && to && (
        <Text size="sm" data-testid="what-changes">
          {present
            ? t("operate.aliases.changes", { alias: name, from: present, to })
            : t("operate.aliases.makes", { alias: name, to })}{" "}
          {name === DEFAULT && t("operate.aliases.default", { to })}{" "}
          {t("operate.aliases.noOneWaits", { to })}
        </Text>
      )}
    </Confirm>
  );
}
