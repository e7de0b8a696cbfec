// Puts the sources beside package.json for `npm pack`, and takes them away after it: they stand once in the repository.
import { cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

for (const name of ["contracts", "interfaces", "deployments", "LICENSE"]) {
  rmSync(here(name), { recursive: true, force: true });
  if (!process.argv.includes("--clean")) cpSync(here(`../../${name}`), here(name), { recursive: true });
}
