// Reads questions as lines of JSON and answers each with a line: how bundles, manifests and keys of strangers are
// judged.
import { createInterface } from "node:readline";
import * as sdk from "../src/index.ts";
import { told } from "./told.js";

const bytes = (text) => Buffer.from(text, "base64");

function answer({ bundle, manifest, key, domain, trust }) {
  try {
    if (bundle !== undefined) return told(sdk.verifyBundle(bytes(bundle), trust ?? undefined));
    if (manifest !== undefined) return sdk.parseManifest(bytes(manifest)).sha256;
    return sdk.recordId(domain, sdk.readKey(key));
  } catch (error) {
    if (error instanceof sdk.UnknownVersion) return "version";
    if (error instanceof sdk.BundleRefused) return `refused: ${error.code}`;
    return error instanceof sdk.InputError ? "refused" : `error: ${error.stack}`;
  }
}

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(answer(JSON.parse(line))));
