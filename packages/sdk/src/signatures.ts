/** Who signed: the account of a signature over a digest, and of a transaction. Sources: EIP-2, EIP-155, EIP-2718. */
import { secp256k1 } from "@noble/curves/secp256k1";
import { toRlp } from "viem/utils";
import { concatBytes, keccak, keccakHex, toBigInt, toHex } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { decodeRlp, Malformed } from "./chain-shapes.ts";

/** A transaction by its own bytes, with the account that signed it. */
export interface SignedTransaction {
  hash: Hex;
  sender: Hex;
  /** null: it made a contract. */
  to: Hex | null;
  data: Uint8Array;
}

/** From this first byte on, a transaction has no type. */
const LEGACY = 0xc0;
const LIST_DEPTH = 6;
/** The number of fields of each type of transaction, and the places of its receiver and data. */
const TYPES: Record<number, readonly [count: number, to: number, data: number]> = {
  1: [11, 4, 6],
  2: [12, 5, 7],
  3: [14, 5, 7],
  4: [13, 5, 7],
};

function recovered(digest: Uint8Array, r: bigint, s: bigint, parity: number): Hex | undefined {
  try {
    const point = new secp256k1.Signature(r, s).addRecoveryBit(parity).recoverPublicKey(digest);
    return toHex(keccak(point.toRawBytes(false).subarray(1)).subarray(12));
  } catch {
    return undefined;
  }
}

/** Return the account that made a signature of 65 bytes, v of 27 or 28; undefined if there is none. `lowS`: only its one form. */
export function signerOf(digest: Uint8Array, signature: Uint8Array, lowS: boolean): Hex | undefined {
  const [r, s, v] = [toBigInt(signature.subarray(0, 32)), toBigInt(signature.subarray(32, 64)), signature[64]!];
  if (signature.length !== 65 || (v !== 27 && v !== 28) || (lowS && s > secp256k1.CURVE.n >> 1n)) return undefined;
  return recovered(digest, r, s, v - 27);
}

/** Whether a transaction is of a type that the account signs that sends it (EIP-2718). */
export const isSigned = (raw: Uint8Array): boolean => raw[0]! >= LEGACY || raw[0]! in TYPES;

/** Read a signed transaction. @throws Malformed if it is none. */
export function readTransaction(raw: Uint8Array): SignedTransaction {
  const type = raw[0]! < LEGACY ? raw[0]! : undefined;
  const shape = type === undefined ? ([9, 3, 5] as const) : TYPES[type];
  const fields = shape && decodeRlp(type === undefined ? raw : raw.subarray(1), LIST_DEPTH);
  if (!shape || !Array.isArray(fields) || fields.length !== shape[0]) throw new Malformed("expected a signed transaction");
  const [v, r, s] = (type === undefined ? fields.slice(6) : fields.slice(-3)).map((item) => {
    if (!(item instanceof Uint8Array) || item.length > 32) throw new Malformed("expected the signature of a transaction");
    return toBigInt(item);
  }) as [bigint, bigint, bigint];
  const chain = type === undefined && v >= 35n ? (v - 35n) >> 1n : undefined;
  const bytes = (number: bigint): Uint8Array => Uint8Array.from(number.toString(16).match(/^.(?=(..)*$)|../g)!.map((it) => parseInt(it, 16)));
  const plain = type === undefined ? fields.slice(0, 6) : fields.slice(0, -3);
  if (chain !== undefined) plain.push(chain ? bytes(chain) : new Uint8Array(), new Uint8Array(), new Uint8Array());
  const parity = type !== undefined ? v : chain === undefined ? v - 27n : (v - 35n) & 1n;
  const encoded = toRlp(plain as Uint8Array[], "bytes");
  const digest = keccak(type === undefined ? encoded : concatBytes(Uint8Array.of(type), encoded));
  const sender = parity === 0n || parity === 1n ? recovered(digest, r, s, Number(parity)) : undefined;
  const [to, data] = [fields[shape[1]], fields[shape[2]]];
  if (!sender || !(to instanceof Uint8Array) || !(data instanceof Uint8Array) || (to.length !== 20 && to.length)) {
    throw new Malformed("expected a signed transaction");
  }
  return { hash: keccakHex(raw), sender, to: to.length ? toHex(to) : null, data };
}
