/** What a record is: its key, its id and what a seal shows of it. No network. */
import {
  domainName,
  domainVersion,
  types as eip712Types,
} from "@blockchaintracer/contracts";
import { bytesToHex, concatBytes, fromHex, keccak, padded, toHex, utf8ToBytes, word } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { InputError } from "./errors.ts";
import { isObject } from "./json.ts";

/** An edge of the lineage. */
export interface Link {
  parent: Hex;
  relation: number;
}

/** Everything that identifies a record. `subject` and `manifest` are SHA-256, 64 hex digits without `0x`. */
export interface RecordKey {
  group: number;
  author: Hex;
  subjectType: number;
  subject: string;
  kind: number;
  manifest: string;
  parents: Link[];
}

/** A registry on a chain: the EIP-712 domain of its ids. */
export interface Domain {
  chainId: bigint | number;
  registry: string;
}

const MAX_PARENTS = 1024;
type Fields = readonly { readonly type: string; readonly name: string }[];
const TYPES: Readonly<Record<string, Fields>> = eip712Types;
const DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";

/** Return a whole number below 2^bits, or refuse. */
export function unsigned(value: unknown, bits: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || Object.is(value, -0) || value < 0 || value >= 2 ** bits) {
    throw new InputError(`expected a whole number below 2^${bits}, got ${shown(value)}`);
  }
  return value;
}

function digits(value: unknown, what: string): string {
  const text = typeof value === "string" ? value.toLowerCase().replace(/^0x/, "") : "";
  if (!/^[0-9a-f]{64}$/.test(text)) throw new InputError(`expected a ${what} of 64 hex digits, got ${shown(value)}`);
  return text;
}

/** A value as text. A stranger's object can say that it has no text, by a field `toString`. */
const shown = (value: unknown): string => (typeof value === "object" || typeof value === "string" ? JSON.stringify(value) : String(value)).slice(0, 80);

/** Return a record id, or another hash of the chain, as `0x` and 64 digits in lower case. */
export const normalId = (value: unknown, what = "record id"): Hex => `0x${digits(value, what)}`;
/** Return a SHA-256 as 64 digits in lower case. */
export const normalDigest = (value: unknown, what = "SHA-256"): string => digits(value, what);

/** Return an address in lower case. With capitals among small letters its checksum (EIP-55) has to be right. */
export function normalAddress(value: unknown, what = "an address"): Hex {
  if (typeof value !== "string" || !/^(0x)?[0-9a-fA-F]{40}$/i.test(value)) {
    throw new InputError(`expected ${what}, 0x and 40 hex digits, got ${shown(value)}`);
  }
  const given = value.slice(-40);
  const lower = given.toLowerCase();
  if (given !== lower && given !== given.toUpperCase() && checksummed(lower).slice(2) !== given) {
    throw new InputError(`expected ${what} with its checksum (EIP-55), got ${value}`);
  }
  return `0x${lower}`;
}

/** Return an address of 40 hex digits with its checksum (EIP-55). */
export function checksummed(address: string): Hex {
  const lower = address.slice(-40).toLowerCase();
  const hash = bytesToHex(keccak(utf8ToBytes(lower)));
  return `0x${[...lower].map((letter, i) => (parseInt(hash[i]!, 16) > 7 ? letter.toUpperCase() : letter)).join("")}`;
}

/** Read a key of any origin and return its one form: parents ascend, each once. */
export function readKey(value: unknown): RecordKey {
  if (!isObject(value) || !Array.isArray(value["parents"])) {
    throw new InputError(`expected a record key with a list of parents, got ${shown(value)}`);
  }
  if (value["parents"].length > MAX_PARENTS) throw new InputError(`expected at most ${MAX_PARENTS} parents`);
  const parents = value["parents"].map((link) => {
    if (!isObject(link)) throw new InputError(`expected a parent and its relation, got ${shown(link)}`);
    return { parent: normalId(link["parent"], "parent's record id"), relation: unsigned(link["relation"], 8) };
  });
  return {
    group: unsigned(value["group"], 32),
    author: normalAddress(value["author"]),
    subjectType: unsigned(value["subjectType"], 8),
    subject: normalDigest(value["subject"], "subject"),
    kind: unsigned(value["kind"], 8),
    manifest: normalDigest(value["manifest"], "manifest digest"),
    parents: sortedLinks(parents),
  };
}

/** Links in the registry's order, each once. */
export function sortedLinks(links: readonly Link[]): Link[] {
  // hex digits in lower case are in the order of their bytes
  const sorted = [...links].sort((a, b) => (a.parent < b.parent ? -1 : a.parent > b.parent ? 1 : a.relation - b.relation));
  return sorted.filter((link, i) => {
    const before = sorted[i - 1];
    return !before || before.parent !== link.parent || before.relation !== link.relation;
  });
}

function encodeType(name: string): string {
  const needed = new Set<string>();
  const collect = (type: string): void => {
    for (const field of TYPES[type]!) {
      const inner = field.type.replace(/\[\]$/, "");
      if (inner in TYPES && !needed.has(inner)) {
        needed.add(inner);
        collect(inner);
      }
    }
  };
  collect(name);
  const written = (type: string): string => `${type}(${TYPES[type]!.map((field) => `${field.type} ${field.name}`).join(",")})`;
  return [name, ...[...needed].sort()].map(written).join("");
}

function encodeField(type: string, value: unknown): Uint8Array {
  if (type.endsWith("[]")) {
    return keccak(concatBytes(...(value as unknown[]).map((item) => encodeField(type.slice(0, -2), item))));
  }
  if (type in TYPES) return hashStruct(type, value as Record<string, unknown>);
  if (type === "string") return keccak(utf8ToBytes(value as string));
  if (type.startsWith("uint")) return word(value as bigint | number);
  return padded(fromHex(value as string));
}

const typeHashes = new Map<string, Uint8Array>();

function typeHash(type: string): Uint8Array {
  const hash = typeHashes.get(type) ?? keccak(utf8ToBytes(encodeType(type)));
  typeHashes.set(type, hash);
  return hash;
}

/** EIP-712's hashStruct of a type of the contracts. */
export function hashStruct(type: string, message: Readonly<Record<string, unknown>>): Uint8Array {
  const fields = TYPES[type]!.map((field) => encodeField(field.type, message[field.name]));
  return keccak(concatBytes(typeHash(type), ...fields));
}

/** The EIP-712 domain separator of a registry. */
export function domainSeparator(domain: Domain): Uint8Array {
  const text = (value: string): Uint8Array => keccak(utf8ToBytes(value));
  return keccak(
    concatBytes(
      text(DOMAIN_TYPE),
      text(domainName),
      text(domainVersion),
      word(domain.chainId),
      padded(fromHex(domain.registry)),
    ),
  );
}

/** The EIP-712 digest of a message: what a wallet signs. */
export function typedDigest(domain: Domain, type: string, message: Readonly<Record<string, unknown>>): Uint8Array {
  return keccak(concatBytes(Uint8Array.of(0x19, 0x01), domainSeparator(domain), hashStruct(type, message)));
}

/** Compute the id of a key in a registry. It is known before the record is stored. */
export function recordId(domain: Domain, key: RecordKey): Hex {
  return toHex(typedDigest(domain, "Record", { ...readKey(key) }));
}

/** Return an id with its chain and registry: `eip155:CHAIN:REGISTRY/ID`. */
export function globalId(domain: Domain, id: string): string {
  return `eip155:${BigInt(domain.chainId)}:${normalAddress(domain.registry)}/${normalId(id)}`;
}

/** Read what `globalId` writes. */
export function parseGlobalId(text: string): { chainId: bigint; registry: Hex; id: Hex } {
  const match = /^eip155:(0|[1-9][0-9]{0,76}):(0x[0-9a-fA-F]{40})\/(0x[0-9a-fA-F]{64})$/.exec(text.trim());
  if (!match) throw new InputError(`expected eip155:CHAIN:REGISTRY/ID, got ${shown(text)}`);
  return { chainId: BigInt(match[1]!), registry: normalAddress(match[2]), id: normalId(match[3]) };
}

/** What a seal shows of a record. The salt is 32 random bytes. */
export function recordCommitment(id: string, salt: string): Hex {
  return toHex(hashStruct("RecordCommitment", { recordId: normalId(id), salt: normalId(salt, "salt") }));
}

/** What a seal shows of a verdict. `evidence` is a record id, or null. */
export function verdictCommitment(verdict: {
  group: number;
  attester: string;
  recordId: string;
  verdict: number;
  evidence: string | null;
  salt: string;
}): Hex {
  const evidence = verdict.evidence ?? toHex(new Uint8Array(32));
  return toHex(hashStruct("VerdictCommitment", { ...verdict, evidence }));
}

