/** What separates the cells of a table: the one of `,`, `;` and tab that its header has most of. */
export function detectSeparator(text: string): string {
  const counts = new Map([
    [",", 0],
    [";", 0],
    ["\t", 0],
  ]);
  let isQuoted = false;
  for (const char of text) {
    if (char === '"') isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (char === "\n" || char === "\r") break;
    else if (counts.has(char)) counts.set(char, (counts.get(char) ?? 0) + 1);
  }
  const [first] = [...counts].sort((a, b) => b[1] - a[1]);
  return first?.[0] ?? ",";
}

/** The rows of a CSV text (RFC 4180); lines with nothing on them are rows only where `keepBlank`. */
export function parseCsv(text: string, separator?: string, keepBlank = false): string[][] {
  const bare = text.replace(/^\uFEFF/, "");
  const between = separator ?? detectSeparator(bare);
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < bare.length) {
    let cell = "";
    const isQuoted = bare[at] === '"';
    if (isQuoted) {
      at += 1;
      for (;;) {
        const end = bare.indexOf('"', at);
        if (end < 0) {
          cell += bare.slice(at);
          at = bare.length;
          break;
        }
        cell += bare.slice(at, end);
        at = end + 1;
        if (bare[at] !== '"') break;
        cell += '"';
        at += 1;
      }
    }
    const start = at;
    while (at < bare.length && bare[at] !== between && bare[at] !== "\n" && bare[at] !== "\r") {
      at += 1;
    }
    cell += bare.slice(start, at);
    row.push(cell);
    if (bare[at] === between) {
      at += 1;
      if (at < bare.length) continue;
      row.push("");
    }
    if (bare[at] === "\r" && bare[at + 1] === "\n") at += 1;
    at += 1;
    if (keepBlank || row.length > 1 || cell !== "" || isQuoted) rows.push(row);
    row = [];
  }
  return rows;
}

/** Rows of texts as CSV (RFC 4180), with another separator where one is given. */
export function toCsv(rows: string[][], separator = ","): string {
  return rows.map((cells) => `${csvLine(cells, separator)}\r\n`).join("");
}

function csvLine(cells: string[], separator: string): string {
  // Readers take an empty line for no row at all.
  if (cells.length === 1 && cells[0] === "") return '""';
  return cells
    .map((cell) =>
      /["\r\n]/.test(cell) || cell.includes(separator) ? `"${cell.replaceAll('"', '""')}"` : cell,
    )
    .join(separator);
}
