/**
 * Who committed to a record, and by what right: who sent the transaction that stored it or that anchored its batch, or
 * signed what another sent; and the author's role in the group then. Nodes forget transactions and events: kept receipts
 * (docs/formats.md) stand in for them if the chain has their block, and what nothing tells is unknown.
 */
import { labRegistryAbi, roles } from "@blockchaintracer/contracts";
import { decodeEventLog, decodeFunctionData, encodeEventTopics } from "viem/utils";
import { fromHex, keccakHex, toHex } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { Unavailable } from "./errors.ts";
import type { Inclusion } from "./key-file.ts";
import { checksummed, readKey, recordId, typedDigest } from "./record.ts";
import type { Domain, RecordKey } from "./record.ts";
import type { Chain, Log, Membership, Registry } from "./registry.ts";
import { isSigned, readTransaction, signerOf } from "./signatures.ts";
import type { SignedTransaction } from "./signatures.ts";
import type { Check, Verdict } from "./standing.ts";

/** A check that has no name yet. */
export type Told = Pick<Check, "verdict" | "detail">;
type Sent = Omit<SignedTransaction, "hash"> & { how: string };
export type Topics = (Hex | Hex[] | null)[];

/** A log, and whether the chain has its block: of a kept receipt the node may have forgotten that. */
export interface Place extends Log {
  isOnChain: boolean;
}

const KEPT = "recovered from its signature: the transaction was kept";
/** The place in its block of a log that a kept receipt tells. */
const UNKNOWN_INDEX = -1;
const told = (verdict: Verdict, detail: string): Told => ({ verdict, detail });

/** What a node answers, or undefined if it does not answer. */
export async function ifAvailable<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Unavailable) return undefined;
    throw error;
  }
}

/** Find the first such log of a registry: by the node, or by a kept receipt, but of no other block than the chain's. */
export async function findLog(registry: Registry, topics: Topics, receipts: readonly Inclusion[], fits: (log: Log) => boolean = () => true): Promise<Place | undefined> {
  const { chain, address } = registry;
  const first = (await ifAvailable(chain.logs(address, topics)))?.find(fits);
  if (first) return { ...first, isOnChain: true };
  const isNamed = (log: Log): boolean => topics.every((topic, i) => topic === null || [topic].flat().includes(log.topics[i]!));
  for (const { header, logs, transaction, index } of receipts) {
    const place = { block: header.number, index: UNKNOWN_INDEX, transaction };
    const own = logs.filter((log) => toHex(log.emitter) === address);
    const log = own.map((it): Log => ({ ...place, topics: it.topics.map(toHex), data: toHex(it.data) })).find((it) => isNamed(it) && fits(it));
    if (!log) continue;
    // a receipt does not name its transaction: whoever keeps it could name any
    const other = (await ifAvailable(chain.transaction(transaction)))?.place;
    if (other && (other.block !== header.hash || other.index !== index)) continue;
    const block = await ifAvailable(chain.block(header.number));
    if (!block || block.hash === header.hash) return { ...log, isOnChain: block !== undefined };
  }
  return undefined;
}

/** Find the event that anchored a batch, in a block that the chain has. */
export async function findAnchoring(registry: Registry, key: RecordKey, root: Hex, receipts: readonly Inclusion[]): Promise<Place | undefined> {
  for (const eventName of ["Anchored", "LeavesAnchored"] as const) {
    const topics = encodeEventTopics({ abi: labRegistryAbi, eventName, args: { author: checksummed(key.author), root } });
    // the group is no topic: the first word of the data
    const isOfGroup = (log: Log): boolean => log.data.length >= 66 && BigInt(log.data.slice(0, 66)) === BigInt(key.group);
    const log = await findLog(registry, topics as Topics, receipts, isOfGroup);
    if (log?.isOnChain) return log;
  }
  return undefined;
}

/** Compare who sent or signed a record with its author. `place` is its event, if anything tells it. */
export async function checkAuthor(registry: Registry, domain: Domain, key: RecordKey, place: Place | undefined, receipts: readonly Inclusion[]): Promise<Told> {
  return await judged(registry.chain, place, receipts, (sent) => storedBy(registry, domain, key, place!, sent));
}

/** Compare who sent the transaction that anchored a batch with the author of the batch. */
export async function checkAnchorer(registry: Registry, key: RecordKey, place: Place | undefined, receipts: readonly Inclusion[]): Promise<Told> {
  return await judged(registry.chain, place, receipts, async ({ sender, to, how }) => {
    if (to !== registry.address) return await withinACall(registry.chain, key.author, place!, sender, to);
    if (sender === key.author) return { ...told("pass", `${sender} sent the batch's root, ${how}`), isBySignature: true };
    return told("fail", `${sender} sent the batch's root, not its author ${key.author}`);
  });
}

async function judged(chain: Chain, place: Place | undefined, receipts: readonly Inclusion[], judge: (sent: Sent) => Promise<Told & { isBySignature?: boolean }>): Promise<Told> {
  if (!place) return told("unknown", "who sent it is unknown: the node does not give its event; that its author agreed, the registry checked");
  const sent = await sentBy(chain, place.transaction, receipts);
  if ("verdict" in sent) return sent;
  const found = await judge(sent);
  // of what somebody kept only the author's own signature decides
  const isOpen = sent.how === KEPT && !found.isBySignature;
  return isOpen ? told("unknown", `who sent it is unknown: of the transaction that was kept, ${found.detail}`) : found;
}

async function sentBy(chain: Chain, transaction: Hex, receipts: readonly Inclusion[]): Promise<Sent | Told> {
  const found = await ifAvailable(chain.transaction(transaction));
  if (!found) {
    const kept = receipts.find((receipt) => receipt.transaction === transaction && receipt.sent)?.sent;
    if (kept) return { ...kept, how: KEPT };
    return told("unknown", `who sent it is unknown: the node does not give transaction ${transaction}; that its author agreed, the registry checked`);
  }
  const raw = await ifAvailable(chain.rawTransaction(transaction));
  if (!raw) return { ...found, how: "by the node's word" };
  const wrong = told("fail", `what the node tells of transaction ${transaction} is not signed by ${found.sender}`);
  if (keccakHex(raw) !== transaction) return wrong;
  // rollups have types of their own that no account signs
  if (!isSigned(raw)) return { ...found, how: "by the node's word" };
  try {
    const signed = readTransaction(raw);
    const fits = signed.sender === found.sender && signed.to === found.to && toHex(signed.data) === toHex(found.data);
    return fits ? { ...found, how: "recovered from its signature" } : wrong;
  } catch {
    return wrong;
  }
}

async function storedBy(registry: Registry, domain: Domain, key: RecordKey, place: Place, { sender, to, data, how }: Sent): Promise<Told & { isBySignature?: boolean }> {
  const { author } = key;
  if (to !== registry.address) return await withinACall(registry.chain, author, place, sender, to);
  const called = callIn(data);
  if (!called) return told("fail", `transaction ${place.transaction} calls nothing that records`);
  const id = recordId(domain, key);
  if (!called.keys.some((it) => recordId(domain, it) === id)) return told("fail", `transaction ${place.transaction} asks for another record`);
  if (sender === author) return { ...told("pass", `${author} sent it, ${how}`), isBySignature: true };
  if (called.name !== "recordBySig") return told("fail", `${sender} sent it, not its author ${author}, and without a signature`);
  const [, deadline, signature] = called.args as [unknown, number, Hex];
  const digest = typedDigest(domain, "RecordAuthorization", { record: readKey(key), deadline });
  if (signerOf(digest, fromHex(signature), false) === author) return { ...told("pass", `${author} signed it, and ${sender} relayed the signature`), isBySignature: true };
  const had = await hadCode(registry.chain, author, place);
  if (had) return told("pass", `the author ${author} is a contract wallet (ERC-1271) that accepted a signature relayed by ${sender}`);
  if (had === undefined) return told("unknown", `the node can't say whether ${author} was a contract wallet then`);
  return told("fail", `expected a signature of ${author}, relayed by ${sender}, got another`);
}

/** The call of a registry with which a transaction begins, and the record keys in it; undefined if it is none. */
export function callIn(data: Uint8Array): { name: string; args: readonly unknown[]; keys: RecordKey[] } | undefined {
  try {
    const { functionName: name, args = [] } = decodeFunctionData({ abi: labRegistryAbi, data: toHex(data) });
    const isKey = (value: unknown): value is object => typeof value === "object" && value !== null && "parents" in value;
    return { name, args, keys: [...args].flat().filter(isKey).map(readKey) };
  } catch {
    return undefined;
  }
}

/** Judge what another contract asked of the registry, whose call is not part of the transaction: only an account with code can. */
async function withinACall(chain: Chain, author: Hex, place: Place, sender: Hex, through: Hex | null): Promise<Told> {
  if (await hadCode(chain, author, place)) {
    return told("pass", `the author ${author} is an account with code, which acted in a transaction that ${sender} sent: who its code lets act is for that code to say`);
  }
  return told("unknown", `${sender} sent it through ${through}: what ${author} agreed to is not in the transaction's own data`);
}

/** Whether an account had code in the block of a place; undefined if the node has forgotten and it has none now. */
async function hadCode(chain: Chain, address: Hex, place: Place): Promise<boolean | undefined> {
  const then = place.isOnChain ? await ifAvailable(chain.code(checksummed(address), place.block)) : undefined;
  return then ? then.length > 0 : (await chain.code(checksummed(address))).length > 0 || undefined;
}

/** Check that the author was a recorder of the group just before a place, at a time (Unix seconds). */
export async function checkRole(registry: Registry, key: RecordKey, place: Place | undefined, time: number, isHistoryWhole: () => Promise<boolean>): Promise<Told> {
  const { group, author } = key;
  const was = `${author} was a recorder of group ${group} then`;
  const member = await memberAt(registry, group, author, place, time, isHistoryWhole);
  if (member === undefined) return told("unknown", `that ${was}, the registry checked: the node does not give the events of its membership`);
  const why = problemOf(member, roles.recorder, time);
  return why ? told("fail", `${author} was no recorder of group ${group} then: ${why}`) : told("pass", was);
}

/**
 * The membership of an account just before a place, by the events of its memberships; where the node has forgotten these, by
 * the state, if that tells of the time (Unix seconds). Null: there was none; undefined: nothing tells.
 */
export async function memberAt(registry: Registry, group: number, account: Hex, found: Place | undefined, time: number, isHistoryWhole: () => Promise<boolean>): Promise<Membership | null | undefined> {
  const place = found?.isOnChain ? found : undefined;
  const args = { group, account: checksummed(account) };
  const topics = encodeEventTopics({ abi: labRegistryAbi, eventName: "MembershipChanged", args });
  const logs = place && (await ifAvailable(registry.chain.logs(registry.address, topics as Topics)));
  if (logs && !logs.some((log) => log.block === place!.block && place!.index === UNKNOWN_INDEX)) {
    const before = logs.filter((log) => log.block < place!.block || (log.block === place!.block && log.index < place!.index));
    const last = before.sort((a, b) => a.block - b.block || a.index - b.index).at(-1);
    if (last) return membershipIn(last);
    if (await isHistoryWhole()) return null;
  }
  const now = await registry.membershipOf(group, account);
  // roles given before that second and not changed since were in force then
  return now.version > 0 && now.since < time && now.until !== time ? now : undefined;
}

/** Say why a membership did not give a role at a time; undefined if it did. */
export function problemOf(member: Membership | null, role: number, time: number): string | undefined {
  if (!member) return "it was no member of the group";
  if (!(member.roles & role)) return "its roles were others";
  return member.since > time || time >= member.until ? "its membership had ended" : undefined;
}

function membershipIn(log: Log): Membership {
  try {
    const topics = log.topics as [Hex, ...Hex[]];
    return decodeEventLog({ abi: labRegistryAbi, eventName: "MembershipChanged", topics, data: log.data }).args;
  } catch {
    throw new Unavailable("the node answered an event of a membership that no registry emits");
  }
}
