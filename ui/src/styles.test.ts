import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const STYLES = join(import.meta.dirname, "../node_modules/@mantine/core/styles");

test("the styles of every component that is used are loaded", () => {
  const loaded = readFileSync(join(import.meta.dirname, "styles.ts"), "utf8");
  const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".tsx"))
    .map((name) => readFileSync(join(import.meta.dirname, name), "utf8"));
  const used = sources.flatMap((text) =>
    [...text.matchAll(/import \{([^}]*)\} from "@mantine\/core"/g)].flatMap((found) =>
      (found[1] ?? "").split(",").map((name) => name.trim()),
    ),
  );
  const missing = new Set(
    used.filter(
      (name) => existsSync(join(STYLES, `${name}.css`)) && !loaded.includes(`/${name}.css`),
    ),
  );
  expect(used.length).toBeGreaterThan(20);
  expect([...missing]).toEqual([]);
});
