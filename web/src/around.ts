/** What lies around records: what they came from, and what stands on them. By keys that are here and by a node's events. */
import { keyIn, kindName, parseManifest, recordId } from "@blockchaintracer/sdk";
import type { Attestation, Chain, Copies, Domain, Hex, JsonObject, Log, Manifest, RecordKey, RecordStatus, Registry } from "@blockchaintracer/sdk";
import { kinds, labRegistryAbi, relations } from "@blockchaintracer/contracts";
import type { verdicts } from "@blockchaintracer/contracts";
import { bytesToHex } from "@noble/hashes/utils.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { encodeEventTopics } from "viem/utils";
import type { PublishedCopies } from "./given.ts";
import type { Shown } from "./view.ts";

const MOST_NODES = 200;
const MOST_GROUPS = 50;
const MOST_MANIFEST = 1 << 20;
const ZERO = `0x${"00".repeat(32)}`;
type EventName = "Recorded" | "OwnershipTransferred" | "Attested" | "Sealed" | "Revealed" | "VerdictRevealed";
const topic = (eventName: EventName): Hex => encodeEventTopics({ abi: labRegistryAbi, eventName } as never)[0]! as Hex;
const [RECORDED, OWNED, ATTESTED, SEALED, REVEALED, VERDICT] = (
  ["Recorded", "OwnershipTransferred", "Attested", "Sealed", "Revealed", "VerdictRevealed"] as const
).map(topic) as [Hex, Hex, Hex, Hex, Hex, Hex];

export type State = "recorded" | "retracted" | "affected" | "perhaps" | "unknown";

/** A record in a lineage. `depth` counts links: negative to what it came from. */
export interface Entry {
  id: Hex;
  key: RecordKey | undefined;
  kind: string;
  name: string | undefined;
  manifest: Manifest | null;
  status: RecordStatus | undefined;
  state: State;
  depth: number;
}

export interface Edge {
  child: Hex;
  parent: Hex;
  relation: number;
}

/** Ancestors first. `left` counts records that are near and not listed; `isWhole`: are all records of the registry known? */
export interface Around {
  entries: Map<Hex, Entry>;
  edges: Edge[];
  left: number;
  isWhole: boolean;
}

/** Where to look: the domain, what is here, and the registry as a node shows it, if one may be asked. */
export interface Sources {
  domain: Domain;
  copies: PublishedCopies | undefined;
  registry: Registry | undefined;
}

/** All records of a registry, oldest first, as far as a node remembers them. */
export async function recorded(registry: Registry): Promise<{ keys: RecordKey[]; isWhole: boolean }> {
  const logs = await registry.chain.logs(registry.address, [[RECORDED, OWNED]]);
  const isWhole = logs.some(({ topics }) => topics[0] === OWNED && topics[1] === ZERO);
  return { keys: logs.flatMap((log) => (log.topics[0] === RECORDED && keyIn(log)) || []), isWhole };
}

/** The records that a transaction wrote, by the word of a node: of each the state is asked afterwards. */
export async function writtenBy(registry: Registry, transaction: string): Promise<Hex[]> {
  const receipt = (await registry.chain.ask("eth_getTransactionReceipt", [transaction])) as { logs?: unknown } | null;
  const logs = (Array.isArray(receipt?.logs) ? receipt.logs : []) as ({ address?: unknown; topics?: unknown } | null)[];
  const ids = logs.flatMap((log) => (Array.isArray(log?.topics) && String(log.address).toLowerCase() === registry.address && log.topics[0] === RECORDED ? [String(log.topics[1])] : []));
  return ids.filter((id): id is Hex => /^0x[0-9a-f]{64}$/.test(id));
}

/** Find what is near these records, the nearest first. Nothing that the registry does not store is among it. */
export async function around(roots: readonly Shown[], { domain, copies, registry }: Sources): Promise<Around> {
  const keys = new Map<Hex, RecordKey>(roots.map(({ id, key }) => [id as Hex, key]));
  const note = (key: RecordKey): unknown => keys.set(recordId(domain, key), key);
  for (const given of copies?.all() ?? []) quietly(() => note(given.key));
  const all = registry && (await recorded(registry).catch(() => undefined));
  all?.keys.forEach(note);
  const children = new Map<Hex, Set<Hex>>();
  for (const [id, key] of keys) for (const { parent } of key.parents) children.set(parent, (children.get(parent) ?? new Set()).add(id));
  const depths = new Map<Hex, number>(roots.map(({ id }) => [id as Hex, 0]));
  let left = 0;
  for (const step of [-1, 1]) {
    let level = roots.map(({ id }) => id as Hex);
    for (let depth = step; level.length; depth += step) {
      if (step < 0 && registry && !all) await ancestors(registry, level.filter((id) => !keys.has(id)), note);
      const next = level.flatMap((id) => (step < 0 ? (keys.get(id)?.parents ?? []).map((link) => link.parent) : [...(children.get(id) ?? [])]));
      level = [...new Set(next)].filter((id) => !depths.has(id));
      const room = Math.max(0, MOST_NODES * (step < 0 ? 1 : 2) - depths.size);
      left += Math.max(0, level.length - room);
      level = level.slice(0, room);
      for (const id of level) depths.set(id, depth);
    }
  }
  const ids = [...depths.keys()];
  const statuses = new Map(roots.flatMap(({ id, standing }) => (standing ? [[id as Hex, standing] as const] : [])));
  if (registry) (await registry.statusesOf(ids).catch(() => [])).forEach((status, i) => statuses.set(ids[i]!, status));
  const manifests = new Map(roots.map(({ id, manifest }) => [id as Hex, manifest]));
  const entries = new Map<Hex, Entry>();
  for (const id of ids.sort((a, b) => depths.get(a)! - depths.get(b)!)) {
    const [key, status] = [keys.get(id), statuses.get(id)];
    const isRoot = depths.get(id) === 0;
    // a key that is stored nowhere is an invention, unless it is what was asked for
    if (status && !status.recordedAt && !isRoot) continue;
    const manifest = manifests.get(id) ?? (key && (await manifestOf(key, copies)));
    manifests.set(id, manifest ?? null);
    const kind = key ? kindName(key.kind) : status ? kindName(status.kind) : "";
    const state = status?.retractedAt ? "retracted" : status?.recordedAt ? "recorded" : "unknown";
    entries.set(id, { id, key, kind, name: manifest?.name, manifest: manifest ?? null, status, state, depth: depths.get(id)! });
  }
  const edges = [...entries.values()].flatMap(({ id, key }) =>
    (key?.parents ?? []).filter(({ parent }) => entries.has(parent)).map(({ parent, relation }): Edge => ({ child: id, parent, relation })),
  );
  spread(entries, edges, manifests);
  return { entries, edges, left, isWhole: !!all?.isWhole };
}

async function ancestors(registry: Registry, ids: Hex[], note: (key: RecordKey) => unknown): Promise<void> {
  if (!ids.length) return;
  const logs = await registry.chain.logs(registry.address, [RECORDED, ids]).catch(() => []);
  logs.forEach((log) => quietly(() => note(keyIn(log)!)));
}

/** Mark what stands on a retracted record: by each link that is not only about its parent; and what may, by a manifest that is not here. */
function spread(entries: Map<Hex, Entry>, edges: readonly Edge[], manifests: ReadonlyMap<Hex, Manifest | null>): void {
  const inputs = new Map<Hex, Set<unknown>>();
  const inputsOf = (child: Hex): Set<unknown> => {
    const named = manifests.get(child)?.predicate["inputs"];
    const found = inputs.get(child) ?? new Set(Array.isArray(named) ? named.map((input) => (input as JsonObject)?.["record"]) : []);
    inputs.set(child, found);
    return found;
  };
  const rests = ({ child, parent, relation }: Edge): boolean =>
    relation < relations.reproduces || relation > relations.witnesses || inputsOf(child).has(parent);
  const isUnread = ({ child }: Edge): boolean => entries.get(child)!.key?.kind === kinds.run && !manifests.get(child);
  const reach = (links: readonly Edge[], state: State): void => {
    const children = Map.groupBy(links, ({ parent }) => parent);
    let level = [...entries.values()].filter((it) => it.state === "retracted" || it.state === "affected").map(({ id }) => id);
    while (level.length) {
      const reached = new Set(level.flatMap((id) => children.get(id) ?? []).map(({ child }) => entries.get(child)!));
      const fresh = [...reached].filter((it) => it.state === "recorded" || it.state === "unknown");
      for (const entry of fresh) entry.state = state;
      level = fresh.map(({ id }) => id);
    }
  };
  const firm = edges.filter(rests);
  reach(firm, "affected");
  reach([...firm, ...edges.filter(isUnread)], "perhaps");
}

/** The manifest of a key from what is here: re-hashed, and null if it is not here or not one. */
export async function manifestOf(key: RecordKey, copies: Copies | undefined): Promise<Manifest | null> {
  const data = await copies?.read(key.manifest, MOST_MANIFEST).catch(() => null);
  if (!data || bytesToHex(sha256(data)) !== key.manifest) return null;
  return quietly(() => parseManifest(data)) ?? null;
}

/** A time in the life of a record. */
export interface Moment {
  at: number;
  what: "sealed" | "recorded" | "retracted" | "witnessed" | "renewed" | keyof typeof verdicts;
  group?: number;
  by?: Hex;
}

/** What groups say of a record now. Events only help to find the groups: what they say is asked of the state. */
export async function verdictsOf(record: Shown, registry: Registry | undefined): Promise<Map<number, Attestation>> {
  const given = new Map(Object.entries(record.verdicts).map(([group, it]) => [Number(group), it]));
  const logs = registry ? await registry.chain.logs(registry.address, [ATTESTED, null, null, record.id as Hex]).catch(() => []) : [];
  for (const group of [...new Set(logs.map(({ topics }) => Number(topics[1])))].slice(0, MOST_GROUPS)) {
    const verdict = await registry!.verdictOf(group, record.id).catch(() => undefined);
    if (verdict) given.set(group, verdict);
  }
  return new Map([...given].filter(([, { verdict }]) => verdict !== "none"));
}

/** When it was sealed, recorded, judged, witnessed, renewed and retracted, in that order of time. */
export async function moments(record: Shown, near: Around, given: ReadonlyMap<number, Attestation>): Promise<Moment[]> {
  const { standing, committedAt } = record;
  const found: Moment[] = [{ at: standing?.recordedAt || committedAt, what: "recorded" }];
  if (standing?.sealedAt) found.push({ at: standing.sealedAt, what: "sealed" });
  if (standing?.retractedAt) found.push({ at: standing.retractedAt, what: "retracted" });
  for (const [group, it] of given) found.push({ at: it.attestedAt, what: it.verdict, group });
  for (const { child, parent, relation } of near.edges) {
    const { status, kind } = near.entries.get(child)!;
    // anybody can name any record so: what is no witness or renewal, or was taken back, is none
    if (parent !== record.id || !status || status.retractedAt) continue;
    const [at, group] = [status.recordedAt, status.group];
    if (relation === relations.witnesses && kind === "witness") found.push({ at, what: "witnessed", by: child, group });
    if (relation === relations.renews && kind === "renewal") found.push({ at, what: "renewed", by: child, group });
  }
  return found.filter(({ at }) => at).sort((a, b) => a.at - b.at);
}

/** How many seals an account made for a group, and how many of them nobody has seen; undefined if a node does not say. */
export async function seals(registry: Registry, group: number, author: Hex): Promise<{ made: number; unrevealed: number } | undefined> {
  const account: Hex = `0x${author.slice(2).padStart(64, "0")}`;
  const ask = (...topics: Parameters<Chain["logs"]>[1]): Promise<Log[]> => registry.chain.logs(registry.address, topics);
  try {
    const made = await ask(SEALED, account);
    const own = [...new Set(made.filter(({ data }) => Number(data) === group).map(({ topics }) => topics[2]!))];
    if (!own.length) return { made: 0, unrevealed: 0 };
    const isOwn = (log: Log): boolean => {
      const key = keyIn(log);
      return key?.group === group && key.author === author;
    };
    const shown = new Set<Hex>();
    // somebody else can have sealed the same: only what this account wrote for this group reveals it
    const revealed = await ask(REVEALED, null, own);
    const stored = revealed.length ? await ask(RECORDED, revealed.map(({ topics }) => topics[1]!)) : [];
    const written = new Set(stored.filter(isOwn).map(({ topics }) => topics[1]));
    for (const { topics } of revealed) if (written.has(topics[1])) shown.add(topics[2]!);
    const groupTopic: Hex = `0x${group.toString(16).padStart(64, "0")}`;
    const given = new Set((await ask(ATTESTED, groupTopic, account)).map(({ topics, transaction }) => `${topics[3]} ${transaction}`));
    for (const { topics, transaction } of await ask(VERDICT, groupTopic, null, own)) if (given.has(`${topics[2]} ${transaction}`)) shown.add(topics[3]!);
    return { made: own.length, unrevealed: own.length - shown.size };
  } catch {
    return undefined;
  }
}

/** What a reading of a stranger's bytes gives; undefined if it can't be read. */
export function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
