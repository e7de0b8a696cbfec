/** A client of one node over HTTP, for who has none: with a limit of size and of time for each answer. */
import { isObject } from "./json.ts";
import type { Json } from "./json.ts";
import type { Client } from "./registry.ts";

const MOST_BYTES = 16 << 20;
const TIME_MS = 30_000;

/**
 * Make a client of a node. It asks nothing by itself.
 *
 * @param url of a JSON-RPC endpoint. An address with a key in it is never shown.
 * @param options bytes and milliseconds that an answer may take.
 */
export function nodeClient(url: string, options: { limit?: number; timeout?: number } = {}): Client {
  const { limit = MOST_BYTES, timeout = TIME_MS } = options;
  let id = 0;
  return {
    async request({ method, params = [] }) {
      const question = { jsonrpc: "2.0", id: ++id, method, params };
      const answer = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(question),
        credentials: "omit",
        referrerPolicy: "no-referrer",
        // the question is for this node, not for where it points: that may be a server of this network
        redirect: "error",
        signal: AbortSignal.timeout(timeout),
      });
      const value = JSON.parse(await limited(answer, limit)) as Json;
      if (!isObject(value) || value["id"] !== question.id) throw new Error(`expected an answer to ${method}, got another`);
      const { error, result } = value;
      if (isObject(error)) throw Object.assign(new Error(String(error["message"]).slice(0, 200)), error["data"] !== undefined && { data: error["data"] });
      if (result === undefined) throw new Error(`expected a result of ${method}, got none (HTTP ${answer.status})`);
      return result;
    },
  };
}

/** The text of an answer, read until a limit of bytes after decompression. */
export async function limited(answer: Response, limit: number): Promise<string> {
  const reader = answer.body?.getReader();
  if (!reader) return "";
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let size = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if ((size += part.value.length) > limit) {
      await reader.cancel();
      throw new Error(`expected an answer of at most ${limit} bytes, got more`);
    }
    text += decoder.decode(part.value, { stream: true });
  }
  return text + decoder.decode();
}
