import { describe, expect, it } from "vitest";
import type { FieldInfo } from "../api/types";
import {
  type CsvFile,
  cellText,
  cellValue,
  MOST_ROWS,
  ownNumber,
  pasteInto,
  plainCell,
  readCsvFile,
  readTable,
  written,
} from "./table";

const x: FieldInfo = { name: "x", datatype: "FP32", shape: [] };
const n: FieldInfo = { name: "n", datatype: "INT64", shape: [], nullable: true };
const kind: FieldInfo = { name: "kind", datatype: "BYTES", shape: [], choices: ["a", "b"] };
const fields = [x, n, kind];

describe("cellValue", () => {
  it("reads a text by the field's type", () => {
    expect(cellValue(" 1.5 ", x)).toBe(1.5);
    expect(cellValue("1,5", x)).toBe(1.5);
    expect(cellValue("1,200", x, ",")).toBe("1,200");
    expect(cellValue("1,5", x, ";")).toBe(1.5);
    expect(cellValue("", x)).toBeUndefined();
    expect(cellValue("", n)).toBeNull();
    expect(cellValue("many", x)).toBe("many");
    expect(cellValue("a", kind)).toBe("a");
    expect(cellValue("c", kind)).toBe("c");
    expect(cellValue("TRUE", { ...x, datatype: "BOOL" })).toBe(true);
    expect(cellValue("2.0", { ...x, choices: [1, 2] })).toBe(2);
    expect(cellValue("", { ...x, datatype: "BYTES" })).toBe("");
  });

  it("has a text for each value", () => {
    expect(cellText(null)).toBe("");
    expect(cellText(1.5)).toBe("1.5");
    expect(cellText(false)).toBe("false");
  });
});

describe("readTable", () => {
  it("finds columns by the header's names", () => {
    expect(readTable("kind, X,extra\na,1,9", fields)).toEqual({
      rows: [{ kind: "a", x: 1 }],
      unknown: ["extra"],
      missing: ["n"],
      total: 1,
    });
  });

  it("takes the fields' order without a header", () => {
    expect(readTable("1;2;a\n3;;b", fields)?.rows).toEqual([
      { x: 1, n: 2, kind: "a" },
      { x: 3, n: null, kind: "b" },
    ]);
    expect(readTable("1,2\n3,4", fields)).toBeNull();
    expect(readTable('x,n,kind\n"1,200",2,a', fields)?.rows).toEqual([
      { x: "1,200", n: 2, kind: "a" },
    ]);
    expect(readTable("", fields)).toBeNull();
  });

  it("takes so many rows and no more", () => {
    const read = readTable(`x\n${"1\n".repeat(MOST_ROWS + 5)}`, fields);
    expect(read?.rows).toHaveLength(MOST_ROWS);
    expect(read?.total).toBe(MOST_ROWS + 5);
  });
});

describe("pasteInto", () => {
  it("fills from a cell on, and adds rows", () => {
    const { rows } = pasteInto([{ x: 1, n: 2 }], fields, { row: 0, column: 1 }, "5\ta\n6\tb\n");
    expect(rows).toEqual([
      { x: 1, n: 5, kind: "a" },
      { n: 6, kind: "b" },
    ]);
  });

  it("knows a header, and goes by it", () => {
    const { rows } = pasteInto([], fields, { row: 0, column: 2 }, "kind\tx\na\t1");
    expect(rows).toEqual([{ kind: "a", x: 1 }]);
  });

  it("keeps empty cells of a single column in their rows", () => {
    const { rows } = pasteInto([], fields, { row: 0, column: 0 }, "1\n\n3");
    expect(rows.map((row) => row.x)).toEqual([1, undefined, 3]);
  });
});

describe("readCsvFile", () => {
  it("finds columns by their names in any capitals; one that may be empty need not be there", () => {
    expect(readCsvFile("Kind;id;X\na;7;1,5\n", fields)).toEqual({
      form: { separator: ";", hasMark: false, hasDecimalCommas: true },
      header: ["Kind", "id", "X"],
      rows: [["a", "7", "1,5"]],
      places: new Map([
        ["kind", 0],
        ["x", 2],
      ]),
      missing: fields.flatMap(({ name }) => (name === "kind" || name === "x" ? [] : [name])),
    });
  });

  it("keeps a column that is called by a number", () => {
    expect(readCsvFile("x,kind,2020\n1,a,5\n", fields)).toMatchObject({
      places: new Map([
        ["x", 0],
        ["kind", 1],
      ]),
    });
  });

  it("says why a file cannot be run", () => {
    expect(readCsvFile("x,n\n1,2\n", fields)).toEqual({ kind: "noHeader", names: ["kind"] });
    expect(readCsvFile("x,n,kind\n", fields)).toEqual({ kind: "noRows" });
    expect(readCsvFile("", fields)).toEqual({ kind: "emptyFile" });
    expect(readCsvFile("PK\u0003\u0004\0\0[Content_Types].xml", fields)).toEqual({ kind: "noCsv" });
  });
});

describe("written", () => {
  it("keeps a file's separator, mark and way of writing numbers", () => {
    const german = readCsvFile("\uFEFFx;kind\n1,5;a\n", fields) as CsvFile;
    expect(german.form).toEqual({ separator: ";", hasMark: true, hasDecimalCommas: true });
    expect(ownNumber("0.25", german.form)).toBe("0,25");
    expect(ownNumber("v1.2.3", german.form)).toBe("v1.2.3");
    expect(written([["x", "y"]], german.form)).toBe("\uFEFFx;y\r\n");
    const plain = readCsvFile("x,kind\n1.5,a\n", fields) as CsvFile;
    expect(ownNumber("0.25", plain.form)).toBe("0.25");
    expect(written([["x", "1,5"]], plain.form)).toBe('x,"1,5"\r\n');
  });
});

describe("plainCell", () => {
  it("writes a value as the server reads it, and a long whole number as it stands", () => {
    expect(plainCell("1,5", x)).toBe("1.5");
    expect(plainCell(" 9007199254740993 ", n)).toBe("9007199254740993");
    expect(plainCell("2.0", n)).toBe("2");
    expect(plainCell("", n)).toBe("");
    expect(plainCell("TRUE", { ...x, datatype: "BOOL" })).toBe("true");
    expect(plainCell("007", { ...x, datatype: "BYTES" })).toBe("007");
  });
});
