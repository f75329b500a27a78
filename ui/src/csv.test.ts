import { describe, expect, it } from "vitest";
import { detectSeparator, parseCsv } from "./csv";

describe("parseCsv", () => {
  it.each([
    [
      "a,b\n1,2\n",
      [
        ["a", "b"],
        ["1", "2"],
      ],
    ],
    [
      "a,b\r\n1,2",
      [
        ["a", "b"],
        ["1", "2"],
      ],
    ],
    [
      "\uFEFFa,b\n1,2",
      [
        ["a", "b"],
        ["1", "2"],
      ],
    ],
    [
      "a;b\n1,5;2",
      [
        ["a", "b"],
        ["1,5", "2"],
      ],
    ],
    [
      "a\tb\n1\t2",
      [
        ["a", "b"],
        ["1", "2"],
      ],
    ],
    [
      'a,b\n"1,5","say ""hi"""',
      [
        ["a", "b"],
        ["1,5", 'say "hi"'],
      ],
    ],
    [
      '"a\nb",c\n1,2',
      [
        ["a\nb", "c"],
        ["1", "2"],
      ],
    ],
    [
      "a,b\n,\n1,",
      [
        ["a", "b"],
        ["", ""],
        ["1", ""],
      ],
    ],
    ["a\n\n1\n", [["a"], ["1"]]],
    ['"a', [["a"]]],
    ["", []],
  ])("parses %j", (text, rows) => {
    expect(parseCsv(text)).toEqual(rows);
  });

  it("keeps empty lines where they are rows", () => {
    expect(parseCsv("a\n\n1\n", "\t", true)).toEqual([["a"], [""], ["1"]]);
  });
});

describe("detectSeparator", () => {
  it("looks at the header only, and not into quotes", () => {
    expect(detectSeparator('"a;b;c",d\n1;2;3;4')).toBe(",");
    expect(detectSeparator("name")).toBe(",");
  });
});
