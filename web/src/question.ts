/** The question in the page's address, after `#`: nothing after it is ever sent to a server. */
import { InputError, parseGlobalId } from "@blockchaintracer/sdk";
import type { Trust } from "@blockchaintracer/sdk";
import { T } from "./texts.ts";

/** What is asked, and what it rests on. All as text, as it was typed. */
export interface Question {
  id: string;
  chain: string;
  registry: string;
  groups: string;
  block: string;
  node: string;
  other: string;
  server: string;
}

/** What a link holds. An address of a node can have a key in it, so no link has one. */
const LINKED = ["id", "chain", "registry", "groups", "block"] as const;
/** Its letters: what it holds stands in sentences of this page, and can't be one of its maker's. */
const LETTERS: Record<(typeof LINKED)[number], RegExp> = { id: /^[\w:/-]*$/, chain: /^\d*$/, registry: /^\s*\w*\s*$/, groups: /^[\d\s,]*$/, block: /^[\da-fx\s,]*$/i };
/** What this browser keeps if the visitor says so. */
const KEPT = ["node", "other", "server"] as const;
const KEPT_NAME = "blockchaintracer nodes";
export const EMPTY: Question = { id: "", chain: "", registry: "", groups: "", block: "", node: "", other: "", server: "" };

/** Read the question of a link. Whoever made the link chose it: it is shown before anything is asked. */
export function fromLink(fragment: string): Question {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const told = LINKED.map((name) => [name, given.get(name)?.slice(0, 500) ?? ""] as const);
  return { ...EMPTY, ...Object.fromEntries(told.filter(([name, text]) => LETTERS[name].test(text))) };
}

/** Whether a question names something to rely on that a link can propose. */
export const reliesOn = (question: Question): boolean => LINKED.some((name) => name !== "id" && question[name]);

/** The nodes that this browser keeps; none if it keeps nothing. */
export function kept(): Partial<Question> {
  try {
    const stored = JSON.parse(localStorage.getItem(KEPT_NAME) ?? "{}") as Record<string, unknown>;
    return Object.fromEntries(KEPT.flatMap((name) => (typeof stored[name] === "string" ? [[name, stored[name]]] : [])));
  } catch {
    return {};
  }
}

/** Keep the nodes of a question in this browser, or forget what is kept. */
export function keep(question: Question | undefined): void {
  try {
    if (question) localStorage.setItem(KEPT_NAME, JSON.stringify(Object.fromEntries(KEPT.map((name) => [name, question[name]]))));
    else localStorage.removeItem(KEPT_NAME);
  } catch {
    // a browser that keeps nothing asks again
  }
}

export function toLink(question: Question): string {
  const given = new URLSearchParams(LINKED.filter((name) => question[name]).map((name) => [name, question[name]]));
  return `${location.href.split("#")[0]}#${given}`;
}

/** Read what was pasted: an id, a SHA-256, an id with its chain and registry, or a link that holds one. */
export function pasted(text: string, question: Question): Question {
  const trimmed = text.trim();
  const [, fragment] = trimmed.split("#");
  if (fragment?.includes("id=")) return { ...question, ...withoutEmpty(fromLink(fragment)) };
  const whole = /eip155:\d+:0x[0-9a-fA-F]{40}\/0x[0-9a-fA-F]{64}/.exec(trimmed);
  if (whole) {
    const { chainId, registry } = parseGlobalId(whole[0]);
    // what it names is proposed, never chosen: what stands in the form already stays
    return { ...question, id: whole[0], chain: question.chain || String(chainId), registry: question.registry || registry };
  }
  const digest = /(?:0x)?[0-9a-fA-F]{64}/.exec(trimmed);
  if (!digest) throw new InputError(T.pasteNote);
  return { ...question, id: digest[0] };
}

const withoutEmpty = (question: Question): Partial<Question> =>
  Object.fromEntries(Object.entries(question).filter(([, value]) => value)) as Partial<Question>;

/** What a verification rests on; undefined if nothing was chosen. */
export function trustOf(question: Question): Trust | undefined {
  const words = question.groups.split(/[\s,]+/).filter(Boolean);
  const wrong = words.find((word) => !/^\d{1,10}$/.test(word));
  if (wrong) throw new InputError(T.notANumber(wrong));
  if (!question.chain && !question.block) return undefined;
  if (question.chain && !/^[1-9]\d{0,76}$/.test(question.chain)) throw new InputError(`${T.chainNumber}: ${question.chain}`);
  return {
    ...(question.chain && { chainId: BigInt(question.chain) }),
    ...(question.registry && { registry: question.registry.trim() }),
    groups: words.map(Number),
    blocks: question.block.split(/[\s,]+/).filter(Boolean),
  };
}
