import { Table } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./WideTable.module.css";

/** Room for a table that is wider than the page: it moves under a finger, or by the keyboard. */
export function WideTable(props: { label: string; minWidth: number; children: ReactNode }) {
  const { label, minWidth, children } = props;
  return (
    <Table.ScrollContainer
      minWidth={minWidth}
      className={classes.wide ?? ""}
      scrollAreaProps={{ viewportProps: { tabIndex: 0, role: "group", "aria-label": label } }}
    >
      {children}
    </Table.ScrollContainer>
  );
}
