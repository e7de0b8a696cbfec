// A `solc` command over the WebAssembly compiler from npm, for tools that start a compiler as a program:
// `--version`, and `--standard-json` from standard input. Imports that the input leaves out are read from `--base-path`
// or else from this project, because Ape compiles a copy of the contracts that has no node_modules beside it.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const solc = require("solc");

const args = process.argv.slice(2);

function option(name, fallback) {
  const at = args.indexOf(name);
  return at === -1 ? fallback : args[at + 1];
}

if (args.includes("--version")) {
  console.log("solc, the solidity compiler commandline interface");
  console.log(`Version: ${solc.version()}`);
} else if (args.includes("--standard-json")) {
  const roots = [option("--base-path", "."), path.dirname(__dirname)];
  const callbacks = {
    import(name) {
      const found = roots.map((root) => path.resolve(root, name)).find((file) => fs.existsSync(file));
      return found ? { contents: fs.readFileSync(found, "utf8") } : { error: `${name}: not in ${roots.join(" or ")}` };
    },
  };
  process.stdout.write(solc.compile(fs.readFileSync(0, "utf8"), callbacks));
} else {
  console.error("solc.js: expected --version or --standard-json, got: " + args.join(" "));
  process.exitCode = 1;
}
