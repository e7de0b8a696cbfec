/**
 * Reads a proof bundle from its bytes alone (docs/formats.md). Everything in it is bound by a hash to something else in
 * it, up to the hashes of its blocks. Anybody can make such a file of invented blocks: this shows that it fits together.
 */
import { encodeAbiParameters } from "viem/utils";
import { equal, fromHex, keccak, padded, toBigInt, toHex, utf8ToBytes, word } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { bloomHolds, indexKey, Malformed, MissingNode, readAccount, readHeader, readReceipt, readWord, TrieNodes } from "./chain-shapes.ts";
import type { Header, Receipt, ReceiptLog } from "./chain-shapes.ts";
import { BundleRefused, InputError, UnknownVersion } from "./errors.ts";
import { FORMATS } from "./formats.ts";
import { canonical, isObject, MAX_DEPTH, readJson } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import type { Deployment } from "./known-code.ts";
import { checkAgainstKey, parseManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { leadsTo } from "./merkle.ts";
import { readKey, recordId } from "./record.ts";
import type { RecordKey } from "./record.ts";
import { anything, boolean, FieldError, integer, list, maybe, named, object, orNull, text } from "./schema.ts";
import { batchSlot, CANCELLED, recordSlot, storedBatch, storedRecord } from "./storage.ts";
import type { Batch, RecordStatus, Status } from "./storage.ts";

const MAX_BYTES = 64 << 20;
/** a manifest stands four levels deep in a bundle */
const BUNDLE_DEPTH = MAX_DEPTH + 4;
const LONGEST_PATH = 64;
/** the only flag of a record that is stored */
const BATCHED = 1;

const topic = (signature: string): Uint8Array => keccak(utf8ToBytes(signature));
const RECORDED = topic("Recorded(uint32,address,bytes32,uint8,bytes32,uint8,bytes32,(bytes32,uint8)[])");
const MATERIALIZED = topic("Materialized(bytes32,bytes32,uint40)");
const ANCHORED = topic("Anchored(uint32,address,bytes32,uint48,bytes32)");
const LEAVES_ANCHORED = topic("LeavesAnchored(uint32,address,bytes32,uint48)");
const RECORDED_DATA = [
  { type: "uint32" },
  { type: "address" },
  { type: "uint8" },
  { type: "uint8" },
  { type: "bytes32" },
  { type: "tuple[]", components: [{ name: "parent", type: "bytes32" }, { name: "relation", type: "uint8" }] },
] as const;

const hash = text(/^0x[0-9a-f]{64}$/, "0x and 64 hex digits");
const hex = text(/^0x([0-9a-f]{2})+$/, "0x and hex digits");
const address = text(/^0x[0-9a-f]{40}$/, "an address of 0x and 40 hex digits");
const index = integer(0, 2 ** 32 - 1);
const where = object({ block: hash, transaction: index, log: index });
const objectRule = named(anything, anything);
const evidence = object({ type: text(/^[!-~]{1,200}$/, "a type of visible characters") }, undefined, () => true);
const shape = object({
  type: anything,
  algorithms: anything,
  chainId: text(/^[1-9][0-9]{0,76}$/, "a chain id as decimal text"),
  registry: address,
  deployment: maybe(object({ owner: address, openGroupCreation: boolean, salt: hash })),
  blocks: named(hash, hex),
  nodes: list(hex),
  records: list(
    object({
      id: hash,
      key: objectRule,
      manifest: orNull(objectRule),
      recorded: orNull(where),
      batched: orNull(object({ root: hash, path: list(hash, 0, LONGEST_PATH), anchored: where })),
      state: hash,
    }),
    1,
  ),
  // absent, but never null or empty
  witnesses: maybe(list(evidence, 1)),
  identities: maybe(list(evidence, 1)),
  renewals: maybe(list(evidence, 1)),
});

interface Where {
  block: Hex;
  transaction: number;
  log: number;
}

interface BundleRecord {
  id: Hex;
  key: JsonObject;
  manifest: JsonObject | null;
  recorded: Where | null;
  batched: { root: Hex; path: Hex[]; anchored: Where } | null;
  state: Hex;
}

interface Bundle {
  chainId: string;
  registry: Hex;
  deployment?: Deployment;
  blocks: Record<Hex, Hex>;
  nodes: Hex[];
  records: BundleRecord[];
  witnesses?: Evidence[];
  identities?: Evidence[];
  renewals?: Evidence[];
}

/** The batch that holds a record, and where it was anchored. */
export interface ProvenBatch {
  root: Hex;
  batch: Batch;
  anchored: Header;
}

/** What a bundle proves of one record if its blocks stand. `asOf` is the block whose state was read. */
export interface ProvenRecord {
  id: Hex;
  key: RecordKey;
  manifest: Manifest | null;
  status: Status;
  stored: RecordStatus | null;
  recorded: Header | null;
  batch: ProvenBatch | null;
  asOf: Header;
}

/** An object that has a type, and whatever belongs to that. */
export type Evidence = JsonObject & { type: string };

/** What a bundle shows if its blocks stand. Nothing of it is to be believed before. */
export interface ProvenBundle {
  domain: { chainId: bigint; registry: Hex };
  codeHash: Hex;
  records: ProvenRecord[];
  /** every block that something rests on, ascending */
  blocks: Header[];
  deployment: Deployment | null;
  /** witnesses, identities and renewals: what each is, and its content, of which only the type was read */
  evidence: [what: string, item: Evidence][];
}

/**
 * Check that a bundle fits together and return what it shows if its blocks stand.
 *
 * @throws BundleRefused at the first thing that doesn't fit, with its place.
 * @throws UnknownVersion if it is of a version that this program does not read.
 */
export function readBundle(data: Uint8Array): ProvenBundle {
  return new Reading(parse(data)).result();
}

function parse(data: Uint8Array): Bundle {
  if (data.length > MAX_BYTES) throw new BundleRefused("byte 0", `expected at most ${MAX_BYTES} bytes, got ${data.length}`);
  let read: { value: Json; text: string; form: string };
  try {
    read = readJson(data, "the bundle", BUNDLE_DEPTH, true);
    checkHeader(read.value);
  } catch (error) {
    if (error instanceof UnknownVersion || !(error instanceof InputError)) throw error;
    throw new BundleRefused("byte 0", error.message);
  }
  if (read.text !== read.form) throw new BundleRefused("byte 0", "expected the canonical form of JSON (RFC 8785)");
  try {
    shape(read.value, "");
  } catch (error) {
    if (error instanceof FieldError) throw new BundleRefused(error.place, `expected ${error.expected}`);
    throw error;
  }
  return read.value as unknown as Bundle;
}

function checkHeader(value: Json): void {
  const type = isObject(value) ? value["type"] : undefined;
  const match = typeof type === "string" ? /^urn:blockchaintracer:bundle:v([1-9][0-9]{0,8})$/.exec(type) : null;
  if (!match) throw new InputError("expected urn:blockchaintracer:bundle:v1");
  if (match[1] !== "1") {
    throw new UnknownVersion(`the bundle: it is written in version ${match[1]} of bundle; this program reads version 1`, "Upgrade.");
  }
  if (JSON.stringify((value as JsonObject)["algorithms"]) !== JSON.stringify(FORMATS.bundle)) {
    throw new InputError(`expected the algorithms ${FORMATS.bundle.join(", ")}`);
  }
}

/** One run over one bundle; what was decoded once (blocks, account, receipts) is kept for the next record. */
class Reading {
  readonly #bundle: Bundle;
  readonly #domain: { chainId: bigint; registry: Hex };
  readonly #nodes: TrieNodes;
  readonly #blocks: Map<Hex, Header>;
  readonly #used = new Set<Hex>();
  readonly #storage = new Map<Hex, Hex>();
  readonly #receipts = new Map<string, Receipt>();
  #codeHash: Hex | undefined;

  constructor(bundle: Bundle) {
    this.#bundle = bundle;
    this.#domain = { chainId: BigInt(bundle.chainId), registry: bundle.registry };
    if (bundle.nodes.some((node, i) => i > 0 && bundle.nodes[i - 1]! >= node)) {
      throw new BundleRefused("nodes", "expected each node once, in ascending order");
    }
    this.#nodes = new TrieNodes(bundle.nodes.map(fromHex));
    this.#blocks = new Map(
      Object.entries(bundle.blocks).map(([name, header]) => [name as Hex, readBlock(name, header)]),
    );
  }

  result(): ProvenBundle {
    const bundle = this.#bundle;
    const blocks = [...this.#blocks.values()].sort((a, b) => a.number - b.number || (a.hash < b.hash ? -1 : 1));
    blocks.forEach((block, i) => {
      const before = blocks[i - 1];
      if (before && (before.number === block.number || before.timestamp > block.timestamp)) {
        throw new BundleRefused(`blocks.${block.hash}`, "expected blocks of one chain: number and time grow");
      }
    });
    const seen = new Set<Hex>();
    const records = bundle.records.map((record, i) => {
      if (seen.has(record.id)) throw new BundleRefused(`records[${i}].id`, `expected each record once, got ${record.id} again`);
      seen.add(record.id);
      return this.#record(`records[${i}]`, record);
    });
    // in the order of the bundle: the first is the least
    const [unread] = this.#nodes.unread;
    if (unread !== undefined) {
      throw new BundleRefused(`nodes[${unread}]`, "expected a node that a proof needs, no proof does");
    }
    const unused = Object.keys(bundle.blocks).find((name) => !this.#used.has(name as Hex));
    if (unused) throw new BundleRefused(`blocks.${unused}`, "expected a block that something rests on, nothing does");
    const lists = { witness: bundle.witnesses, identity: bundle.identities, renewal: bundle.renewals };
    return {
      domain: this.#domain,
      codeHash: this.#codeHash!,
      records,
      blocks,
      deployment: bundle.deployment ?? null,
      evidence: Object.entries(lists).flatMap(([what, items]) =>
        (items ?? []).map((item): [string, Evidence] => [what, item]),
      ),
    };
  }

  #record(place: string, record: BundleRecord): ProvenRecord {
    const key = this.#key(place, record);
    const manifest = checkManifest(place, record, key);
    const asOf = this.#block(`${place}.state`, record.state);
    const stateWord = this.#word(`${place}.state`, asOf, recordSlot(record.id));
    const stored = storedRecord(stateWord);
    const batch = record.batched ? this.#batch(`${place}.batched`, record.id, key, record.batched, asOf) : null;
    const shared = { id: record.id, key, manifest, status: stored.status, batch, asOf };
    if (!record.recorded) {
      if (!batch) throw new BundleRefused(place, "expected the event that recorded it, or a batch that holds it, got neither");
      if (stored.recordedAt) {
        throw new BundleRefused(`${place}.recorded`, "expected the event that recorded it, as it is stored, got none");
      }
      if (stateWord !== 0n && stateWord !== CANCELLED) {
        throw new BundleRefused(`${place}.state`, "expected an empty word or a cancelled one, got another");
      }
      return { ...shared, stored: null, recorded: null };
    }
    const recorded = this.#recorded(`${place}.recorded`, record.id, key, record.recorded, stored);
    const ascend = (...times: number[]): boolean => times.every((time, i) => i === 0 || times[i - 1]! <= time);
    const inOrder =
      ascend(stored.sealedAt, stored.recordedAt, recorded.timestamp, asOf.timestamp) &&
      ascend(recorded.timestamp, stored.retractedAt || asOf.timestamp, asOf.timestamp) &&
      recorded.number <= asOf.number;
    if (!inOrder || stored.flags & ~BATCHED) {
      throw new BundleRefused(
        `${place}.state`,
        "expected a word that a registry writes: sealed, recorded, retracted, in this order",
      );
    }
    return { ...shared, stored, recorded };
  }

  #key(place: string, record: BundleRecord): RecordKey {
    const key = shaped(`${place}.key`, () => readKey(record.key));
    if (!equal(canonical(key as unknown as Json), canonical(record.key))) {
      throw new BundleRefused(`${place}.key`, "expected the one form of a key, its parents ascending, each once");
    }
    const id = recordId(this.#domain, key);
    if (id !== record.id) {
      throw new BundleRefused(`${place}.key`, `expected the key of ${record.id}, got that of ${id} in this registry`);
    }
    return key;
  }

  #block(place: string, name: Hex): Header {
    this.#used.add(name);
    const block = this.#blocks.get(name);
    if (!block) throw new BundleRefused(place, `expected a block of the bundle, got ${name}`);
    return block;
  }

  /** A storage word of the registry, proven against the block's state. Absence proves 0. */
  #word(place: string, block: Header, slot: Uint8Array): bigint {
    let storage = this.#storage.get(block.hash);
    if (storage === undefined) {
      const account = this.#value(place, block.stateRoot, keccak(fromHex(this.#bundle.registry)));
      if (!account) throw new BundleRefused(place, `block ${block.number} has no account ${this.#bundle.registry}`);
      const read = shaped(place, () => readAccount(account));
      if (this.#codeHash !== undefined && this.#codeHash !== read.code) {
        throw new BundleRefused(place, "expected the same code in every block, as a registry can't change");
      }
      this.#codeHash = read.code;
      this.#storage.set(block.hash, (storage = read.storage));
    }
    const value = this.#value(place, storage, keccak(slot));
    return value ? shaped(place, () => readWord(value)) : 0n;
  }

  #value(place: string, root: Hex, key: Uint8Array): Uint8Array | undefined {
    try {
      return this.#nodes.value(root, key);
    } catch (error) {
      if (error instanceof MissingNode) {
        const roots = [...this.#blocks.values()].flatMap((block) => [block.stateRoot, block.receiptsRoot]);
        const [damaged] = this.#nodes.namedByNone(roots);
        throw new BundleRefused(damaged === undefined ? place : `nodes[${damaged}]`, `${error.message}, for ${place}`);
      }
      if (error instanceof Malformed) {
        throw new BundleRefused(place, `its proof is no Merkle Patricia trie: ${error.message}`);
      }
      throw error;
    }
  }

  /** A log of the registry, proven against the block's receipts. */
  #log(place: string, at: Where): { block: Header; log: ReceiptLog } {
    const block = this.#block(`${place}.block`, at.block);
    const name = `${at.block} ${at.transaction}`;
    let receipt = this.#receipts.get(name);
    if (!receipt) {
      const data = this.#value(place, block.receiptsRoot, indexKey(at.transaction));
      if (!data) {
        throw new BundleRefused(`${place}.transaction`, `block ${block.number} has no transaction ${at.transaction}`);
      }
      this.#receipts.set(name, (receipt = shaped(place, () => readReceipt(data))));
    }
    const log = receipt.logs[at.log];
    if (!log) {
      throw new BundleRefused(`${place}.log`, `expected one of the transaction's ${receipt.logs.length} logs, got ${at.log}`);
    }
    if (toHex(log.emitter) !== this.#bundle.registry) {
      throw new BundleRefused(`${place}.log`, `expected a log of ${this.#bundle.registry}, got one of ${toHex(log.emitter)}`);
    }
    if (![receipt.bloom, block.bloom].every((bloom) => bloomHolds(bloom, [log.emitter, ...log.topics]))) {
      throw new BundleRefused(`${place}.log`, "expected a log that the blooms of its receipt and block hold");
    }
    return { block, log };
  }

  #recorded(place: string, id: Hex, key: RecordKey, at: Where, stored: RecordStatus): Header {
    const { block, log } = this.#log(place, at);
    const data = fromHex(
      encodeAbiParameters(RECORDED_DATA, [
        key.group,
        key.author,
        key.subjectType,
        key.kind,
        `0x${key.manifest}`,
        key.parents,
      ]),
    );
    if (!sameTopics(log, [RECORDED, fromHex(id), fromHex(key.subject)]) || !equal(log.data, data)) {
      throw new BundleRefused(`${place}.log`, `expected the event that recorded ${id}, got another`);
    }
    if (stored.group !== key.group || stored.kind !== key.kind) {
      throw new BundleRefused(place, "the stored word is not of this key's group and kind");
    }
    if (stored.flags & BATCHED) this.#checkMaterialized(place, id, at, stored.recordedAt);
    else if (stored.recordedAt !== block.timestamp) {
      throw new BundleRefused(place, `expected a record of time ${block.timestamp}, got one of ${stored.recordedAt}`);
    }
    return block;
  }

  /** The time of a batched record stands in the next event of the same transaction. */
  #checkMaterialized(place: string, id: Hex, at: Where, time: number): void {
    const { log } = this.#log(place, { ...at, log: at.log + 1 });
    const fits = log.topics.length === 3 && sameTopics({ topics: log.topics.slice(0, 2) }, [MATERIALIZED, fromHex(id)]);
    if (!fits || !equal(log.data, word(time))) {
      throw new BundleRefused(
        `${place}.log`,
        "expected the event that took the record from its batch next to it, with its time",
      );
    }
  }

  #batch(place: string, id: Hex, key: RecordKey, batched: NonNullable<BundleRecord["batched"]>, asOf: Header): ProvenBatch {
    const computed = leadsTo(id, batched.path);
    if (computed !== batched.root) {
      throw new BundleRefused(`${place}.path`, `expected a path to the root ${batched.root}, got one to ${computed}`);
    }
    const batch = storedBatch(this.#word(place, asOf, batchSlot(key.group, key.author, batched.root)));
    const { block, log } = this.#log(`${place}.anchored`, batched.anchored);
    const [event, ...named] = log.topics;
    const isAnchored = event !== undefined && equal(event, ANCHORED);
    const isCounted = event !== undefined && equal(event, LEAVES_ANCHORED);
    const fits =
      sameTopics({ topics: named }, [padded(fromHex(key.author)), fromHex(batched.root)]) &&
      log.data.length === 32 * (isAnchored ? 3 : 2) &&
      toBigInt(log.data.subarray(0, 32)) === BigInt(key.group) &&
      toBigInt(log.data.subarray(32, 64)) === BigInt(batch.count);
    if (!(isAnchored || isCounted) || !fits || batch.counted !== isCounted) {
      throw new BundleRefused(
        `${place}.anchored.log`,
        "expected the event that anchored this root for this group and author",
      );
    }
    if (batch.anchoredAt !== block.timestamp || block.number > asOf.number) {
      throw new BundleRefused(place, `expected a batch of time ${block.timestamp}, of a block up to ${asOf.number}`);
    }
    return { root: batched.root, batch, anchored: block };
  }
}

function checkManifest(place: string, record: BundleRecord, key: RecordKey): Manifest | null {
  if (record.manifest === null) return null;
  const data = canonical(record.manifest);
  const manifest = shaped(`${place}.manifest`, () => parseManifest(data));
  if (manifest.sha256 !== key.manifest) {
    throw new BundleRefused(`${place}.manifest`, `expected a manifest with SHA-256 ${key.manifest}, got ${manifest.sha256}`);
  }
  const [disagreement] = checkAgainstKey(manifest, key);
  if (disagreement) throw new BundleRefused(`${place}.manifest`, `it disagrees with the key: ${disagreement}`);
  return manifest;
}

function readBlock(name: string, header: Hex): Header {
  const place = `blocks.${name}`;
  const block = shaped(place, () => readHeader(fromHex(header)));
  if (block.hash !== name) throw new BundleRefused(place, `expected a header with this Keccak-256, got ${block.hash}`);
  return block;
}

function shaped<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) throw new BundleRefused(place, error.message);
    throw error;
  }
}

const sameTopics = (log: Pick<ReceiptLog, "topics">, expected: readonly Uint8Array[]): boolean =>
  log.topics.length === expected.length && log.topics.every((item, i) => equal(item, expected[i]!));

