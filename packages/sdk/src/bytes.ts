/** Bytes, hex and hashes. */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

export type Hex = `0x${string}`;

export { bytesToHex, concatBytes, hexToBytes, sha256, utf8ToBytes };

export const keccak = (data: Uint8Array): Uint8Array => keccak_256(data);
export const toHex = (data: Uint8Array): Hex => `0x${bytesToHex(data)}`;
/** Read hex digits with or without `0x`. */
export const fromHex = (text: string): Uint8Array => hexToBytes(text.startsWith("0x") ? text.slice(2) : text);
export const keccakHex = (data: Uint8Array): Hex => toHex(keccak(data));
export const sha256Hex = (data: Uint8Array): string => bytesToHex(sha256(data));

/** Write a whole number as `size` bytes, big-endian. */
export function word(value: bigint | number, size = 32): Uint8Array {
  return hexToBytes(BigInt(value).toString(16).padStart(size * 2, "0"));
}

/** Read bytes as a whole number, big-endian. */
export const toBigInt = (data: Uint8Array): bigint => (data.length ? BigInt(toHex(data)) : 0n);

/** Put zeros before bytes until they are 32. */
export function padded(data: Uint8Array): Uint8Array {
  const made = new Uint8Array(32);
  made.set(data, 32 - data.length);
  return made;
}

/** Order bytes: negative if the first come first. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const size = Math.min(a.length, b.length);
  for (let i = 0; i < size; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** Order texts by code points, as by their UTF-8 bytes. JavaScript compares UTF-16 units. */
export const byBytes = (a: string, b: string): number => compare(utf8ToBytes(a), utf8ToBytes(b));

export const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && compare(a, b) === 0;
