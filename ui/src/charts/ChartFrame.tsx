import { ActionIcon, Paper, Table, Title, VisuallyHidden } from "@mantine/core";
import { IconChartLine, IconTable } from "@tabler/icons-react";
import { type ReactNode, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import classes from "./charts.module.css";

export interface Rows {
  head: string[];
  body: string[][];
}

/** A chart with its title, what it says in words, and the same as a table, in the same room. */
export function ChartFrame(props: {
  title: string;
  /** A sentence for those who do not see the chart. */
  summary: string;
  /** What the table shows; made only when it is. */
  table: () => Rows;
  legend: ReactNode;
  height: number;
  testId?: string | undefined;
  children: ReactNode;
}) {
  const { title, summary, table, legend, height, testId, children } = props;
  const { t } = useTranslation();
  const [isTable, setIsTable] = useState(false);
  const id = useId();
  const other = t(isTable ? "charts.asChart" : "charts.asTable", { title });
  return (
    <Paper
      withBorder
      p="md"
      component="figure"
      className={classes.chart ?? ""}
      aria-labelledby={id}
      data-testid={testId}
    >
      <div className={classes.head}>
        <Title order={3} size="h5" id={id}>
          {title}
        </Title>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={other}
          title={other}
          onClick={() => setIsTable(!isTable)}
        >
          {isTable ? <IconChartLine size={18} /> : <IconTable size={18} />}
        </ActionIcon>
      </div>
      <VisuallyHidden data-testid="summary">{summary}</VisuallyHidden>
      {legend}
      <div className={classes.plot} style={{ height }}>
        {isTable ? <Whole label={title} rows={table()} height={height} /> : children}
      </div>
    </Paper>
  );
}

function Whole({ label, rows, height }: { label: string; rows: Rows; height: number }) {
  return (
    <Table.ScrollContainer
      minWidth={0}
      maxHeight={height}
      scrollAreaProps={{ viewportProps: { tabIndex: 0, role: "group", "aria-label": label } }}
    >
      <Table stickyHeader striped tabularNums fz="xs" verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            {rows.head.map((name) => (
              <Table.Th key={name}>{name}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.body.map((row) => (
            <Table.Tr key={row[0]}>
              {row.map((cell, at) => (
                <Table.Td key={rows.head[at]}>{cell}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
