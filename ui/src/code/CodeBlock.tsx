import { ScrollArea } from "@mantine/core";
import { useTranslation } from "react-i18next";
import classes from "../answers/answers.module.css";
import { Copy } from "../answers/Copy";

/** Code to read and to copy. */
export function CodeBlock({ name, title, text }: { name: string; title: string; text: string }) {
  const { t } = useTranslation();
  return (
    <div className={classes.block}>
      <div className={classes.corner}>
        <Copy value={text} label={t("answers.code.copy")} />
      </div>
      <ScrollArea.Autosize
        mah="28rem"
        viewportProps={{ tabIndex: 0, role: "group", "aria-label": title }}
      >
        <pre className={classes.code}>
          <code data-testid={`snippet-${name}`}>{text}</code>
        </pre>
      </ScrollArea.Autosize>
    </div>
  );
}
