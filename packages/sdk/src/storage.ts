/** Where a registry keeps its words in storage, and what they say (contracts/types). */
import { statuses } from "@blockchaintracer/contracts";
import { concatBytes, fromHex, keccak, word } from "./bytes.ts";

export type Status = keyof typeof statuses;

/** The registry's slot of a record. Times are Unix seconds, 0 for never. The counters count groups, not people. */
export interface RecordStatus {
  group: number;
  kind: number;
  status: Status;
  flags: number;
  recordedAt: number;
  retractedAt: number;
  sealedAt: number;
  reviewed: number;
  reproduced: number;
  notReproduced: number;
  disputed: number;
}

/** A batch. `counted` says whether the registry counted its records, or its author did. */
export interface Batch {
  anchoredAt: number;
  count: number;
  counted: boolean;
  endedAt: number;
}

const RECORDS_SLOT = 8;
const BATCHES_SLOT = 12;
/** The whole word of a record that was cancelled and is not stored. */
export const CANCELLED = 2n << 160n;

/** Read the layout of contracts/types/RecordSlot.sol. */
export function storedRecord(stored: bigint): RecordStatus {
  const bits = (start: number, width: number): number => Number((stored >> BigInt(start)) & ((1n << BigInt(width)) - 1n));
  const [recordedAt, retractedAt, flags] = [bits(0, 40), bits(40, 40), bits(160, 8)];
  const status = recordedAt ? (retractedAt ? "retracted" : "recorded") : flags & 2 ? "cancelled" : "unknown";
  return {
    group: bits(120, 32),
    kind: bits(152, 8),
    status,
    flags,
    recordedAt,
    retractedAt,
    sealedAt: bits(80, 40),
    reviewed: bits(168, 22),
    reproduced: bits(190, 22),
    notReproduced: bits(212, 22),
    disputed: bits(234, 22),
  };
}

/** Read the layout of contracts/types/BatchSlot.sol. */
export function storedBatch(stored: bigint): Batch {
  const bits = (start: number, width: number): number => Number((stored >> BigInt(start)) & ((1n << BigInt(width)) - 1n));
  return { anchoredAt: bits(0, 40), count: bits(40, 48), counted: bits(88, 8) !== 0, endedAt: bits(96, 40) };
}

const entry = (key: Uint8Array, base: Uint8Array): Uint8Array => keccak(concatBytes(key, base));

/** The storage key of a record's word. */
export const recordSlot = (id: string): Uint8Array => entry(fromHex(id), word(RECORDS_SLOT));

/** The storage key of a batch's word. */
export function batchSlot(group: number, author: string, root: string): Uint8Array {
  const member = word((BigInt(group) << 160n) | BigInt(author));
  return entry(fromHex(root), entry(member, word(BATCHES_SLOT)));
}

/** Say why a record of this status that is only in this batch can never be stored from it. */
export function disowned(batch: Batch, status: Status): string | undefined {
  if (status === "cancelled") return "its author or its group cancelled it: it can never be stored from a batch";
  if (!batch.endedAt) return undefined;
  return `its author or its group ended the batch, on ${when(batch.endedAt)}: it can never be stored from it`;
}

/** Write a time of a chain as text, in UTC. A chain may say a time that no calendar has. */
export function when(timestamp: number): string {
  if (timestamp >= 253_402_300_800) return `second ${timestamp}, after the year 9999`;
  return new Date(timestamp * 1000).toISOString().replace("T", " ").replace(".000Z", " UTC");
}
