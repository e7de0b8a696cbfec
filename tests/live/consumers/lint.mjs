// Looks at packed npm packages as publint and arethetypeswrong do: `node lint.mjs FILE...` prints what is wrong.
import { readFileSync } from "node:fs";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

// the packages are ES modules alone: how older resolvers see them does not count
const RESOLVERS = ["node16-esm", "bundler"];

for (const file of process.argv.slice(2)) {
  const data = readFileSync(file);
  const tarball = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  for (const message of messages) console.log(`${pkg.name}: ${formatMessage(message, pkg)}`);
  const { types, problems } = await checkPackage(createPackageFromTarballData(new Uint8Array(data)));
  if (!types) console.log(`${pkg.name}: no types`);
  for (const problem of problems ?? []) {
    if (!problem.resolutionKind || RESOLVERS.includes(problem.resolutionKind)) console.log(`${pkg.name}: ${JSON.stringify(problem)}`);
  }
}
