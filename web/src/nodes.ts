/** Asking nodes and servers: with a deadline, a size limit, and only those that the visitor named. */
import { h } from "./dom.ts";
import { T } from "./texts.ts";

const SECONDS = 30;
const MOST_BYTES = 16 << 20;
let allowed: readonly string[] | undefined;

/** A node that can't be asked; the message names it. */
export class NodeProblem extends Error {
  override name = "NodeProblem";
}

/** Read the address of a node. */
export function nodeUrl(text: string): URL {
  const url = URL.parse(text.trim());
  if (!url || !/^https?:$/.test(url.protocol)) throw new NodeProblem(`${text.slice(0, 80)}: ${T.notHttp}`);
  return url;
}

const originsOf = (urls: readonly URL[]): string[] => [...new Set(urls.map((url) => url.origin))].sort();

/** Whether the policy lets the page connect there. */
export const isAllowed = (url: URL): boolean => !allowed || allowed.includes(url.origin);

/**
 * Let the page connect to these nodes, to other pages that can be asked later, and to nothing else, from now on. A policy
 * can only be narrowed: other nodes need a new page.
 */
export function allow(urls: readonly URL[], later: readonly URL[] = []): void {
  const origins = originsOf(urls);
  if (!allowed) {
    allowed = originsOf([...urls, ...later]);
    const content = `connect-src 'self' ${allowed.join(" ")}`;
    document.head.append(h("meta", { "http-equiv": "Content-Security-Policy", content }));
  } else if (origins.some((origin) => !allowed!.includes(origin))) throw new NodeProblem(T.otherNode);
}

/** A client of a node, as the SDK asks it. */
export function client(url: URL): { request(question: { method: string; params?: unknown }): Promise<unknown> } {
  let id = 0;
  return {
    async request({ method, params }) {
      const body = JSON.stringify({ jsonrpc: "2.0", id: ++id, method, params: params ?? [] });
      const told = await post(url, body);
      const answer = JSON.parse(told) as { result?: unknown; error?: { message?: unknown } };
      if (answer.error) throw new Error(String(answer.error.message ?? "error").slice(0, 200));
      return answer.result;
    },
  };
}

/** The JSON that a server answers. */
export async function answer(url: URL): Promise<unknown> {
  return JSON.parse(await text(url, {}));
}

/** The text of a file that lies beside this page. */
export const beside = (name: string): Promise<string> => text(new URL(name, location.href), {});

const post = (url: URL, body: string): Promise<string> => text(url, { method: "POST", body, headers: { "content-type": "application/json" } });

async function text(url: URL, question: RequestInit): Promise<string> {
  const signal = AbortSignal.timeout(SECONDS * 1000);
  let answer: Response;
  try {
    answer = await fetch(url, { ...question, signal, credentials: "omit", referrerPolicy: "no-referrer", redirect: "error" });
  } catch (error) {
    const why = error instanceof DOMException && error.name === "TimeoutError" ? T.tooSlow : T.noAnswer;
    throw new Error(location.protocol === "file:" && why === T.noAnswer ? `${why}. ${T.fromDisk}` : why);
  }
  if (!answer.ok && answer.status !== 400) throw new Error(`HTTP ${answer.status}`);
  const reader = answer.body!.getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if ((size += part.value.length) > MOST_BYTES) {
      await reader.cancel();
      throw new Error(T.tooLarge);
    }
    parts.push(part.value);
  }
  return new Blob(parts).text();
}
