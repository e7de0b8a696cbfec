/**
 * Acts of an account in a registry, by a wallet client of viem: recording, attesting, retracting; and signatures that
 * somebody else relays and pays for. Each call is asked of the node first: what the registry refuses costs nothing.
 */
import { domainName, domainVersion, labRegistryAbi, types, verdicts } from "@blockchaintracer/contracts";
import type { Account, Address, WalletClient } from "viem";
import { sendTransaction, signTypedData } from "viem/actions";
import { encodeFunctionData, getAddress } from "viem/utils";
import type { Hex } from "./bytes.ts";
import { InputError } from "./errors.ts";
import { canonicalText, checkSize, isObject, readJson } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import { normalAddress, normalDigest, normalId, readKey, recordId, unsigned } from "./record.ts";
import type { RecordKey } from "./record.ts";
import type { Registry } from "./registry.ts";

export type Verdict = Exclude<keyof typeof verdicts, "none">;

/** A transaction that was handed to the node. It is final when its block is. */
export interface Sent {
  id: Hex;
  /** null: the registry has it already, and nothing was sent. */
  transaction: Hex | null;
}

/** A record or a verdict that its author signed and anybody may send. */
export type SignedWrite =
  | { operation: "record"; key: RecordKey; signature: Hex }
  | {
      operation: "attest";
      recordId: Hex;
      group: number;
      version: number;
      verdict: number;
      evidence: RecordKey | null;
      signature: Hex;
    };

/** What one account signed for one registry, until the deadline (Unix seconds): the file of `outbox sign`. */
export interface SignedWrites {
  type: string;
  algorithms: string[];
  chainId: string;
  registry: Hex;
  signer: Hex;
  deadline: number;
  writes: SignedWrite[];
}

const TYPE = "urn:blockchaintracer:signed-writes:v1";
const ALGORITHMS = ["eip-712", "keccak-256"];
const MOST_WRITES = 256;
const MOST_BYTES = 1 << 20;
const NOTHING: Hex = `0x${"00".repeat(32)}`;

const abiKey = (key: RecordKey) => ({
  ...key,
  author: getAddress(key.author),
  subject: `0x${key.subject}` as Hex,
  manifest: `0x${key.manifest}` as Hex,
});

function accountOf(wallet: WalletClient): Account {
  if (!wallet.account) throw new InputError("expected a wallet client with an account", "Give `account` when you create it.");
  return wallet.account;
}

async function send(wallet: WalletClient, registry: Registry, data: Hex): Promise<Hex> {
  const account = accountOf(wallet);
  const [chainId, walletChain] = [await registry.chain.chainId(), BigInt(await wallet.getChainId())];
  if (walletChain !== chainId) throw new InputError(`expected a wallet on chain ${chainId}, it is on ${walletChain}`);
  await registry.chain.call(registry.address, data, account.address);
  return await sendTransaction(wallet, { account, chain: null, to: registry.address, data });
}

/**
 * Record a key. The wallet's account must be its author. What is recorded already costs nothing.
 *
 * @throws Refused with the registry's typed error, before anything is sent.
 */
export async function record(wallet: WalletClient, registry: Registry, key: RecordKey): Promise<Sent> {
  const made = readKey(key);
  const id = await registry.idOf(made);
  if ((await registry.statusOf(id)).recordedAt) return { id, transaction: null };
  const data = encodeFunctionData({ abi: labRegistryAbi, functionName: "record", args: [abiKey(made)] });
  return { id, transaction: await send(wallet, registry, data) };
}

/** Retract a record for good. `reason` is the SHA-256 of a text, or left out. */
export async function retract(wallet: WalletClient, registry: Registry, key: RecordKey, reason?: string): Promise<Sent> {
  const made = readKey(key);
  const why: Hex = reason === undefined ? NOTHING : `0x${normalDigest(reason)}`;
  const data = encodeFunctionData({ abi: labRegistryAbi, functionName: "retract", args: [abiKey(made), why] });
  return { id: await registry.idOf(made), transaction: await send(wallet, registry, data) };
}

/** Give a group's verdict on a record. Reproduced and not-reproduced need the key of the run that is the evidence. */
export async function attest(
  wallet: WalletClient,
  registry: Registry,
  said: { group: number; recordId: string; verdict: Verdict; evidence?: RecordKey },
): Promise<Sent> {
  const [id, verdict] = [normalId(said.recordId), verdicts[said.verdict]];
  const data = said.evidence
    ? encodeFunctionData({
        abi: labRegistryAbi,
        functionName: "attestWithEvidence",
        args: [said.group, id, verdict, abiKey(readKey(said.evidence))],
      })
    : encodeFunctionData({ abi: labRegistryAbi, functionName: "attest", args: [said.group, id, verdict] });
  return { id, transaction: await send(wallet, registry, data) };
}

const domainOf = async (registry: Registry) => ({
  name: domainName,
  version: domainVersion,
  chainId: Number(await registry.chain.chainId()),
  verifyingContract: registry.address,
});

/** The EIP-712 document by which an author lets anybody record a key until a deadline. */
export async function recordAuthorization(registry: Registry, key: RecordKey, deadline: number) {
  const { RecordAuthorization, Record, Link } = types;
  return {
    domain: await domainOf(registry),
    types: { RecordAuthorization, Record, Link },
    primaryType: "RecordAuthorization",
    message: { record: abiKey(readKey(key)), deadline: unsigned(deadline, 40) },
  } as const;
}

/** The EIP-712 document by which a reviewer lets anybody send a verdict until a deadline. It is good once. */
export async function attestationAuthorization(
  registry: Registry,
  said: { group: number; attester: string; recordId: string; verdict: number; evidence: RecordKey | null; version: number },
  deadline: number,
) {
  const evidence = said.evidence ? await registry.idOf(said.evidence) : NOTHING;
  const attester = getAddress(said.attester);
  return {
    domain: await domainOf(registry),
    types: { AttestationAuthorization: types.AttestationAuthorization },
    primaryType: "AttestationAuthorization",
    message: { ...said, attester, recordId: normalId(said.recordId), evidence, deadline: unsigned(deadline, 40) },
  } as const;
}

/** Sign a record that somebody else sends. */
export async function signRecord(wallet: WalletClient, registry: Registry, key: RecordKey, deadline: number): Promise<SignedWrite> {
  const made = readKey(key);
  const document = await recordAuthorization(registry, made, deadline);
  const signature = await signTypedData(wallet, { account: accountOf(wallet), ...document });
  return { operation: "record", key: made, signature };
}

/** Sign a verdict that somebody else sends. */
export async function signAttestation(
  wallet: WalletClient,
  registry: Registry,
  said: { group: number; recordId: string; verdict: Verdict; evidence?: RecordKey },
  deadline: number,
): Promise<SignedWrite> {
  const { version } = await registry.verdictOf(said.group, said.recordId);
  const made = {
    group: said.group,
    recordId: normalId(said.recordId),
    verdict: verdicts[said.verdict],
    evidence: said.evidence ? readKey(said.evidence) : null,
    version,
  };
  const account = accountOf(wallet);
  const document = await attestationAuthorization(registry, { ...made, attester: account.address }, deadline);
  return { operation: "attest", ...made, signature: await signTypedData(wallet, { account, ...document }) };
}

/** Put signed writes of one account together, as `outbox relay` and `relay` read them. */
export async function signedWrites(
  registry: Registry,
  signer: string,
  deadline: number,
  writes: readonly SignedWrite[],
): Promise<SignedWrites> {
  const chainId = String(await registry.chain.chainId());
  const [address, account] = [getAddress(registry.address), getAddress(signer)];
  return { type: TYPE, algorithms: ALGORITHMS, chainId, registry: address, signer: account, deadline, writes: [...writes] };
}

/** Read signed writes of any origin. The registry checks the signatures. */
export function readSignedWrites(data: Uint8Array): SignedWrites {
  if (data.length > MOST_BYTES) throw new InputError(`expected signed writes of at most ${MOST_BYTES} bytes`);
  const { value, form } = readJson(data, "signed writes", 64, true);
  checkSize(value, "signed writes");
  if (!isObject(value) || !Array.isArray(value["writes"])) throw new InputError(`expected ${TYPE}`);
  const { writes, deadline, signer, registry, chainId } = value;
  if (!writes.length || writes.length > MOST_WRITES) throw new InputError(`expected 1 to ${MOST_WRITES} writes, got ${writes.length}`);
  if (typeof chainId !== "string" || !/^[1-9][0-9]{0,76}$/.test(chainId)) throw new InputError("expected a chain id as decimal text");
  const account = getAddress(normalAddress(signer, "the signer's address"));
  const made: SignedWrites = {
    type: TYPE,
    algorithms: ALGORITHMS,
    chainId,
    registry: getAddress(normalAddress(registry, "a registry's address")),
    signer: account,
    deadline: unsigned(deadline, 40),
    writes: writes.map((write) => readWrite(write, account)),
  };
  if (canonicalText(made as unknown as Json) !== form) {
    throw new InputError(`expected ${TYPE}, got a field that does not belong to it, or is not in its one form`);
  }
  return made;
}

function readWrite(write: Json, signer: Address): SignedWrite {
  const fields: JsonObject = isObject(write) ? write : {};
  const signature = fields["signature"];
  if (typeof signature !== "string" || !/^0x([0-9a-f]{2})*$/.test(signature)) throw new InputError("expected a signature, 0x and hex digits");
  if (fields["operation"] === "record") {
    const key = readKey(fields["key"]);
    if (getAddress(key.author) !== signer) throw new InputError(`expected a record of ${signer}, got one of ${key.author}`);
    return { operation: "record", key, signature: signature as Hex };
  }
  if (fields["operation"] !== "attest") throw new InputError("expected the operation record or attest");
  const verdict = unsigned(fields["verdict"], 8);
  if (verdict > verdicts.disputed) throw new InputError(`expected a verdict, got ${verdict}`);
  return {
    operation: "attest",
    recordId: normalId(fields["recordId"]),
    group: unsigned(fields["group"], 32),
    version: unsigned(fields["version"], 32),
    verdict,
    evidence: fields["evidence"] === null ? null : readKey(fields["evidence"]),
    signature: signature as Hex,
  };
}

/**
 * Send what others signed, and pay for it. Look at it first: it is sent in order, and one that the registry refuses ends it.
 * The registry judges the deadline of each write; of no writes it is not asked.
 *
 * @throws InputError if it is for another registry or chain.
 * @throws Refused with the registry's typed error, before that write is sent.
 */
export async function relay(wallet: WalletClient, registry: Registry, signed: SignedWrites): Promise<Sent[]> {
  const chainId = await registry.chain.chainId();
  if (BigInt(signed.chainId) !== chainId || normalAddress(signed.registry) !== registry.address) {
    throw new InputError(`expected writes for ${registry.address} on chain ${chainId}, got ${signed.registry} on ${signed.chainId}`);
  }
  const sent: Sent[] = [];
  for (const write of signed.writes) {
    const [id, data] = callOf(write, signed, { chainId, registry: registry.address });
    if (write.operation === "record" && (await registry.statusOf(id)).recordedAt) sent.push({ id, transaction: null });
    else sent.push({ id, transaction: await send(wallet, registry, data) });
  }
  return sent;
}

function callOf(write: SignedWrite, signed: SignedWrites, domain: { chainId: bigint; registry: Hex }): [Hex, Hex] {
  const abi = labRegistryAbi;
  const { deadline, signer } = signed;
  if (write.operation === "record") {
    const args = [abiKey(write.key), deadline, write.signature] as const;
    return [recordId(domain, write.key), encodeFunctionData({ abi, functionName: "recordBySig", args })];
  }
  const { group, recordId: id, verdict, evidence, signature } = write;
  if (!evidence) {
    const args = [group, signer, id, verdict, deadline, signature] as const;
    return [id, encodeFunctionData({ abi, functionName: "attestBySig", args })];
  }
  const args = [group, signer, id, verdict, abiKey(evidence), deadline, signature] as const;
  return [id, encodeFunctionData({ abi, functionName: "attestWithEvidenceBySig", args })];
}

