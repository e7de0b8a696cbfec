/**
 * Receipts of witnesses of time (docs/formats.md): that something was there before a time. Nothing of a receipt chooses what
 * it counts by: a Bitcoin block counts by its hash, which the verifier trusts. Sources: OpenTimestamps, RFC 9162.
 */
import { byBytes, bytesToHex, compare, concatBytes, equal, fromHex, sha256, sha256Hex, utf8ToBytes } from "./bytes.ts";
import { InputError } from "./errors.ts";
import { formatOf, head } from "./formats.ts";
import { canonicalText, depthOf, MAX_DEPTH } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import { readKeyFile } from "./key-file.ts";
import { integer, list, maybe, object, text } from "./schema.ts";
import { when } from "./storage.ts";

/** How a receipt stands: it holds by something that was chosen, or fits together, or is a promise, or is wrong, or is not checked. */
export type WitnessStanding = "verified" | "consistent" | "pending" | "refused" | "unknown";

/** What one witness says. `notAfter` is in Unix seconds, and null unless it is verified. */
export interface WitnessTime {
  who: string;
  standing: WitnessStanding;
  detail: string;
  notAfter: number | null;
}

/** A receipt that is in its one form. What it proves is not judged yet. */
export interface WitnessReceipt {
  kind: "opentimestamps" | "rfc3161" | "registry";
  /** What was stamped: a text, or `sha256:` and the digest of a file. */
  subject: string;
  /** The SHA-256 that the witness saw. */
  stamped: string;
  /** Bytes, or of a second chain what should be a key file. */
  proof: Uint8Array | Json;
  headers: Uint8Array[];
}

const MAX_PROOF = 16 << 10;
const BYTES = "sha256:";
const digest = text(/^[0-9a-f]{64}$/, "a SHA-256 of 64 hex digits");
const place = integer(0, 2 ** 32 - 1);
const shared = {
  subject: text((value) => /^[!-~]{1,512}$/.test(value) && (!value.startsWith(BYTES) || /^sha256:[0-9a-f]{64}$/.test(value)), "1 to 512 visible ASCII characters, or sha256: and 64 hex digits"),
  from: maybe(text((value) => value.length > 0 && [...value].length <= 200, "1 to 200 characters")),
  tree: maybe(object({ index: place, size: place, path: list(digest, 0, 40) })),
};
const proof = text((value) => base64(value) !== undefined, "base64");
const RULES = {
  "witness-opentimestamps": object({ ...head("witness-opentimestamps"), ...shared, proof, headers: maybe(list(text(/^[0-9a-f]{160}$/, "160 hex digits"), 1, 8)) }),
  "witness-rfc3161": object({ ...head("witness-rfc3161"), ...shared, proof }),
  "witness-registry": object({ ...head("witness-registry"), ...shared, record: () => undefined }),
} as const;

/** Read base64 in its one form; undefined if it is none. */
export function base64(value: string): Uint8Array | undefined {
  try {
    const letters = atob(value);
    return btoa(letters) === value ? Uint8Array.from(letters, (letter) => letter.charCodeAt(0)) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Read a receipt of any origin.
 *
 * @throws UnknownVersion if it is of a version that this program does not read.
 * @throws InputError if it is none, or not in its one form.
 */
export function readReceiptOfWitness(value: Json): WitnessReceipt {
  const format = formatOf(value);
  if (!format || !(format in RULES)) throw new InputError("expected the receipt of a witness");
  if (depthOf(canonicalText(value)) > MAX_DEPTH) throw new InputError("expected a receipt that is not nested so deeply");
  RULES[format as keyof typeof RULES](value, "");
  const receipt = value as JsonObject;
  const kind = format.slice("witness-".length) as WitnessReceipt["kind"];
  const given = kind === "registry" ? receipt["record"]! : base64(receipt["proof"] as string)!;
  const size = given instanceof Uint8Array ? given.length : utf8ToBytes(canonicalText(given)).length;
  if (!size || size > MAX_PROOF) throw new InputError(`expected a proof of at most ${MAX_PROOF} bytes, got ${size}`);
  const subject = receipt["subject"] as string;
  const own = subject.startsWith(BYTES) ? subject.slice(BYTES.length) : sha256Hex(utf8ToBytes(subject));
  const tree = receipt["tree"] as unknown as Branch | undefined;
  const headers = ((receipt["headers"] ?? []) as string[]).map(fromHex);
  return { kind, subject, stamped: tree ? rootOf(own, tree) : own, proof: given, headers };
}

interface Branch {
  index: number;
  size: number;
  path: string[];
}

/** Follow an inclusion proof (RFC 9162, section 2.1.3.2). */
function rootOf(leaf: string, { index, size, path }: Branch): string {
  if (index >= size || size < 2) throw new InputError(`expected a place in a tree of 2 leaves or more, got ${index} of ${size}`);
  let [at, last] = [index, size - 1];
  let node = sha256(concatBytes(Uint8Array.of(0), fromHex(leaf)));
  for (const sibling of path.map(fromHex)) {
    if (!last) throw new InputError(`expected the path of leaf ${index} of ${size}, got one that is too long`);
    const isLeft = at % 2 === 1 || at === last;
    node = sha256(concatBytes(Uint8Array.of(1), ...(isLeft ? [sibling, node] : [node, sibling])));
    while (isLeft && at && at % 2 === 0) [at, last] = [at / 2, Math.floor(last / 2)];
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  if (last) throw new InputError(`expected the path of leaf ${index} of ${size}, got one that is too short`);
  return bytesToHex(node);
}

/** The name of a token of RFC 3161 and of what it should be of, among those that were judged. */
export const tokenName = ({ stamped, proof }: WitnessReceipt): string => `${stamped}/${sha256Hex(proof as Uint8Array)}`;

/**
 * Judge a receipt that was read.
 *
 * @param bitcoinBlocks hashes of Bitcoin blocks that the verifier trusts, as they are usually written.
 * @param tokens what was found of tokens of RFC 3161: `judgeTokens` of `@blockchaintracer/sdk/rfc3161`.
 */
export function judgeReceipt(receipt: WitnessReceipt, bitcoinBlocks: ReadonlySet<string> = new Set(), tokens: ReadonlyMap<string, WitnessTime> = new Map()): WitnessTime[] {
  const say = (who: string, standing: WitnessStanding, detail: string, notAfter: number | null = null): WitnessTime[] => [{ who, standing, detail, notAfter }];
  if (receipt.kind === "rfc3161") {
    const judged = tokens.get(tokenName(receipt));
    if (judged) return [judged];
    return say("an authority (RFC 3161)", "unknown", "not checked, nor whether it is forged: `judgeTokens` of `@blockchaintracer/sdk/rfc3161` does, and `blockchaintracer verify --proof`");
  }
  try {
    if (receipt.kind === "opentimestamps") {
      const stamps = new Calendar(receipt.proof as Uint8Array).read(receipt.stamped);
      return stamps.flatMap((stamp) => timeOf(stamp, receipt.headers, bitcoinBlocks));
    }
    const file = readKeyFile(receipt.proof as Json);
    if (file.key.subject !== receipt.stamped) throw new InputError(`expected a record of ${receipt.stamped}, got one of ${file.key.subject}`);
    const { chainId, registry } = file.domain;
    if (receipt.subject.startsWith(`eip155:${chainId}:`)) throw new InputError(`expected a witness on another chain than ${chainId}`);
    return say(`record ${file.id} in registry ${registry} on chain ${chainId}`, "consistent", `no node of chain ${chainId} was asked`);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return say(receipt.kind === "registry" ? "a second chain" : "OpenTimestamps", "refused", error.message);
  }
}

// -- OpenTimestamps

const MAGIC = concatBytes(Uint8Array.of(0), utf8ToBytes("OpenTimestamps"), fromHex("0000"), utf8ToBytes("Proof"), fromHex("00bf89e2e884e89294"));
const PENDING = "83dfe30d2ef90c8e";
const BITCOIN = "0588960d73d71901";
/** Of Litecoin and Ethereum: a number, too, and nothing rests on them here. */
const OTHER_CHAINS = ["06869a0d73d71b45", "30fe8087b5c7ead7"];
const SHA256 = 0x08;
const APPEND = 0xf0;
const PREPEND = 0xf1;
const MOST_ATTESTATIONS = 32;
const MAX_NESTING = 255;
const LONGEST_MESSAGE = 4096;

interface Attestation {
  message: Uint8Array;
  tag: string;
  /** of what is sorted: the height, the address in bytes, or the whole */
  value: bigint | Uint8Array;
}

/** Reads a detached timestamp file of SHA-256 in its one form: attestations and operations ascend, each once. */
class Calendar {
  readonly #data: Uint8Array;
  readonly #found: Attestation[] = [];
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  read(stamped: string): Attestation[] {
    if (!equal(this.#take(MAGIC.length), MAGIC) || this.#number() !== 1n) throw new InputError("expected an OpenTimestamps proof of version 1");
    if (this.#take(1)[0] !== SHA256) throw new InputError("expected a proof of a SHA-256");
    const message = this.#take(32);
    if (bytesToHex(message) !== stamped) throw new InputError(`expected a proof of ${stamped}, got one of ${bytesToHex(message)}`);
    this.#stamp(message, 0);
    if (this.#at !== this.#data.length) throw new InputError("expected an OpenTimestamps proof, got bytes after it");
    return this.#found;
  }

  #stamp(message: Uint8Array, depth: number): void {
    if (depth > MAX_NESTING) throw new InputError("expected an OpenTimestamps proof, got one that is nested too deeply");
    let before: Attestation | undefined;
    let operation: Uint8Array | undefined;
    for (let more = true; more; ) {
      let [tag] = this.#take(1);
      more = tag === 0xff;
      if (more) [tag] = this.#take(1);
      if (tag === 0) {
        const now = this.#attestation(message);
        if (operation || (before && compareAttestations(before, now) >= 0)) throw notOneForm();
        before = now;
        continue;
      }
      const argument = tag === APPEND || tag === PREPEND ? this.#bytes(LONGEST_MESSAGE) : undefined;
      if (argument ? !argument.length : tag !== SHA256) throw new InputError("expected a proof by SHA-256, append and prepend alone");
      const now = concatBytes(Uint8Array.of(tag!), argument ?? new Uint8Array());
      if (operation && compare(operation, now) >= 0) throw notOneForm();
      operation = now;
      const next = !argument ? sha256(message) : tag === APPEND ? concatBytes(message, argument) : concatBytes(argument, message);
      if (next.length > LONGEST_MESSAGE) throw new InputError(`expected a proof of messages of at most ${LONGEST_MESSAGE} bytes`);
      this.#stamp(next, depth + 1);
    }
  }

  #attestation(message: Uint8Array): Attestation {
    const tag = bytesToHex(this.#take(8));
    const payload = this.#bytes(8192);
    const inner = new Calendar(payload);
    let value: bigint | Uint8Array = payload;
    if (tag === PENDING) {
      value = inner.#bytes(1000);
      if (value.some((code) => !/[A-Za-z0-9\-._/:]/.test(String.fromCharCode(code)))) throw new InputError("expected the address of a calendar");
    } else if (tag === BITCOIN || OTHER_CHAINS.includes(tag)) value = inner.#number();
    if (value !== payload && inner.#at !== payload.length) throw new InputError("expected an attestation, got bytes after it");
    if (tag === BITCOIN && (value as bigint) >= 1n << 31n) throw new InputError("expected the height of a Bitcoin block, got a number that none has");
    const found = { message, tag, value };
    if (this.#found.push(found) > MOST_ATTESTATIONS) throw new InputError(`expected a proof with at most ${MOST_ATTESTATIONS} attestations`);
    return found;
  }

  #take(size: number): Uint8Array {
    const part = this.#data.subarray(this.#at, this.#at + size);
    if (part.length !== size) throw new InputError("expected an OpenTimestamps proof, got a part of one");
    this.#at += size;
    return part;
  }

  #bytes(most: number): Uint8Array {
    const size = this.#number();
    if (size > BigInt(most)) throw new InputError(`expected at most ${most} bytes in an OpenTimestamps proof`);
    return this.#take(Number(size));
  }

  /** A number in LEB128, in its shortest form. */
  #number(): bigint {
    const groups: string[] = [];
    for (;;) {
      const byte = this.#take(1)[0]!;
      groups.push((byte & 0x7f).toString(2).padStart(7, "0"));
      if (byte >= 0x80) continue;
      if (!byte && groups.length > 1) throw notOneForm();
      // at once: by shifts the time would grow with the square of a stranger's length
      return BigInt(`0b${groups.reverse().join("")}`);
    }
  }
}

const notOneForm = (): InputError => new InputError("expected the one form of an OpenTimestamps proof, got another one");

function compareAttestations(one: Attestation, other: Attestation): number {
  if (one.tag !== other.tag) return byBytes(one.tag, other.tag);
  if (typeof one.value === "bigint") return one.value < (other.value as bigint) ? -1 : one.value > (other.value as bigint) ? 1 : 0;
  return compare(one.value, other.value as Uint8Array);
}

/** How far a miner's clock may be ahead (`MAX_FUTURE_BLOCK_TIME` of Bitcoin Core), in seconds. */
const AHEAD_S = 7200;
const EASIEST = 0x1d00ffffn;

function timeOf({ message, tag, value }: Attestation, shown: readonly Uint8Array[], trusted: ReadonlySet<string>): WitnessTime[] {
  const say = (who: string, standing: WitnessStanding, detail: string, notAfter: number | null = null): WitnessTime[] => [{ who, standing, detail, notAfter }];
  if (tag === PENDING) {
    return say(`calendar ${new TextDecoder().decode(value as Uint8Array)}`, "pending", "it promised to put it into Bitcoin, which proves nothing yet");
  }
  if (tag !== BITCOIN) return say("OpenTimestamps", "consistent", "it names a witness that this version does not know, and nothing rests on it");
  const who = `Bitcoin block ${value as bigint}`;
  const header = shown.find((it) => trusted.has(blockHash(it)));
  if (!header) return say(who, "consistent", shown[0] ? `you do not trust the block ${blockHash(shown[0])}` : "no header of a block that you trust is here");
  if (!equal(header.subarray(36, 68), message)) return say(who, "refused", "the header whose hash you trust does not hold it: its Merkle root is another");
  if (!hasWork(header)) return say(who, "refused", "the header whose hash you trust does not count: it shows no work");
  const time = new DataView(header.buffer, header.byteOffset).getUint32(68, true);
  const detail = `mined ${when(time)} by the miner's clock, which may be two hours ahead; you trust the hash of its header`;
  return say(`Bitcoin block ${blockHash(header)}`, "verified", detail, time + AHEAD_S);
}

const blockHash = (header: Uint8Array): string => bytesToHex(sha256(sha256(header)).reverse());

/** Whether the hash of a header is as low as its own target, which is one that Bitcoin allows. */
function hasWork(header: Uint8Array): boolean {
  const target = targetOf(BigInt(new DataView(header.buffer, header.byteOffset).getUint32(72, true)));
  return target > 0n && target <= targetOf(EASIEST) && BigInt(`0x${blockHash(header)}`) <= target;
}

function targetOf(bits: bigint): bigint {
  const [size, word] = [bits >> 24n, bits & 0x7fffffn];
  if (bits & 0x800000n || size > 34n) return 0n;
  return size > 3n ? word << (8n * (size - 3n)) : word >> (8n * (3n - size));
}
