/** How a claim of identity stands by its registry: recorded in time, not revoked, by who may speak, with a key that was not stolen. */
import { kinds, labRegistryAbi, roles } from "@blockchaintracer/contracts";
import { encodeEventTopics } from "viem/utils";
import { findLog, problemOf } from "./authorship.ts";
import type { Topics } from "./authorship.ts";
import { fromHex, sha256Hex, toHex, utf8ToBytes, word } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { InputError, Refused, Unavailable } from "./errors.ts";
import { checkIdentityClaim, NotSigned } from "./identity.ts";
import type { IdentityClaim, IdentityEntry } from "./identity.ts";
import { checksummed } from "./record.ts";
import type { Domain } from "./record.ts";
import type { Registry } from "./registry.ts";
import { checkKey } from "./stolen-keys.ts";
import type { Statements } from "./stolen-keys.ts";
import { when } from "./storage.ts";

/** A claim by itself and by the registry's state. That the other side names it is not asked. Times are Unix seconds; 0: never. */
export interface ClaimStanding {
  state: "stands" | "revoked" | "refused" | "unknown";
  /** Why it does not stand, or is open. */
  reason: string;
  recordedAt: number;
  revokedAt: number;
  /** What could not be found out of one that stands; empty if nothing. */
  unknown: string;
}

/** How far the clock of who signs may be ahead of the chain's. */
const CLOCKS_S = 300;
/** The selector of `isValidSignature`, and its answer that accepts. */
const ERC_1271 = "1626ba7e";

/** Judge a claim by itself and by the registry. */
export async function judgeClaim({ id, key, manifest }: IdentityEntry, domain: Domain, registry: Registry, from: Statements): Promise<ClaimStanding> {
  const made = { recordedAt: 0, revokedAt: 0, unknown: "" };
  try {
    const { claim, isByCode, open } = await signed({ id, key, manifest }, domain, registry);
    const { signedAt } = manifest.predicate["statement"] as { signedAt: string };
    made.recordedAt = (await registry.statusOf(id)).recordedAt;
    if (!made.recordedAt) throw new InputError("its record is not stored in the registry");
    if (BigInt(signedAt) > made.recordedAt + CLOCKS_S) throw new InputError("the statement says to be signed after its record");
    // an equal statement that was retracted ends this one, too
    const equal = (await from.find(key.subject)).filter((it) => it.key.kind === kinds["identity-claim"] && it.key.author === claim.account && (!claim.group || it.key.group === claim.group));
    const ends = (await registry.statusesOf([...new Set([id, ...equal.map((it) => it.id)])])).flatMap(({ retractedAt }) => retractedAt || []);
    made.revokedAt = ends.length ? Math.min(...ends) : 0;
    if (claim.group && !(await speaks(registry, claim, made.revokedAt ? made.recordedAt : undefined))) {
      throw new InputError(`${claim.account} is neither owner nor maintainer of group ${claim.group} now`);
    }
    if (made.revokedAt) return { ...made, state: "revoked", reason: `it was revoked on ${when(made.revokedAt)}` };
    made.unknown = await ofOwnKey(registry, claim.account, key.group, made.recordedAt, from);
    if (open || claim.unknown) return { ...made, unknown: "", state: "unknown", reason: open ?? claim.unknown! };
    if (isByCode) made.unknown ||= "who signs for the account: it was a contract, and its code took the signature (ERC-1271)";
    if (!(await from.isHistoryWhole())) made.unknown = "whether an equal statement was revoked, or its key lost: the node has forgotten the registry's first events";
    return { ...made, state: "stands", reason: "" };
  } catch (error) {
    if (error instanceof Unavailable) return { ...made, state: "unknown", reason: error.message };
    if (error instanceof InputError) return { ...made, state: "refused", reason: error.message };
    throw error;
  }
}

/** Return the claim of a record that the account's key signed, or the code that it had in the block of the record. */
async function signed({ id, key, manifest }: IdentityEntry, domain: Domain, registry: Registry): Promise<{ claim: IdentityClaim; isByCode?: boolean; open?: string }> {
  try {
    return { claim: checkIdentityClaim(manifest, key, domain) };
  } catch (error) {
    if (!(error instanceof NotSigned)) throw error;
    const { claim } = error;
    const topics = encodeEventTopics({ abi: labRegistryAbi, eventName: "Recorded", args: { id: [id] } }) as Topics;
    const place = await findLog(registry, topics, []);
    if (!place && !(await registry.statusOf(id)).recordedAt) throw error;
    if (!place) return { claim, open: "its block is not known, and so not whether its account's code signed it then" };
    try {
      const isByCode = (await registry.chain.code(checksummed(claim.account), place.block)).length > 0 && (await accepts(registry, claim, manifest.predicate["signature"] as Hex, place.block));
      if (isByCode) return { claim, isByCode };
    } catch (unavailable) {
      if (!(unavailable instanceof Unavailable)) throw unavailable;
      return { claim, open: `the node doesn't tell whether the account's code signed it in block ${place.block}` };
    }
    throw error;
  }
}

async function accepts(registry: Registry, { account, claim }: IdentityClaim, signature: Hex, block: number): Promise<boolean> {
  const bytes = fromHex(signature);
  const data = `0x${ERC_1271}${claim.slice(2)}${toHex(word(64)).slice(2)}${toHex(word(bytes.length)).slice(2)}${signature.slice(2).padEnd(192, "0")}`;
  try {
    const answer = await registry.chain.ask("eth_call", [{ to: checksummed(account), data }, `0x${block.toString(16)}`]);
    return typeof answer === "string" && answer.slice(0, 66).toLowerCase() === `0x${ERC_1271.padEnd(64, "0")}`;
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
}

/** Whether an account owns a group, or is its maintainer now or at another time. */
async function speaks(registry: Registry, { account, group }: IdentityClaim, then: number | undefined): Promise<boolean> {
  const head = await registry.chain.block("latest");
  if (!head) throw new Unavailable("the node does not say its newest block");
  if ((await registry.groupOf(group))?.owner === account) return true;
  const member = await registry.membershipOf(group, account);
  return [head.timestamp, then ?? head.timestamp].some((time) => !problemOf(member, roles.maintainer, time));
}

/** Refuse what was recorded with a key that was stolen, by the word of the record's group or of one that the account had joined before. Returns what is unknown. */
async function ofOwnKey(registry: Registry, account: Hex, group: number, recordedAt: number, from: Statements): Promise<string> {
  const statements = await from.find(sha256Hex(utf8ToBytes(`lost-or-stolen-key:${account}`)));
  const groups = new Set([group]);
  for (const { key } of statements) {
    const { version, since } = await registry.membershipOf(key.group, account);
    if (version && since <= recordedAt) groups.add(key.group);
  }
  let unknown = "";
  for (const it of [...groups].sort((a, b) => a - b)) {
    for (const { verdict, detail } of await checkKey(registry, from, it, account, recordedAt)) {
      if (verdict === "fail") throw new InputError(`it was made with a key that was lost or stolen: ${detail}`);
      if (verdict === "unknown") unknown ||= detail;
    }
  }
  return unknown;
}
