/**
 * Verifies a record, or a file, by its digest, against a registry that the verifier chose. Existence, retraction and counts
 * come from the registry's state; a key and one read of the state prove a record. Events only help to find keys.
 */
import { kinds, labRegistryAbi, relations, subjectTypes } from "@blockchaintracer/contracts";
import { decodeEventLog, encodeEventTopics } from "viem/utils";
import { callIn, checkAnchorer, checkAuthor, checkRole, findAnchoring, findLog, ifAvailable } from "./authorship.ts";
import type { Place, Topics } from "./authorship.ts";
import { sha256Hex } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { judgeClaim } from "./claims.ts";
import type { ClaimStanding } from "./claims.ts";
import { InputError, Unavailable } from "./errors.ts";
import { hashFile } from "./hash.ts";
import type { IdentityEntry } from "./identity.ts";
import type { Json } from "./json.ts";
import { readKeyFile } from "./key-file.ts";
import type { Inclusion, KeyFile } from "./key-file.ts";
import { checkAgainstKey, MAX_MANIFEST, parseManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { leadsTo } from "./merkle.ts";
import { normalDigest, parseGlobalId, readKey, recordId } from "./record.ts";
import type { Domain, RecordKey } from "./record.ts";
import { Chain, openRegistry } from "./registry.ts";
import type { Attestation, Client, Log, Registry } from "./registry.ts";
import { behindCheck, counted, decided, isPrivate, NEVER_PROVEN, normalTrust, wrongGroup } from "./standing.ts";
import type { Check, Outcome, Trust } from "./standing.ts";
import { checkKey } from "./stolen-keys.ts";
import type { Statements } from "./stolen-keys.ts";
import { checkVerdicts } from "./verdicts.ts";
import type { Found } from "./verdicts.ts";
import { disowned, when } from "./storage.ts";
import type { Batch, RecordStatus } from "./storage.ts";

/** Where manifests and keys are found: what the lab published, a folder, a gateway. Nothing of it is believed. */
export interface Copies {
  /** The bytes with this SHA-256, or null. What is longer than `limit` need not be given. */
  read(sha256: string, limit: number): Promise<Uint8Array | null>;
  /** Key files and proofs of batched records (docs/formats.md), or bare keys, that may be of a record or of a subject, as JSON. */
  keys?(what: { id: Hex } | { subject: string }): Promise<unknown[]>;
}

/** A record that was found, and what the registry stores of it. */
export interface FoundRecord {
  id: Hex;
  key: RecordKey;
  status: RecordStatus;
  manifest: Manifest | null;
  /** The batch that the record is in and whose time it has; null if it is in none, or the batch is not known. */
  batch: (Batch & { root: Hex }) | null;
  /** What the groups that count say of it, by group. */
  verdicts: Record<number, Attestation>;
}

/** What came of a verification. */
export interface Report {
  outcome: Outcome;
  /** `null`: it is not decided. */
  verified: boolean | null;
  privateTestChain: boolean;
  checks: Check[];
  records: FoundRecord[];
  doesNotProve: string[];
}

export interface VerifyOptions {
  /** A client of a chain: one of viem, or a wallet's provider. */
  client: Client | Chain;
  /** Address of the registry. It may stand in `trust` as well. */
  registry?: string;
  /** One source, or several: what one has, or does not answer, hides nothing of another. */
  copies?: Copies | readonly Copies[];
  trust: Trust;
}

/** Relations in which a record speaks about its parent and does not rest on it. */
const isAbout = (relation: number): boolean => relation >= relations.reproduces && relation <= relations.witnesses;
const MOST_ANCESTORS = 10_000;
const IDS_AT_ONCE = 500;
/** Read of a key file: of the record's own transaction and of its batch's. A node is asked about each. */
const MOST_RECEIPTS = 4;
/** Of each source: receipts of a record, of all its files, and files about a record or subject. */
const MOST_OF_RECORD = 16;
const MOST_FILES = 64;
/** The flag of a record that was stored from a batch (contracts/types/RecordSlot.sol). */
const FLAG_BATCHED = 1;
type Say = (name: string, fits: boolean | undefined, detail: string) => void;

/**
 * Verify a record or a file.
 *
 * @param target a record id (alone, or as `eip155:CHAIN:REGISTRY/ID`), a SHA-256, or a file.
 * @throws InputError if the question is not well formed; this is the outcome "wrong use".
 */
export async function verify(target: string | Blob | Uint8Array, options: VerifyOptions): Promise<Report> {
  const { verifier, domain, chain } = opened(options);
  const checks: Check[] = [];
  let wanted: string;
  if (typeof target === "string") wanted = idOf(target, domain);
  else {
    wanted = (await hashFile(target)).sha256;
    checks.push({ name: "content", verdict: "pass", detail: `its SHA-256 was computed here: ${wanted}` });
  }
  try {
    await requireChain(chain, domain.chainId);
    const records = await verifier.find(wanted, typeof target !== "string");
    const behind = await chain.behind();
    if (behind !== undefined) verifier.isBehind(behind, records);
    return verifier.report(checks, records);
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    verifier.open("node", error.message);
    return verifier.report(checks, []);
  }
}

/**
 * Judge a claim of a file of identities (`readIdentities`) by the registry: whether it is recorded, revoked, and by who may
 * speak, with a key that was not stolen. `confirmIdentity` asks its other side.
 *
 * @throws Unavailable if the node does not answer at all.
 */
export async function verifyClaim(entry: IdentityEntry, options: VerifyOptions): Promise<ClaimStanding> {
  const { verifier, domain, registry, chain } = opened(options);
  await requireChain(chain, domain.chainId);
  return await judgeClaim(entry, domain, registry, verifier.statements);
}

function opened(options: VerifyOptions): { verifier: Verifier; registry: Registry; chain: Chain; domain: { chainId: bigint; registry: Hex } } {
  const trust = normalTrust(options.trust);
  if (!trust.chainId) throw new InputError("expected a chain to trust, got none", "Give trust.chainId.");
  const address = options.registry ?? trust.registry;
  if (address === undefined) throw new InputError("expected the registry to trust, got none", "Give registry.");
  const chain = options.client instanceof Chain ? options.client : new Chain(options.client);
  const registry = openRegistry(chain, address);
  if (trust.registry && trust.registry !== registry.address) {
    throw new InputError(`expected one registry, got ${registry.address} and, in trust, ${trust.registry}`);
  }
  const domain = { chainId: trust.chainId, registry: registry.address };
  return { verifier: new Verifier(registry, domain, [options.copies ?? []].flat(), trust.groups), registry, chain, domain };
}

async function requireChain(chain: Chain, expected: bigint): Promise<void> {
  const chainId = await chain.chainId();
  if (chainId !== expected) throw new InputError(`expected a node of chain ${expected}, got one of ${chainId}`);
}

function idOf(target: string, domain: { chainId: bigint; registry: Hex }): string {
  if (!target.startsWith("eip155:")) return normalDigest(target, "record id or SHA-256");
  const { chainId, registry, id } = parseGlobalId(target);
  if (chainId !== domain.chainId || registry !== domain.registry) {
    throw new InputError(
      `expected a record of ${domain.registry} on chain ${domain.chainId}, got one of ${registry} on chain ${chainId}`,
      "If you trust that chain and registry, choose them.",
    );
  }
  return id.slice(2);
}

class Verifier {
  readonly #registry: Registry;
  readonly #domain: Domain & { registry: Hex };
  readonly #copies: readonly Copies[];
  readonly #groups: readonly number[];
  readonly #checks: Check[] = [];
  readonly #keys = new Map<Hex, Promise<RecordKey | undefined>>();
  /** What each of the copies gave, read once; null is what can't be read. */
  readonly #files: Map<unknown, KeyFile | null>[];
  /** What is wrong with what the copies gave of what is looked for. */
  readonly #problems = new Set<string>();
  /** What some of the copies may have more about than was looked at. */
  readonly #cutOff = new Set<string>();
  #isOpen = false;
  #history: Promise<boolean> | undefined;

  constructor(registry: Registry, domain: Domain & { registry: Hex }, copies: readonly Copies[], groups: readonly number[]) {
    this.#registry = registry;
    this.#domain = domain;
    this.#copies = copies;
    this.#files = copies.map(() => new Map());
    this.#groups = groups;
  }

  /** Note a check that could not be made and that leaves the outcome open. */
  open(name: string, detail: string, record?: Hex): void {
    this.#isOpen = true;
    this.#checks.push({ name, verdict: "unknown", detail, ...(record && { record }) });
  }

  /** Leave open what a node that is behind can't know: what it lacks, and whether what it has was retracted since. */
  isBehind(behind: number, records: readonly FoundRecord[]): void {
    const open = (check: Check): void => {
      const isAbsent = check.verdict === "fail" && !records.length && ["recorded", "records", "proof"].includes(check.name);
      this.#isOpen ||= isAbsent;
      if (isAbsent) check.verdict = "unknown";
      if (check.verdict === "pass" && ["retraction", "lineage"].includes(check.name)) Object.assign(check, { verdict: "unknown", detail: `${check.detail}, by a node that is behind` });
    };
    this.#checks.forEach(open);
    this.#checks.push(behindCheck(behind));
  }

  /** Find what a digest is: the id of a record, or what records are of; and make the checks of each. */
  async find(digest: string, isFile: boolean): Promise<FoundRecord[]> {
    if (!isFile) {
      const id: Hex = `0x${digest}`;
      const status = await this.#registry.statusOf(id);
      if (status.recordedAt) {
        const key = await this.#key(id);
        if (key) return [await this.#examine(id, key, status)];
        this.open("recorded", `the registry stores it, and nothing here has its key: give copies, or ask an archive node`, id);
        return [];
      }
      const batched = await this.#batched(await this.#given({ id }));
      if (batched.length) return batched;
      if (status.status === "cancelled") {
        const detail = "its author or its group cancelled it: it can never be stored";
        this.#checks.push({ name: "recorded", verdict: "fail", detail, record: id });
        this.#tellProblems("fail");
        return [];
      }
    }
    const { keys, files } = await this.#keysOf(digest, isFile);
    const ids = [...keys.keys()];
    const statuses = await this.#registry.statusesOf(ids);
    const found = ids.map((id, i) => ({ id, status: statuses[i]! })).filter(({ status }) => status.recordedAt);
    const counting = found.filter(({ status }) => !this.#groups.length || this.#groups.includes(status.group));
    const stored = new Set(found.map(({ id }) => id));
    const records = await this.#batched(files.filter((file) => !stored.has(file.id)));
    // the only one of a group that does not count is shown, and fails for that
    for (const { id, status } of found.length === 1 && !records.length ? found : counting) {
      records.push(await this.#examine(id, keys.get(id)!, status));
    }
    if (records.length) return records;
    const name = isFile ? "records" : "recorded";
    const what = `no record ${isFile ? "of " : ""}${digest}, by ${this.#registry.address}`;
    if (found.length) {
      const detail = `${counted(found.length, "record")} of ${digest}, all of groups that do not count`;
      this.#checks.push({ name: "group", verdict: "fail", detail });
    } else if (this.#cutOff.has(digest)) this.open(name, `${what}, as far as the copies were read`);
    else if (await this.#isHistoryWhole()) {
      const detail = `${what} (one that is only in a batch is verified by its proof, among the copies, or by its bundle)`;
      this.#checks.push({ name, verdict: "fail", detail });
      this.#tellProblems("fail");
      return [];
    } else this.open(name, `${what}, as far as this node remembers: it has forgotten the registry's first events`);
    this.#tellProblems("unknown");
    return [];
  }

  #tellProblems(verdict: "fail" | "unknown"): void {
    this.#checks.push(...[...this.#problems].map((detail): Check => ({ name: "proof", verdict, detail })));
  }

  /** Make the checks of records that are not stored and that are in anchored batches of groups that count. */
  async #batched(files: readonly KeyFile[]): Promise<FoundRecord[]> {
    const found = new Map<Hex, { file: KeyFile; batch: Batch; root: Hex }>();
    for (const file of files) {
      const { key, id, root } = file;
      if (root === null || (this.#groups.length && !this.#groups.includes(key.group))) continue;
      const batch = await this.#registry.batchOf(key.group, key.author, root);
      if (!batch.anchoredAt) {
        this.#problems.add(`a proof of record ${id} names the batch ${root}, which is not anchored`);
        continue;
      }
      // a batch that was ended says less than one that was not
      const before = found.get(id)?.batch;
      if (!before || (before.endedAt && !batch.endedAt)) found.set(id, { file, batch, root });
    }
    const records: FoundRecord[] = [];
    for (const { file, batch, root } of found.values()) records.push(await this.#examineBatched(file, batch, root));
    return records;
  }

  async #examineBatched({ id, key }: KeyFile, batch: Batch, root: Hex): Promise<FoundRecord> {
    const say = this.#sayer(id);
    say("id", true, `computed from the key (EIP-712): ${id}`);
    const place = await this.#batch(key, id, root, batch, say, true);
    await this.#finality(place, batch.anchoredAt, say);
    const manifest = await this.#manifest(key, say);
    await this.#lineage(key, say, batch.anchoredAt);
    const status = await this.#registry.statusOf(id);
    const why = disowned(batch, status.status);
    say("stored", why ? false : undefined, why ?? "it is not stored: it is known by its key and its Merkle path alone");
    return { id, key, status, manifest, batch: { ...batch, root }, verdicts: {} };
  }

  /** Check the batch that a record is in: it was anchored by the author, a recorder of the group then. `isIn` is what its path says. */
  async #batch(key: RecordKey, id: Hex, root: Hex, batch: Batch, say: Say, isIn: boolean | undefined): Promise<Place | undefined> {
    sayBatch(say, { ...batch, root }, isIn);
    const receipts = this.#receipts(id);
    const place = await findAnchoring(this.#registry, key, root, receipts);
    await this.#time(place, batch.anchoredAt, ", that of its batch", say);
    this.#add("author", await checkAnchorer(this.#registry, key, place, receipts), id);
    this.#add("role", await checkRole(this.#registry, key, place, batch.anchoredAt, () => this.#isHistoryWhole()), id);
    await this.#stolen(key.group, key.author, batch.anchoredAt, id);
    return place;
  }

  /** Compare the time in the registry's state with that of the block, if the node has the block. */
  async #time(place: Place | undefined, time: number, which: string, say: Say): Promise<void> {
    const block = place?.isOnChain ? await ifAvailable(this.#registry.chain.block(place.block)) : undefined;
    const told = `the registry says ${when(time)}${which}`;
    say("time", !block || block.timestamp === time, block ? `${told}; its block says ${when(block.timestamp)}` : `${told} (state)`);
  }

  /** Check who is committed to a stored record: of one that was stored from a batch, by its batch. */
  async #answers(key: RecordKey, id: Hex, status: RecordStatus, place: Place | undefined, say: Say): Promise<FoundRecord["batch"]> {
    const isBatched = (status.flags & FLAG_BATCHED) !== 0;
    const stored = isBatched ? await this.#batchOf(key, id, status) : undefined;
    if (stored) {
      await this.#batch(key, id, stored.root, stored.batch, say, stored.isIn);
      return { ...stored.batch, root: stored.root };
    }
    const receipts = this.#receipts(id);
    this.#add("author", await checkAuthor(this.#registry, this.#domain, key, isBatched ? undefined : place, receipts), id);
    this.#add("role", await checkRole(this.#registry, key, place, status.recordedAt, () => this.#isHistoryWhole()), id);
    await this.#stolen(key.group, key.author, status.recordedAt, id);
    if (isBatched) {
      say("time", true, `${when(status.recordedAt)}, that of its batch (state)`);
      const other = await this.#provenBatch(key, id);
      const isOpen = !(await this.#isHistoryWhole());
      if (other) sayBatch(say, other, true);
      else say("batch", isOpen ? undefined : false, `it is from a batch (state), and ${isOpen ? "neither an event nor a proof that is here says" : "the registry's events do not say"} which`);
    } else await this.#time(place, status.recordedAt, "", say);
    return null;
  }

  /** Find the batch that a record was stored from, and whether its path leads there: by its event and transaction, or by a proof. */
  async #batchOf(key: RecordKey, id: Hex, { recordedAt }: RecordStatus): Promise<{ root: Hex; batch: Batch; isIn: boolean | undefined } | undefined> {
    const topics = encodeEventTopics({ abi: labRegistryAbi, eventName: "Materialized", args: { id } }) as Topics;
    const log = await findLog(this.#registry, topics, []);
    const proven = this.#rootsOf(id);
    for (const root of log ? [log.topics[2]!] : proven) {
      const batch = await this.#registry.batchOf(key.group, key.author, root);
      if (batch.anchoredAt !== recordedAt) continue;
      if (proven.has(root)) return { root, batch, isIn: true };
      const sent = await ifAvailable(this.#registry.chain.transaction(log!.transaction));
      const called = sent?.to === this.#registry.address ? callIn(sent.data) : undefined;
      const path = called?.name === "materialize" ? (called.args[2] as Hex[]) : undefined;
      return { root, batch, isIn: path && leadsTo(id, path) === root };
    }
    return undefined;
  }

  /** Find an anchored batch that holds a record by a proof: it may hold it beside the batch that it was stored from. */
  async #provenBatch(key: RecordKey, id: Hex): Promise<FoundRecord["batch"]> {
    for (const root of this.#rootsOf(id)) {
      const batch = await this.#registry.batchOf(key.group, key.author, root);
      if (batch.anchoredAt) return { ...batch, root };
    }
    return null;
  }

  /** Add what the group of a record states of its author's key. */
  async #stolen(group: number, account: Hex, time: number, record: Hex): Promise<void> {
    for (const told of await checkKey(this.#registry, this.statements, group, account, time)) this.#add("key", told, record);
  }

  /** Check that a block is final: by its number, or if the node does not give it by the time that is its own. */
  async #finality(place: Place | undefined, time: number | undefined, say: Say): Promise<void> {
    const final = await ifAvailable(this.#registry.chain.block("finalized"));
    const isFinal = final && (place?.isOnChain ? place.block <= final.number : time !== undefined && time < final.timestamp);
    say("finality", isFinal || undefined, isFinal ? "final: it is not younger than the newest final block" : "the node does not say that it is final");
  }

  #sayer(record: Hex): Say {
    return (name, fits, detail) => this.#add(name, { verdict: fits === undefined ? "unknown" : fits ? "pass" : "fail", detail }, record);
  }

  #add(name: string, check: Pick<Check, "verdict" | "detail">, record: Hex): void {
    this.#checks.push({ name, ...check, record });
  }

  report(first: Check[], records: FoundRecord[]): Report {
    const checks = [...first, ...this.#checks];
    const failed = checks.some((check) => check.verdict === "fail");
    const outcome: Outcome = failed ? "not verified" : this.#isOpen ? "unavailable" : "verified";
    const isTest = isPrivate(BigInt(this.#domain.chainId));
    const words = "A verdict is the word of the group that gave it; several groups may be one person's.";
    const doesNotProve = [NEVER_PROVEN, words, "What the chain holds is told by the node that was asked."];
    return { outcome, verified: decided(outcome), privateTestChain: isTest, checks, records, doesNotProve };
  }

  async #examine(id: Hex, key: RecordKey, status: RecordStatus): Promise<FoundRecord> {
    const say = this.#sayer(id);
    say("id", true, `computed from the key (EIP-712): ${id}`);
    say(
      "status",
      status.group === key.group && status.kind === key.kind,
      `the registry holds it as ${status.status}, of group ${status.group} and kind ${status.kind}`,
    );
    const topics = encodeEventTopics({ abi: labRegistryAbi, eventName: "Recorded", args: { id: [id] } }) as Topics;
    const place = await findLog(this.#registry, topics, this.#receipts(id));
    const batch = await this.#answers(key, id, status, place, say);
    // a record from a batch has the time of the batch, and was stored later
    await this.#finality(place, status.flags & FLAG_BATCHED ? undefined : status.recordedAt, say);
    if (status.sealedAt) say("seal", true, `sealed ${when(status.sealedAt)}`);
    const manifest = await this.#manifest(key, say);
    await this.#lineage(key, say);
    if (status.retractedAt) say("retraction", false, `retracted ${when(status.retractedAt)}`);
    else say("retraction", true, "it is not retracted");
    this.#checks.push(...wrongGroup(key.group, this.#groups, id));
    const verdicts: Record<number, Attestation> = {};
    for await (const given of checkVerdicts(this.#registry, id, key, status, this.#groups, this.#found)) {
      if ("verdict" in given) this.#add("verdict counts", given, id);
      else {
        const { group, said, attester, check } = given;
        const name = `verdict of group ${group}`;
        if (said && this.#groups.includes(group)) verdicts[group] = said;
        const stated = attester && said ? await checkKey(this.#registry, this.statements, group, attester, said.attestedAt) : [];
        const isStolen = stated.some((it) => it.verdict === "fail");
        this.#add(name, isStolen && check.verdict === "pass" ? { ...check, verdict: "unknown" } : check, id);
        // anyone may give a verdict: that its key was stolen is not the record's fault
        for (const it of stated) this.#add(name, it.verdict === "fail" ? { ...it, verdict: "unknown" } : it, id);
      }
    }
    return { id, key, status, manifest, batch, verdicts };
  }

  readonly #found: Found = {
    logs: (topics) => this.#logs(topics),
    key: (id) => this.#key(id),
    isHistoryWhole: () => this.#isHistoryWhole(),
  };

  /** How statements on keys are found, by their subject. */
  readonly statements: Statements = {
    find: async (subject) => {
      const { keys, places } = await this.#keysOf(subject, false);
      const untold = [...keys.keys()].filter((id) => !places.has(id));
      const stored = await this.#registry.statusesOf(untold);
      untold.forEach((id, i) => stored[i]!.recordedAt || keys.delete(id));
      return [...keys].map(([id, key]) => ({ id, key, place: places.get(id) }));
    },
    manifest: async (key) => {
      const data = await this.#read(key.manifest);
      return data && sha256Hex(data) === key.manifest ? quietly(() => parseManifest(data)) : undefined;
    },
    isHistoryWhole: () => this.#isHistoryWhole(),
  };

  async #manifest(key: RecordKey, say: Say): Promise<Manifest | null> {
    const data = await this.#read(key.manifest);
    if (!data) {
      say("manifest", undefined, `no copy of ${key.manifest} is here`);
      return null;
    }
    if (sha256Hex(data) !== key.manifest) {
      // a damaged copy is no fault of the record
      say("manifest", undefined, `the copy of ${key.manifest} is damaged: its SHA-256 is another`);
      return null;
    }
    try {
      const manifest = parseManifest(data);
      say("manifest", true, `re-hashed: ${key.manifest}, canonical`);
      const wrong = checkAgainstKey(manifest, key);
      say("agreement", !wrong.length, wrong.join("; ") || "the manifest and the key say the same");
      return manifest;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      say("manifest", false, error.message);
      return null;
    }
  }

  /**
   * Parents are recorded, and nothing that the record rests on is retracted. Of a record that is only in a batch, which was
   * anchored at that time, parents may be in one, too.
   */
  async #lineage(key: RecordKey, say: Say, anchoredAt = 0): Promise<void> {
    const parents = [...new Set(key.parents.map((link) => link.parent))];
    if (!parents.length) return;
    const stored = new Map<Hex, RecordStatus>();
    const ask = async (ids: Hex[]): Promise<void> => {
      for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
        const part = ids.slice(at, at + IDS_AT_ONCE);
        (await this.#registry.statusesOf(part)).forEach((status, i) => stored.set(part[i]!, status));
      }
    };
    await ask(parents);
    const missing = parents.filter((parent) => !stored.get(parent)!.recordedAt);
    const late = anchoredAt ? parents.filter((parent) => stored.get(parent)!.recordedAt > anchoredAt) : [];
    const wrong = [...late.map((parent) => `${parent} is not earlier`), ...missing.map((parent) => `${parent} is not recorded`)];
    const isOpen = anchoredAt > 0 && !late.length && missing.length > 0;
    say("parents", isOpen ? undefined : !wrong.length, wrong.join("; ") || `${counted(parents.length, "parent")} recorded`);
    const lost: Hex[] = [];
    const seen = new Set<Hex>();
    let level = await this.#restsOn(key, lost);
    while (level.length) {
      level.forEach((id) => seen.add(id));
      await ask(level.filter((id) => !stored.has(id)));
      if (seen.size > MOST_ANCESTORS) {
        say("lineage", undefined, `it rests on more than ${MOST_ANCESTORS} records, which are not all looked at`);
        return;
      }
      const next: Hex[] = [];
      for (const id of level) {
        const ancestor = await this.#key(id);
        if (ancestor) next.push(...(await this.#restsOn(ancestor, lost)));
        else lost.push(id);
      }
      level = [...new Set(next)].filter((id) => !seen.has(id));
    }
    const retracted = [...seen].filter((id) => stored.get(id)!.retractedAt);
    if (retracted.length) say("lineage", false, `it rests on what is retracted: ${retracted.join(", ")}`);
    else if (lost.length) say("lineage", undefined, `what ${lost.join(", ")} rest on is unknown: no key or manifest is here`);
    else say("lineage", true, `of ${counted(seen.size, "record")} that it rests on, none is retracted`);
  }

  /** The parents that a record rests on. `lost` gets a run whose manifest could name more of them. */
  async #restsOn(key: RecordKey, lost: Hex[]): Promise<Hex[]> {
    const rests = new Set(key.parents.filter((link) => !isAbout(link.relation)).map((link) => link.parent));
    const about = key.parents.map((link) => link.parent).filter((parent) => !rests.has(parent));
    if (about.length && key.kind === kinds.run) {
      const data = await this.#read(key.manifest);
      const manifest = data && sha256Hex(data) === key.manifest ? quietly(() => parseManifest(data)) : undefined;
      const inputs = manifest?.predicate["inputs"] as { record: Hex }[] | undefined;
      if (!inputs) lost.push(recordId(this.#domain, key));
      for (const input of inputs ?? []) if (about.includes(input.record)) rests.add(input.record);
    }
    return [...rests];
  }

  /** The key of a record: of a copy, or of its event. Its id is computed, so it does not matter who gave it. */
  #key(id: Hex): Promise<RecordKey | undefined> {
    let key = this.#keys.get(id);
    if (!key) this.#keys.set(id, (key = this.#findKey(id)));
    return key;
  }

  async #findKey(id: Hex): Promise<RecordKey | undefined> {
    const [given] = await this.#given({ id });
    if (given) return given.key;
    const logs = await this.#logs(encodeEventTopics({ abi: labRegistryAbi, eventName: "Recorded", args: { id: [id] } }) as (Hex | null)[]);
    return logs.map(keyIn).find((key) => key && recordId(this.#domain, key) === id);
  }

  /** Keys of records of a subject, their events, and the files that gave some; for a file those of files alone, as a listing's digest is that of a folder. */
  async #keysOf(subject: string, isFile: boolean): Promise<{ keys: Map<Hex, RecordKey>; places: Map<Hex, Place>; files: KeyFile[] }> {
    const [topic] = encodeEventTopics({ abi: labRegistryAbi, eventName: "Recorded" });
    const logs = await this.#logs([topic, null, `0x${subject}`]);
    const fits = (key: RecordKey): boolean => key.subject === subject && (!isFile || key.subjectType === subjectTypes.file);
    const files = await this.#given({ subject }, fits);
    const keys = new Map(files.map(({ id, key }): [Hex, RecordKey] => [id, key]));
    const places = new Map<Hex, Place>();
    for (const log of logs) {
      const key = keyIn(log);
      if (!key || !fits(key)) continue;
      const id = recordId(this.#domain, key);
      keys.set(id, key);
      places.set(id, { ...log, isOnChain: true });
    }
    return { keys, places, files };
  }

  /** A whole copy of a manifest, or else a damaged one, or none. */
  async #read(digest: string): Promise<Uint8Array | null> {
    let damaged: Uint8Array | null = null;
    for (const source of this.#copies) {
      const data = await this.#answer(digest, source.read(digest, MAX_MANIFEST));
      if (data && sha256Hex(data) === digest) return data;
      damaged ??= data ?? null;
    }
    return damaged;
  }

  /** What a source answers about a digest; undefined if it does not, which is said. */
  async #answer<T>(digest: string, answer: Promise<T> | undefined): Promise<T | undefined> {
    try {
      return await answer;
    } catch (error) {
      this.#cut(digest, `a source of copies did not answer about ${digest}: ${String(error instanceof Error ? error.message : error).slice(0, 200)}`);
      return undefined;
    }
  }

  /** Note once that copies may have more about a digest. */
  #cut(digest: string, detail: string): void {
    if (!this.#cutOff.has(digest)) this.#checks.push({ name: "proof", verdict: "unknown", detail });
    this.#cutOff.add(digest);
  }

  /** Key files of this registry, and bare keys as such. Their ids are computed, so it does not matter who gave them. */
  async #given(what: { id: Hex } | { subject: string }, fits: (key: RecordKey) => boolean = () => true): Promise<KeyFile[]> {
    const digest = ("id" in what ? what.id : what.subject).replace("0x", "");
    const found: KeyFile[] = [];
    for (const [i, source] of this.#copies.entries()) {
      let count = 0;
      for (const item of (await this.#answer(digest, source.keys?.(what))) ?? []) {
        const file = this.#file(this.#files[i]!, item, digest);
        const isOurs = file?.domain.chainId === this.#domain.chainId && file.domain.registry === this.#domain.registry;
        if (!file || !isOurs || !("subject" in what || file.id === what.id) || !fits(file.key)) continue;
        if (++count > MOST_FILES) {
          this.#cut(digest, `a source of copies has more than ${MOST_FILES} files about ${digest}: the others were not read`);
          break;
        }
        found.push(file);
      }
    }
    return found;
  }

  #file(files: Map<unknown, KeyFile | null>, item: unknown, digest: string): KeyFile | null {
    let file = files.get(item);
    if (file === undefined) {
      const isFile = typeof item === "object" && item !== null && "type" in item;
      file = quietly(() => (isFile ? readKeyFile(item as Json) : this.#bare(item))) ?? null;
      files.set(item, file);
      if (!file && JSON.stringify(item)?.includes(digest)) this.#problems.add(`a key file that names ${digest} can't be read`);
    }
    return file;
  }

  #bare(item: unknown): KeyFile {
    const key = readKey(item);
    const domain = { chainId: BigInt(this.#domain.chainId), registry: this.#domain.registry };
    return { domain, key, id: recordId(domain, key), root: null, path: [], receipts: [] };
  }

  /** The files of a record, by source. */
  #filesOf(id: Hex): KeyFile[][] {
    return this.#files.map((files) => [...files.values()].filter((file): file is KeyFile => file?.id === id));
  }

  /** The roots of batches to which files lead from a record. */
  #rootsOf(id: Hex): Set<Hex> {
    return new Set(this.#filesOf(id).flatMap((files) => files.slice(0, MOST_FILES).flatMap((file) => file.root ?? [])));
  }

  #receipts(id: Hex): Inclusion[] {
    const each = this.#filesOf(id).flatMap((files) => {
      const all = files.flatMap((file) => file.receipts.slice(0, MOST_RECEIPTS));
      return [...new Map(all.map((it) => [nameOf(it), it])).values()].slice(0, MOST_OF_RECORD);
    });
    return [...new Map(each.map((it) => [nameOf(it), it])).values()];
  }

  /** Logs, as far as the node remembers them: none is no proof of anything. */
  async #logs(topics: (Hex | Hex[] | null)[]): Promise<Log[]> {
    try {
      return await this.#registry.chain.logs(this.#registry.address, topics);
    } catch (error) {
      if (error instanceof Unavailable) return [];
      throw error;
    }
  }

  /** Whether the node has the registry's first event, that of its deployment. */
  #isHistoryWhole(): Promise<boolean> {
    return (this.#history ??= (async () => {
      const [topic] = encodeEventTopics({ abi: labRegistryAbi, eventName: "OwnershipTransferred" });
      return (await this.#logs([topic, `0x${"00".repeat(32)}`, null])).length > 0;
    })());
  }
}

/** Tell of the batch that a record is in; `isIn` is what its path says. */
function sayBatch(say: Say, batch: Batch & { root: Hex }, isIn: boolean | undefined): void {
  const how = batch.counted ? "counted by the registry" : "as its author declares";
  const ended = batch.endedAt ? `, ended ${when(batch.endedAt)}` : "";
  const path = isIn ? "" : isIn === undefined ? "; its Merkle path is not in the transaction that stored it" : "; its Merkle path leads to another root";
  say("batch", isIn, `in batch ${batch.root} of ${counted(batch.count, "record")}, ${how}, anchored ${when(batch.anchoredAt)}${ended}${path}`);
}

const nameOf = ({ transaction, header, index, sent }: Inclusion): string => `${transaction} ${header.hash} ${index} ${sent !== null}`;

/** The key of a record that an event of a registry tells; undefined if it tells none. */
export function keyIn(log: Log): RecordKey | undefined {
  return quietly(() => {
    const topics = log.topics as [Hex, ...Hex[]];
    const { args } = decodeEventLog({ abi: labRegistryAbi, eventName: "Recorded", topics, data: log.data });
    return readKey({ ...args, parents: args.parents.map((link) => ({ ...link })) });
  });
}

/** What a reading of a stranger's bytes gives; undefined if it can't be read. */
function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

