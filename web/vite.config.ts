/** Builds the page as one file that loads nothing: script and style stand in it, and its policy names their digests. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { defineConfig } from "vite";

const digest = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** What the page may do: run and show what stands in it, hash in a worker, and ask nodes that the visitor allows. */
function policy(script: string, style: string): string {
  const sources = {
    "default-src": "'none'",
    "script-src": `${digest(script)} 'wasm-unsafe-eval'`,
    "style-src": digest(style),
    "img-src": "data: blob:",
    "worker-src": "blob:",
    // which nodes, the page narrows before it asks the first one
    "connect-src": "https: http://localhost:* http://127.0.0.1:*",
    "base-uri": "'none'",
    "form-action": "'none'",
  };
  return Object.entries(sources).map((entry) => entry.join(" ")).join("; ");
}

const IN_WORKER = fileURLToPath(new URL("../node_modules/hash-wasm/", import.meta.url));

/** The licences of what is in the page: they have to go along with it. */
function licences(modules: readonly string[]): string {
  const packages = new Set(modules.flatMap((path) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path.replace("\0", ""))?.[0] ?? []));
  const texts = [...packages].map((folder) => {
    const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
    return `${folder.split("/node_modules/").at(-1)}\n${file ? readFileSync(`${folder}/${file}`, "utf8").trim() : "MIT"}`;
  });
  return [...new Set(texts)].sort().join("\n\n").replaceAll("--", "- -");
}

function oneFile(): Plugin {
  return {
    name: "one-file",
    enforce: "post",
    generateBundle(_, bundle) {
      const page = bundle["index.html"];
      const files = Object.values(bundle);
      const script = files.find((file) => file.type === "chunk");
      const sheet = files.find((file) => file.fileName.endsWith(".css"));
      if (page?.type !== "asset" || script?.type !== "chunk" || sheet?.type !== "asset" || files.length !== 3) {
        throw new Error(`expected a page, a script and a style, got ${files.map((file) => file.fileName).join(", ")}`);
      }
      // `</script` would end the element
      // notices of licences stay, addresses of package registries don't
      const plain = script.code.trim().replace(/ \(https:\/\/www\.npm\w+\.com[^)]*\)/g, "");
      const code = plain.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
      const style = String(sheet.source).trim();
      const head = [
        `<meta http-equiv="Content-Security-Policy" content="${policy(code, style)}">`,
        `<style>${style}</style>`,
        `<script type="module">${code}</script>`,
      ];
      const html = String(page.source)
        .replace(/\s*<script[^>]*src=[^>]*><\/script>/, "")
        .replace(/\s*<link[^>]*rel="stylesheet"[^>]*>/, "")
        .replace("<!-- head -->", () => head.join("\n"));
      page.source = `${html.trimEnd()}\n<!-- This page holds code of:\n\n${licences([...Object.keys(script.modules), IN_WORKER])}\n-->\n`;
      delete bundle[script.fileName];
      delete bundle[sheet.fileName];
    },
  };
}

const sdk = (entry: string): string => fileURLToPath(new URL(`../packages/sdk/src/${entry}.ts`, import.meta.url));

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  resolve: { alias: { "@blockchaintracer/sdk/rfc3161": sdk("rfc3161"), "@blockchaintracer/sdk": sdk("index") } },
  build: { target: "es2022", assetsInlineLimit: 1 << 24, modulePreload: false, emptyOutDir: true, reportCompressedSize: false },
  worker: { format: "iife" },
  plugins: [oneFile()],
});
