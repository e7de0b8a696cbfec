/** Hashes a file in parts, so that memory stays flat whatever its size, and the page answers meanwhile. */
import { createSHA256 } from "hash-wasm";

const PART = 4 << 20;
let hashing: ReturnType<typeof createSHA256> | undefined;

self.onmessage = async (event: MessageEvent<File>) => {
  const file = event.data;
  try {
    const hash = (await (hashing ??= createSHA256())).init();
    for (let at = 0; at < file.size; at += PART) {
      hash.update(new Uint8Array(await file.slice(at, at + PART).arrayBuffer()));
      self.postMessage({ done: Math.min(at + PART, file.size) });
    }
    self.postMessage({ sha256: hash.digest() });
  } catch {
    self.postMessage({ problem: true });
  }
};
