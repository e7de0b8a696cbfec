/**
 * Key files and the proofs of batched records (docs/formats.md): a record's key with its chain and registry, the way to the
 * root of a batch, and kept receipts. They are claims: the registry's state, or a block that stands, says whether they hold.
 */
import { fromHex, toHex } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { indexKey, Malformed, readHeader, readReceipt, TrieNodes } from "./chain-shapes.ts";
import type { Header, ReceiptLog } from "./chain-shapes.ts";
import { InputError } from "./errors.ts";
import { formatOf, head } from "./formats.ts";
import { canonicalText } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import { leadsTo } from "./merkle.ts";
import { checksummed, readKey, recordId } from "./record.ts";
import type { Domain, RecordKey } from "./record.ts";
import { anything, integer, list, maybe, object, oneOf, text } from "./schema.ts";
import { readTransaction } from "./signatures.ts";
import type { SignedTransaction } from "./signatures.ts";

/** A receipt that was kept, by the header of its block. It counts if the chain has that block. */
export interface Inclusion {
  /** The hash, by the word of who kept it: a receipt holds none. */
  transaction: Hex;
  header: Header;
  /** Its place in the block. */
  index: number;
  logs: ReceiptLog[];
  /** The transaction with this hash, as it was signed; null if it was not kept. */
  sent: SignedTransaction | null;
}

/** A record's key with chain and registry; of a batched record also the root of its batch and the way to it. */
export interface KeyFile {
  domain: Domain & { chainId: bigint; registry: Hex };
  key: RecordKey;
  id: Hex;
  root: Hex | null;
  path: Hex[];
  receipts: Inclusion[];
}

const TREE = "openzeppelin-standard-v1-bytes32";
/** A number of bits below 2^256 as decimal text. */
export const chainIdText = text((value) => /^(0|[1-9][0-9]{0,77})$/.test(value) && BigInt(value) < 1n << 256n, "a chain id as decimal text");
const hash = text(/^0x[0-9a-f]{64}$/, "0x and 64 hex digits");
const hex = text(/^0x([0-9a-f]{2})*$/, "0x and hex digits");
const inclusion = object({ transaction: hash, header: hex, index: integer(0, 2 ** 32 - 1), nodes: list(hex), raw: text((value) => !value || /^0x([0-9a-f]{2})+$/.test(value), "0x and hex digits, or nothing") });
const place = { chainId: chainIdText, registry: text((value) => /^0x[0-9a-fA-F]{40}$/.test(value) && checksummed(value) === value, "an address with its checksum (EIP-55)"), key: anything, receipts: maybe(list(inclusion, 1)) };
const keyFile = object({ ...head("record-key"), ...place });
const proof = object({ ...head("batch-proof"), ...place, tree: oneOf(TREE), root: hash, proof: list(hash) });

/**
 * Read a key file, or the proof of a batched record, of any origin.
 *
 * @throws UnknownVersion if it is of a version that this program does not read.
 * @throws InputError if it is none, or not in its one form, or its path or receipts do not hold together.
 */
export function readKeyFile(value: Json): KeyFile {
  const format = formatOf(value);
  if (format !== "record-key" && format !== "batch-proof") throw new InputError("expected a key file or the proof of a batched record");
  (format === "batch-proof" ? proof : keyFile)(value, "");
  const file = value as JsonObject;
  const key = readKey(file["key"]);
  if (canonicalText(key as unknown as Json) !== canonicalText(file["key"]!)) throw new InputError("key: expected its one form");
  const domain = { chainId: BigInt(file["chainId"] as string), registry: (file["registry"] as string).toLowerCase() as Hex };
  const id = recordId(domain, key);
  const [root, path] = format === "batch-proof" ? [file["root"] as Hex, file["proof"] as Hex[]] : [null, []];
  if (root !== null && leadsTo(id, path) !== root) throw new InputError(`the path does not lead from record ${id} to the root ${root}`);
  const receipts = ((file["receipts"] ?? []) as unknown as Kept[]).map(readInclusion);
  return { domain, key, id, root, path, receipts };
}

interface Kept {
  transaction: Hex;
  header: Hex;
  index: number;
  nodes: Hex[];
  raw: Hex | "";
}

function readInclusion(kept: Kept): Inclusion {
  const header = readHeader(fromHex(kept.header));
  const nodes = new TrieNodes(kept.nodes.map(fromHex));
  const data = nodes.value(header.receiptsRoot, indexKey(kept.index));
  if (!data || nodes.unread.size) throw new Malformed(`expected the path to receipt ${kept.index} of block ${header.number}`);
  const sent = kept.raw ? readTransaction(fromHex(kept.raw)) : null;
  if (sent && sent.hash !== kept.transaction) throw new Malformed(`expected the bytes of transaction ${kept.transaction}`);
  return { transaction: kept.transaction, header, index: kept.index, logs: readReceipt(data).logs, sent };
}

/** Whether logs have one of a registry with these first topics. */
export const holdsLog = (logs: readonly ReceiptLog[], registry: Hex, topics: readonly Hex[]): boolean =>
  logs.some((log) => toHex(log.emitter) === registry && topics.every((topic, i) => log.topics[i] && toHex(log.topics[i]) === topic));
