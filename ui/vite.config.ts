import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Beside each file the same compressed, once and as well as can be: nobody does it on a request. */
function compressed(folder: string): Plugin {
  return {
    name: "compressed",
    apply: "build",
    writeBundle() {
      for (const name of readdirSync(folder)) {
        if (!/\.(js|css|svg)$/.test(name)) continue;
        const content = readFileSync(join(folder, name));
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
        writeFileSync(join(folder, `${name}.br`), brotliCompressSync(content, { params }));
        writeFileSync(join(folder, `${name}.gz`), gzipSync(content, { level: 9 }));
      }
    },
  };
}

const OUT = "../src/modelport/http/static/app";

export default defineConfig({
  plugins: [react(), compressed(join(import.meta.dirname, OUT, "assets"))],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    assetsDir: "assets",
    // Nothing is put inside the page: its Content-Security-Policy refuses that.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: {
    // `npx vite` beside a running `modelport serve`: pages from here, answers from there.
    proxy: Object.fromEntries(
      ["/models", "/v2", "/openapi.json", "/admin", "/session", "/server"].map((path) => [
        path,
        { target: "http://127.0.0.1:8080", changeOrigin: true },
      ]),
    ),
  },
});
