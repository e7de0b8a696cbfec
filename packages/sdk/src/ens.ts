/** The text record of an ENS name (ENSIP-5), read through the chain's registry and the name's resolver. Names that a resolver looks up off chain (ERC-3668) are not read. */
import { decodeFunctionResult, encodeFunctionData } from "viem/utils";
import { concatBytes, keccak, toHex, utf8ToBytes } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { InputError, Refused, Unavailable } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import type { Chain } from "./registry.ts";

const KEY = "blockchaintracer";
/** ENS's registry on Ethereum and its test networks (docs.ens.domains, Deployments). */
const REGISTRY = "0x00000000000C2E074eC69A0dFb2997BA6C7d2e1e";
/** Test networks have names of their own, which anyone can take. */
const TEST_NETWORKS = [11155111n, 17000n, 77787n];
const LIMIT = 1 << 20;
const abi = [
  { type: "function", name: "resolver", stateMutability: "view", inputs: [{ type: "bytes32" }], outputs: [{ type: "address" }] },
  { type: "function", name: "owner", stateMutability: "view", inputs: [{ type: "bytes32" }], outputs: [{ type: "address" }] },
  { type: "function", name: "text", stateMutability: "view", inputs: [{ type: "bytes32" }, { type: "string" }], outputs: [{ type: "string" }] },
  { type: "function", name: "nameExpires", stateMutability: "view", inputs: [{ type: "uint256" }], outputs: [{ type: "uint256" }] },
] as const;

/** The id of the chain whose ENS a claim on this chain means. */
export const ensChain = (chainId: bigint | number): bigint => (TEST_NETWORKS.includes(BigInt(chainId)) ? BigInt(chainId) : 1n);

/** Compute the node of a name in its one form (EIP-137). */
export const namehash = (name: string): Hex =>
  toHex(name.split(".").reduceRight<Uint8Array>((node, label) => keccak(concatBytes(node, keccak(utf8ToBytes(label)))), new Uint8Array(32)));

/** The text record as a page of an identity, with when the name expires; null if the name has no resolver or no such text. */
export async function ensPage(chain: Chain, name: string, expected: bigint): Promise<JsonObject | null> {
  const chainId = await chain.chainId();
  if (chainId !== expected) throw new Unavailable(`expected a node of chain ${expected}, whose ENS has the name, got one of chain ${chainId}`);
  const hasCode = async (address: string): Promise<boolean> => (await chain.code(address)).length > 0;
  if (!(await hasCode(REGISTRY))) throw new Unavailable(`expected ENS's registry on chain ${chainId}, got no contract at ${REGISTRY}`);
  const head = await chain.block("latest");
  if (!head) throw new Unavailable("the node does not say its newest block");
  const resolver = await ask<Hex>(chain, REGISTRY, "resolver", [namehash(name)]);
  if (!BigInt(resolver) || !(await hasCode(resolver))) return null;
  const text = await ask<string>(chain, resolver, "text", [namehash(name), KEY]);
  if (!text) return null;
  if (text.length > LIMIT) throw new InputError(`expected a text of at most ${LIMIT} bytes, got more`);
  const page = { type: "urn:blockchaintracer:identity-page:v1", of: `ens:${name}`, names: text.trim().split(/\s+/) };
  const [label, top] = name.split(".").slice(-2) as [string, string];
  if (top !== "eth") return page;
  const registrar = await ask<Hex>(chain, REGISTRY, "owner", [namehash(top)]);
  const expires = await ask<bigint>(chain, registrar, "nameExpires", [BigInt(toHex(keccak(utf8ToBytes(label))))]);
  return { ...page, expires: String(expires), time: String(head.timestamp) };
}

async function ask<T>(chain: Chain, to: Hex, functionName: (typeof abi)[number]["name"], args: readonly unknown[]): Promise<T> {
  try {
    const data = await chain.call(to, encodeFunctionData({ abi, functionName, args } as never));
    return decodeFunctionResult({ abi, functionName, data } as never) as T;
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    const why = error instanceof Refused ? "refuses" : "answers something else to";
    throw new InputError(`the contract ${to} ${why} ${functionName}: the name is not read on chain`);
  }
}
