import { ScrollArea } from "@mantine/core";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { Json } from "../api/types";
import classes from "./answers.module.css";
import { Copy } from "./Copy";
import { pretty } from "./pretty";

/** JSON to read, long lists cut; what is copied is whole. */
export function JsonView({ value, label }: { value: Json; label?: string }) {
  const { t, i18n } = useTranslation();
  const text = useMemo(() => {
    const count = new Intl.NumberFormat(i18n.language);
    return pretty(value, (n, what) => t(`answers.${what}`, { n: count.format(n) }));
  }, [value, t, i18n.language]);
  return (
    <div className={classes.block}>
      <div className={classes.corner}>
        <Copy value={JSON.stringify(value, null, 2)} />
      </div>
      <ScrollArea.Autosize
        mah="24rem"
        viewportProps={{ tabIndex: 0, role: "group", "aria-label": label ?? t("answers.raw") }}
      >
        <pre className={classes.code}>{text}</pre>
      </ScrollArea.Autosize>
    </div>
  );
}
