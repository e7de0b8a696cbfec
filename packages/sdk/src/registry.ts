/** A registry on a chain, asked by a client of JSON-RPC: what it stores now. Existence is asked of the state, never of logs. */
import { labRegistryAbi, statuses, verdicts } from "@blockchaintracer/contracts";
import { decodeErrorResult, decodeFunctionResult, encodeFunctionData, size as sizeOf } from "viem/utils";
import type { ContractFunctionArgs, ContractFunctionName, ContractFunctionReturnType } from "viem";
import { fromHex } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { InputError, Refused, Unavailable } from "./errors.ts";
import { normalAddress, normalId, recordId } from "./record.ts";
import type { Domain, RecordKey } from "./record.ts";
import type { Batch, RecordStatus, Status } from "./storage.ts";

/** What sends JSON-RPC: a client of viem, or an EIP-1193 provider of a wallet. */
export interface Client {
  request(call: { method: string; params?: unknown }): Promise<unknown>;
}

/** A block as far as it is needed. `timestamp` is in Unix seconds. */
export interface Block {
  hash: Hex;
  number: number;
  timestamp: number;
}

export interface Group {
  owner: Hex;
  pendingOwner: Hex | null;
  createdAt: number;
}

/** A group's current verdict. `evidence` is the low 136 bits of a record id. */
export interface Attestation {
  verdict: keyof typeof verdicts;
  evidence: bigint;
  attestedAt: number;
  sealedAt: number;
  version: number;
}

/** Bits of what a member may do. Times are Unix seconds. */
export interface Membership {
  roles: number;
  since: number;
  until: number;
  version: number;
}

/** A log of a registry. */
export interface Log {
  topics: Hex[];
  data: Hex;
  block: number;
  index: number;
  transaction: Hex;
}

/** Public chains whose blocks come by time. */
const PUBLIC_CHAINS = [1n, 11155111n, 8453n, 84532n, 10n, 11155420n, 42161n, 421614n];
/** How old their newest block may be. */
const BEHIND_S = 3600;
type View = ContractFunctionName<typeof labRegistryAbi, "view" | "pure">;
const MOST_DATA = 4 << 20;
const named = <T extends string>(words: Readonly<Record<T, number>>, value: number): T => {
  const found = (Object.keys(words) as T[]).find((name) => words[name] === value);
  if (found === undefined) throw new Unavailable(`the node answered a number that no registry has: ${value}`);
  return found;
};

export const verdictName = (value: number): keyof typeof verdicts => named(verdicts, value);

/** The questions to a node. What it does not answer, or not in its form, is `Unavailable`. */
export class Chain {
  readonly #client: Client;
  #chainId: Promise<bigint> | undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  async ask(method: string, params: unknown[]): Promise<unknown> {
    try {
      return await this.#client.request({ method, params });
    } catch (error) {
      const reverted = method === "eth_call" ? revertData(error) : undefined;
      if (reverted) throw refusal(reverted);
      const told = error instanceof Error ? error.message.split("\n")[0]! : String(error);
      throw new Unavailable(`the node did not answer ${method}: ${told.slice(0, 400)}`);
    }
  }

  chainId(): Promise<bigint> {
    return (this.#chainId ??= this.ask("eth_chainId", []).then((value) => quantity(value, "eth_chainId")));
  }

  /** A block by number, or the newest or newest final one; undefined if the node has none. */
  async block(which: number | "latest" | "finalized"): Promise<Block | undefined> {
    const name = typeof which === "number" ? (`0x${which.toString(16)}` as const) : which;
    let refused: unknown;
    let value = await this.ask("eth_getBlockByNumber", [name, false]).catch((error: unknown) => {
      // some chains have no final blocks, and say so by an error
      if (which !== "finalized") refused = error;
      return null;
    });
    // a node that has forgotten the transactions of a block may still have its header
    if (value === null && which !== "latest") value = await this.ask("eth_getHeaderByNumber", [name]).catch(() => null);
    if (value === null && refused) throw refused;
    if (value === null || value === undefined) return undefined;
    const { hash, number, timestamp } = value as Record<string, unknown>;
    const block = { hash: digest(hash, "a block"), number: whole(number, "a block"), timestamp: whole(timestamp, "a block") };
    if (typeof which === "number" && block.number !== which) throw new Unavailable(`the node answered block ${block.number} for ${which}`);
    return block;
  }

  /** The time of a public chain's newest block, if it is over an hour old: what came since, this node does not know. */
  async behind(): Promise<number | undefined> {
    if (!PUBLIC_CHAINS.includes(await this.chainId())) return undefined;
    const head = await this.block("latest");
    if (!head) throw new Unavailable("the node does not say its newest block");
    return Date.now() / 1000 - head.timestamp > BEHIND_S ? head.timestamp : undefined;
  }

  /** The code of an account now, or in a block. */
  async code(address: string, block?: number): Promise<Uint8Array> {
    const which = block === undefined ? "latest" : `0x${block.toString(16)}`;
    return fromHex(data(await this.ask("eth_getCode", [address, which]), "eth_getCode"));
  }

  /** A transaction as the node tells it; undefined if it has none with this hash. */
  async transaction(hash: Hex): Promise<{ sender: Hex; to: Hex | null; data: Uint8Array; place: { block: Hex; index: number } | undefined } | undefined> {
    const value = await this.ask("eth_getTransactionByHash", [hash]);
    if (value === null || value === undefined) return undefined;
    const { from, to, input, blockHash, transactionIndex } = value as Record<string, unknown>;
    try {
      const place = blockHash && transactionIndex ? { block: digest(blockHash, "a transaction"), index: whole(transactionIndex, "a transaction") } : undefined;
      return { sender: normalAddress(from), to: to ? normalAddress(to) : null, data: fromHex(data(input, "a transaction")), place };
    } catch {
      throw new Unavailable("the node did not answer eth_getTransactionByHash with a transaction");
    }
  }

  /** A transaction as it was signed; undefined if the node has none with this hash. Many nodes do not answer this. */
  async rawTransaction(hash: Hex): Promise<Uint8Array | undefined> {
    const value = await this.ask("eth_getRawTransactionByHash", [hash]);
    return value === null || value === "0x" ? undefined : fromHex(data(value, "eth_getRawTransactionByHash"));
  }

  /** @throws Refused if the contract refuses the call. */
  async call(to: string, input: Hex, from?: string): Promise<Hex> {
    return data(await this.ask("eth_call", [{ to, data: input, ...(from && { from }) }, "latest"]), "eth_call");
  }

  /** Logs of an address by their topics. A missing log never means a missing record: nodes forget. */
  async logs(address: string, topics: (Hex | Hex[] | null)[], fromBlock = 0): Promise<Log[]> {
    const filter = { address, topics, fromBlock: `0x${fromBlock.toString(16)}`, toBlock: "latest" };
    const value = await this.ask("eth_getLogs", [filter]);
    if (!Array.isArray(value)) throw new Unavailable("the node did not answer eth_getLogs with a list");
    return value.map((item: Record<string, unknown> | null) => {
      const log = item ?? {};
      const list = Array.isArray(log["topics"]) ? log["topics"] : [];
      const made: Log = {
        topics: list.map((topic) => digest(topic, "a topic")),
        data: data(log["data"], "a log"),
        block: whole(log["blockNumber"], "a log"),
        index: whole(log["logIndex"], "a log"),
        transaction: digest(log["transactionHash"], "a log"),
      };
      const fits = topics.every((topic, i) => topic === null || [topic].flat().includes(made.topics[i]!));
      const from = log["address"];
      if (typeof from !== "string" || from.toLowerCase() !== address.toLowerCase() || !fits) {
        throw new Unavailable("the node answered a log that nobody asked for");
      }
      return made;
    });
  }
}

/** The bytes that a contract reverted with, wherever a client or wallet keeps them in its error. */
function revertData(error: unknown, depth = 0): Hex | undefined {
  if (typeof error === "string") return /^0x([0-9a-f]{2}){4,}$/i.test(error) ? (error as Hex) : undefined;
  if (typeof error !== "object" || error === null || depth > 8) return undefined;
  const { data, cause, error: inner } = error as Record<string, unknown>;
  return revertData(data, depth + 1) ?? revertData(cause, depth + 1) ?? revertData(inner, depth + 1);
}

function refusal(reverted: Hex): Refused {
  try {
    const { errorName, args } = decodeErrorResult({ abi: labRegistryAbi, data: reverted });
    return new Refused(errorName, args ?? []);
  } catch {
    return new Refused(reverted.slice(0, 10), []);
  }
}

function quantity(value: unknown, what: string): bigint {
  if (typeof value !== "string" || !/^0x[0-9a-f]{1,64}$/i.test(value)) {
    throw new Unavailable(`the node did not answer ${what} with a number`);
  }
  return BigInt(value);
}

function whole(value: unknown, what: string): number {
  const number = quantity(value, what);
  if (number > BigInt(Number.MAX_SAFE_INTEGER)) throw new Unavailable(`the node answered a number that ${what} can't have`);
  return Number(number);
}

function digest(value: unknown, what: string): Hex {
  if (typeof value !== "string" || !/^0x[0-9a-f]{64}$/i.test(value)) throw new Unavailable(`the node gave ${what} no hash`);
  return value.toLowerCase() as Hex;
}

function data(value: unknown, what: string): Hex {
  if (typeof value !== "string" || value.length > MOST_DATA || !/^0x([0-9a-f]{2})*$/i.test(value)) {
    throw new Unavailable(`the node did not answer ${what} with bytes`);
  }
  return value as Hex;
}

/** What a registry stores now. */
export class Registry {
  readonly chain: Chain;
  readonly address: Hex;

  constructor(chain: Chain, address: string) {
    this.chain = chain;
    this.address = normalAddress(address, "a registry's address");
  }

  async domain(): Promise<Domain & { registry: Hex }> {
    return { chainId: await this.chain.chainId(), registry: this.address };
  }

  /** Whether a record stands, since when, and how many groups say what. */
  async statusOf(id: string): Promise<RecordStatus> {
    return status(await this.read("statusOf", [normalId(id)]));
  }

  /** `statusOf` of many records in one question. */
  async statusesOf(ids: readonly string[]): Promise<RecordStatus[]> {
    if (!ids.length) return [];
    const found = await this.read("statusOfRecords", [ids.map((id) => normalId(id))]);
    if (found.length !== ids.length) throw new Unavailable(`the node answered ${found.length} of ${ids.length} records`);
    return found.map(status);
  }

  async verdictOf(group: number, id: string): Promise<Attestation> {
    const found = await this.read("verdictOf", [group, normalId(id)]);
    return { ...found, verdict: verdictName(found.verdict) };
  }

  /** The group of a number; null if there is none. */
  async groupOf(group: number): Promise<Group | null> {
    const [owner, pending, createdAt] = await this.read("groupOf", [group]);
    if (!createdAt) return null;
    const pendingOwner = BigInt(pending) ? normalAddress(pending) : null;
    return { owner: normalAddress(owner), pendingOwner, createdAt };
  }

  async membershipOf(group: number, account: string): Promise<Membership> {
    return await this.read("membershipOf", [group, normalAddress(account)]);
  }

  async batchOf(group: number, author: string, root: string): Promise<Batch> {
    const [anchoredAt, count, counted, endedAt] = await this.read("batchOf", [group, normalAddress(author), normalId(root)]);
    return { anchoredAt, count: Number(count), counted, endedAt };
  }

  /** Compute the id of a key here. */
  async idOf(key: RecordKey): Promise<Hex> {
    return recordId(await this.domain(), key);
  }

  /** Call a view by its name. */
  async read<const F extends View>(
    functionName: F,
    args: ContractFunctionArgs<typeof labRegistryAbi, "view" | "pure", F>,
  ): Promise<ContractFunctionReturnType<typeof labRegistryAbi, "view" | "pure", F>> {
    const input = encodeFunctionData({ abi: labRegistryAbi, functionName, args } as never);
    const output = await this.chain.call(this.address, input);
    if (!sizeOf(output)) {
      throw new InputError(`expected a LabRegistry at ${this.address}, it answers nothing to ${functionName}`);
    }
    try {
      return decodeFunctionResult({ abi: labRegistryAbi, functionName, args, data: output } as never) as never;
    } catch {
      throw new Unavailable(`the node answered ${functionName} with bytes that it can't have`);
    }
  }
}

type StatusWords = ContractFunctionReturnType<typeof labRegistryAbi, "view", "statusOf">;
const status = (found: StatusWords): RecordStatus => ({ ...found, status: named<Status>(statuses, found.status) });

/** Open a registry by a client of a chain. Nothing is asked yet. */
export function openRegistry(client: Client | Chain, address: string): Registry {
  return new Registry(client instanceof Chain ? client : new Chain(client), address);
}

