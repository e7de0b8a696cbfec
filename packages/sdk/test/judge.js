// Reads questions as lines of JSON and answers each with a line: how bundles, manifests and keys of strangers are judged.
import { createInterface } from "node:readline";
import * as sdk from "../src/index.ts";

function answer({ bundle, manifest, key, domain, trust }) {
  try {
    if (bundle !== undefined) return sdk.verifyBundle(Buffer.from(bundle, "base64"), trust ?? undefined).outcome;
    if (manifest !== undefined) return sdk.parseManifest(Buffer.from(manifest, "base64")).sha256;
    return sdk.recordId(domain, sdk.readKey(key));
  } catch (error) {
    if (error instanceof sdk.UnknownVersion) return "version";
    if (error instanceof sdk.BundleRefused || error instanceof sdk.InputError) return "refused";
    return `error: ${error.stack}`;
  }
}

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(answer(JSON.parse(line))));
