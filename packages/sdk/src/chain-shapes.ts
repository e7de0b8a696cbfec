/**
 * Decodes what the hash of a block binds: its header, the paths of its tries, accounts and receipts. Everything is refused
 * that no chain makes. Sources: the Ethereum yellow paper, appendices B and D; EIP-2718; the EIPs that added header
 * fields, up to Amsterdam.
 */
import { bytesToHex, equal, keccak, keccakHex, toBigInt, toHex } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { InputError } from "./errors.ts";

const EMPTY_TRIE = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
const NODE_DEPTH = 8;
const RECEIPT_DEPTH = 4;
/** bytes of the longest path inside a node: 64 nibbles and a flag */
const LONGEST_PATH = 33;
const LONGEST_EXTRA = 1 << 14;
/** The year 10,000, Unix seconds. */
export const MAX_TIME = 253_402_300_800;

type Shape = number | "u8" | "u32" | "bytes";
const HEADER: readonly (readonly [string, Shape])[] = [
  ["parentHash", 32], ["sha3Uncles", 32], ["miner", 20], ["stateRoot", 32], ["transactionsRoot", 32],
  ["receiptsRoot", 32], ["logsBloom", 256], ["difficulty", "u32"], ["number", "u8"], ["gasLimit", "u8"],
  ["gasUsed", "u8"], ["timestamp", "u8"], ["extraData", "bytes"], ["mixHash", 32], ["nonce", 8],
  ["baseFeePerGas", "u32"], // London, EIP-1559
  ["withdrawalsRoot", 32], // Shanghai, EIP-4895
  ["blobGasUsed", "u8"], ["excessBlobGas", "u8"], ["parentBeaconBlockRoot", 32], // Cancun, EIP-4844 and EIP-4788
  ["requestsHash", 32], // Prague, EIP-7685
  ["blockAccessListHash", 32], ["slotNumber", "u8"], // Amsterdam, EIP-7928 and EIP-7843
];
const FIELDS_AFTER_A_FORK = new Set([15, 16, 17, 20, 21, 22, 23]);

/** Bytes that no chain makes: the text says what was expected. */
export class Malformed extends InputError {
  override name = "Malformed";
}

/** A node that a path needs and that is not among the nodes. */
export class MissingNode extends Malformed {
  override name = "MissingNode";
}

/** What is needed of a block's header. `timestamp` is in Unix seconds. */
export interface Header {
  hash: Hex;
  number: number;
  timestamp: number;
  stateRoot: Hex;
  receiptsRoot: Hex;
  bloom: Uint8Array;
  unknownFields: number;
}

export interface ReceiptLog {
  emitter: Uint8Array;
  topics: Uint8Array[];
  data: Uint8Array;
}

export interface Receipt {
  bloom: Uint8Array;
  logs: ReceiptLog[];
}

type Item = Uint8Array | Item[];

/** More than the logs of one transaction have that takes a whole block's gas. */
const MOST_ITEMS = 1 << 20;

/** Decode canonical RLP into at most 2^20 bytes and lists that are nested at most `depth` deep. */
export function decodeRlp(data: Uint8Array, depth: number): Item {
  const [item, end] = readItem(data, 0, data.length, depth, { items: MOST_ITEMS });
  if (end !== data.length) throw new Malformed("expected one RLP item, got bytes after it");
  return item;
}

function readItem(data: Uint8Array, at: number, end: number, depth: number, left: { items: number }): [Item, number] {
  if (left.items-- === 0) throw new Malformed(`expected at most ${MOST_ITEMS} RLP items`);
  if (at >= end) throw new Malformed("expected an RLP item, got the end");
  const first = data[at]!;
  if (first < 0x80) return [data.subarray(at, at + 1), at + 1];
  const isList = first >= 0xc0;
  let size = first - (isList ? 0xc0 : 0x80);
  let start = at + 1;
  if (size > 55) {
    const count = size - 55;
    const digits = data.subarray(start, start + count);
    start += count;
    if (start > end || digits[0] === 0) throw new Malformed("expected the shortest form of an RLP length");
    const long = toBigInt(digits);
    if (long <= 55n) throw new Malformed("expected the shortest form of an RLP length");
    if (long > BigInt(end)) throw new Malformed("expected an RLP item, got a part of one");
    size = Number(long);
  }
  const stop = start + size;
  if (stop > end) throw new Malformed("expected an RLP item, got a part of one");
  if (!isList) {
    if (size === 1 && data[start]! < 0x80) throw new Malformed("expected the shortest form of an RLP byte");
    return [data.subarray(start, stop), stop];
  }
  if (depth === 0) throw new Malformed("expected RLP that is not nested so deeply");
  const items: Item[] = [];
  while (start < stop) {
    const [item, next] = readItem(data, start, stop, depth - 1, left);
    items.push(item);
    start = next;
  }
  return [items, stop];
}

function integer(item: Item | undefined, size: number, what: string): bigint {
  if (!(item instanceof Uint8Array) || item.length > size || item[0] === 0) {
    throw new Malformed(`expected ${what} as an integer of at most ${size} bytes without leading zeros`);
  }
  return toBigInt(item);
}

function sized(item: Item | undefined, size: number, what: string): Uint8Array {
  if (!(item instanceof Uint8Array) || item.length !== size) throw new Malformed(`expected ${what} of ${size} bytes`);
  return item;
}

function list(item: Item | undefined, sizes: readonly number[], what: string): Item[] {
  if (!Array.isArray(item) || !sizes.includes(item.length)) throw new Malformed(`expected ${what}`);
  return item;
}

/** Decode a block header of any fork up to Amsterdam, or of a later one with more fields. */
export function readHeader(data: Uint8Array): Header {
  const fields = decodeRlp(data, NODE_DEPTH);
  if (!Array.isArray(fields) || (!FIELDS_AFTER_A_FORK.has(fields.length) && fields.length <= HEADER.length)) {
    throw new Malformed("expected the fields of a block header of a known fork");
  }
  const values: Record<string, Uint8Array> = {};
  HEADER.slice(0, fields.length).forEach(([name, shape], i) => {
    const field = fields[i]!;
    if (typeof shape === "number") values[name] = sized(field, shape, name);
    else if (shape !== "bytes") {
      integer(field, Number(shape.slice(1)), name);
      values[name] = field as Uint8Array;
    } else if (!(field instanceof Uint8Array) || field.length > LONGEST_EXTRA) {
      throw new Malformed(`expected ${name} of at most ${LONGEST_EXTRA} bytes`);
    }
  });
  const [number, timestamp] = [toBigInt(values["number"]!), toBigInt(values["timestamp"]!)];
  if (timestamp >= BigInt(MAX_TIME) || number >= 2n ** 53n) {
    throw new Malformed("expected a time before the year 10,000 and a number below 2^53");
  }
  return {
    hash: keccakHex(data),
    number: Number(number),
    timestamp: Number(timestamp),
    stateRoot: toHex(values["stateRoot"]!),
    receiptsRoot: toHex(values["receiptsRoot"]!),
    bloom: values["logsBloom"]!,
    unknownFields: Math.max(fields.length - HEADER.length, 0),
  };
}

/** Decode an account: its storage root and the Keccak-256 of its code. */
export function readAccount(data: Uint8Array): { storage: Hex; code: Hex } {
  const [nonce, balance, root, code] = list(decodeRlp(data, 1), [4], "an account: nonce, balance, storage root and code");
  integer(nonce, 8, "a nonce");
  integer(balance, 32, "a balance");
  return { storage: toHex(sized(root, 32, "a storage root")), code: toHex(sized(code, 32, "a code hash")) };
}

/** Decode a storage word. Zero is not stored: its proof is the absence of the key. */
export function readWord(data: Uint8Array): bigint {
  const word = integer(decodeRlp(data, 0), 32, "a storage word");
  if (!word) throw new Malformed("expected a storage word that is not zero");
  return word;
}

/** Decode a receipt of a transaction that succeeded, of any type. */
export function readReceipt(data: Uint8Array): Receipt {
  if (data[0] === 0) throw new Malformed("expected a receipt's type, got 0");
  const item = decodeRlp(data[0]! < 0x80 ? data.subarray(1) : data, RECEIPT_DEPTH);
  // deposits of the OP Stack have one or two integers more
  const [status, gas, bloom, logs, ...more] = list(item, [4, 5, 6], "a receipt of four fields");
  if (!(status instanceof Uint8Array) || !equal(status, Uint8Array.of(1))) {
    throw new Malformed("expected the receipt of a transaction that succeeded");
  }
  for (const number of [gas, ...more]) integer(number, 8, "a receipt's integer");
  if (!Array.isArray(logs)) throw new Malformed("expected a list of logs");
  return { bloom: sized(bloom, 256, "a bloom filter"), logs: logs.map(readLog) };
}

function readLog(item: Item): ReceiptLog {
  const [emitter, topics, data] = list(item, [3], "a log: emitter, topics and data");
  if (!(data instanceof Uint8Array)) throw new Malformed("expected a log's data as bytes");
  const named = list(topics, [0, 1, 2, 3, 4], "at most four topics");
  return { emitter: sized(emitter, 20, "an emitter"), topics: named.map((topic) => sized(topic, 32, "a topic")), data };
}

/** Encode the index of a transaction as the key of its receipt: RLP of an integer. */
export function indexKey(index: number): Uint8Array {
  const digits: number[] = [];
  for (let rest = index; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return index > 0 && index < 0x80 ? Uint8Array.from(digits) : Uint8Array.from([0x80 + digits.length, ...digits]);
}

/** Return whether a bloom filter of logs has the three bits of each value (yellow paper, section 4.3.1). */
export function bloomHolds(bloom: Uint8Array, values: readonly Uint8Array[]): boolean {
  return values.every((value) => {
    const hash = keccak(value);
    return [0, 2, 4].every((at) => {
      const bit = ((hash[at]! << 8) | hash[at + 1]!) & 2047;
      return (bloom[255 - (bit >> 3)]! >> (bit & 7)) & 1;
    });
  });
}

/** The nodes of Merkle Patricia tries by their Keccak-256. Each is decoded at most once. */
export class TrieNodes {
  readonly unread: Set<number>;
  readonly #nodes: Map<Hex, [number, Uint8Array]>;
  readonly #decoded = new Map<Hex, Item[]>();

  constructor(nodes: readonly Uint8Array[]) {
    this.#nodes = new Map(nodes.map((node, index) => [keccakHex(node), [index, node]]));
    this.unread = new Set(nodes.keys());
  }

  /** Return the value of a key in the trie under `root`, or nothing if the trie proves that it has no such key. */
  value(root: Hex, key: Uint8Array): Uint8Array | undefined {
    const path = bytesToHex(key);
    let at = 0;
    let child: Item | Hex = root;
    if (root === EMPTY_TRIE) return undefined;
    for (;;) {
      if (child.length === 0) return undefined;
      const node: Item[] = Array.isArray(child) ? child : this.#node(typeof child === "string" ? child : toHex(child));
      if (node.length === 17) {
        if (at === path.length) return undefined;
        child = node[parseInt(path[at]!, 16)]!;
        at++;
        continue;
      }
      const { isLeaf, part } = pathIn(node);
      if (isLeaf) return path.slice(at) === part ? (node[1] as Uint8Array) : undefined;
      if (!path.startsWith(part, at)) return undefined;
      child = node[1]!;
      at += part.length;
    }
  }

  /** List the nodes that neither a root nor another node names. If the nodes are damaged, these are. */
  namedByNone(roots: readonly Hex[]): number[] {
    const named = new Set<string>(roots);
    for (const [, node] of this.#nodes.values()) {
      for (let at = node.indexOf(0xa0); at >= 0; at = node.indexOf(0xa0, at + 1)) {
        named.add(toHex(node.subarray(at + 1, at + 33)));
      }
    }
    return [...this.#nodes].filter(([name]) => !named.has(name)).map(([, [index]]) => index).sort((a, b) => a - b);
  }

  #node(name: Hex): Item[] {
    const before = this.#decoded.get(name);
    if (before) return before;
    const found = this.#nodes.get(name);
    if (!found) throw new MissingNode(`a node of a proof is missing, with Keccak-256 ${name}`);
    this.unread.delete(found[0]);
    const node = checkedNode(decodeRlp(found[1], NODE_DEPTH));
    this.#decoded.set(name, node);
    return node;
  }
}

function checkedNode(item: Item): Item[] {
  const node = list(item, [2, 17], "a trie node of 2 or 17 items");
  let children: Item[];
  if (node.length === 17) {
    children = node.slice(0, 16);
    // no key of these tries is the beginning of another
    if (Array.isArray(node[16]) || node[16]!.length) throw new Malformed("expected a branch without a value");
  } else {
    const { isLeaf, part } = pathIn(node);
    const [, held] = node;
    children = isLeaf ? [] : [held!];
    const wrongLeaf = isLeaf && !(held instanceof Uint8Array && held.length);
    const wrongExtension = !isLeaf && (!part || (held instanceof Uint8Array && !held.length));
    if (wrongLeaf || wrongExtension) throw new Malformed("expected a leaf with a value, or an extension with a path");
  }
  for (const child of children) {
    if (Array.isArray(child)) checkedNode(child);
    else if (child.length !== 0 && child.length !== 32) throw new Malformed("expected a child by its hash");
  }
  return node;
}

/** Read the path in a leaf or extension (hex-prefix encoding, appendix C). */
function pathIn(node: Item[]): { isLeaf: boolean; part: string } {
  const prefix = node[0];
  if (!(prefix instanceof Uint8Array) || !prefix.length || prefix.length > LONGEST_PATH || prefix[0]! >= 0x40) {
    throw new Malformed("expected a path in a trie node");
  }
  const isOdd = (prefix[0]! & 0x10) !== 0;
  if (!isOdd && prefix[0]! & 0x0f) throw new Malformed("expected a path in a trie node");
  return { isLeaf: prefix[0]! >= 0x20, part: bytesToHex(prefix).slice(isOdd ? 1 : 2) };
}
