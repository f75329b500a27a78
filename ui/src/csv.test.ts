import { describe, expect, it } from "vitest";
import { detectSeparator, parseCsv, toCsv } from "./csv";

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

describe("toCsv", () => {
  it("quotes what its own separator, a quote or an end of line would part", () => {
    expect(toCsv([["a,b", "c;d", 'e"f', "g\n"]])).toBe('"a,b",c;d,"e""f","g\n"\r\n');
    expect(toCsv([["a,b", "c;d"], [""]], ";")).toBe('a,b;"c;d"\r\n""\r\n');
  });
});

describe("detectSeparator", () => {
  it("looks at the header only, and not into quotes", () => {
    expect(detectSeparator('"a;b;c",d\n1;2;3;4')).toBe(",");
    expect(detectSeparator("name")).toBe(",");
  });
});
