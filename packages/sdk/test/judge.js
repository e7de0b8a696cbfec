// Reads questions as lines of JSON and answers each with a line: how bundles, manifests, keys and tokens of strangers
// are judged.
import { createInterface } from "node:readline";
import * as sdk from "../src/index.ts";
import { judgeToken, judgeTokens } from "../src/rfc3161.ts";
import { told } from "./told.js";

const bytes = (text) => Buffer.from(text, "base64");

async function answer({ bundle, manifest, key, domain, trust, token, roots }) {
  try {
    if (bundle !== undefined) {
      const tokens = await judgeTokens(sdk.readBundle(bytes(bundle)), []);
      return told(sdk.verifyBundle(bytes(bundle), { ...trust, tokens }));
    }
    if (token !== undefined) {
      const { standing, notAfter } = await judgeToken(sdk.readReceiptOfWitness(token), [{ roots }]);
      return `${standing}: ${notAfter ?? 0}`;
    }
    if (manifest !== undefined) return sdk.parseManifest(bytes(manifest)).sha256;
    return sdk.recordId(domain, sdk.readKey(key));
  } catch (error) {
    if (error instanceof sdk.UnknownVersion) return "version";
    if (error instanceof sdk.BundleRefused) return `refused: ${error.code}`;
    return error instanceof sdk.InputError ? "refused" : `error: ${error.stack}`;
  }
}

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await answer(JSON.parse(line))));
