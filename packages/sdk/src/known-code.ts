/** The code that a registry of this version has at its address, computed without a network. */
import { domainName, domainVersion, factoryAddress } from "@blockchaintracer/contracts";
import { labRegistryCode } from "@blockchaintracer/contracts/code";
import { concatBytes, fromHex, keccak, keccakHex, padded, toHex, utf8ToBytes, word } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { domainSeparator } from "./record.ts";
import type { Domain } from "./record.ts";

export interface KnownCode {
  version: string;
  openGroupCreation: boolean;
}

/** Settings that the factory makes a registry of. */
export interface Deployment {
  owner: string;
  openGroupCreation: boolean;
  salt: string;
}

const initCode = (): Uint8Array => fromHex(labRegistryCode.initCode);

/** Encode text as OpenZeppelin's ShortString: up to 31 bytes, and their number in the last. */
function shortString(text: string): Uint8Array {
  const bytes = utf8ToBytes(text);
  const made = new Uint8Array(32);
  made.set(bytes);
  made[31] = bytes.length;
  return made;
}

/** Compute the runtime code of a registry of this version at an address. */
export function registryCode(domain: Domain, openGroupCreation: boolean): Uint8Array {
  const separator = domainSeparator(domain);
  // ours, and OpenZeppelin's EIP712
  const words: Record<keyof typeof labRegistryCode.immutables, Uint8Array> = {
    openGroupCreation: word(openGroupCreation ? 1 : 0),
    _name: shortString(domainName),
    _version: shortString(domainVersion),
    _cachedThis: padded(fromHex(domain.registry)),
    _cachedDomainSeparator: separator,
    _idDomain: separator,
    _hashedName: keccak(utf8ToBytes(domainName)),
    _hashedVersion: keccak(utf8ToBytes(domainVersion)),
    _cachedChainId: word(domain.chainId),
  };
  const { runtimeStart, runtimeSize, immutables } = labRegistryCode;
  const code = initCode().slice(runtimeStart, runtimeStart + runtimeSize);
  for (const [name, places] of Object.entries(immutables)) {
    for (const place of places) code.set(words[name as keyof typeof immutables], place);
  }
  return code;
}

/** Return the known contract version with this code hash at an address. */
export function knownCode(domain: Domain, codeHash: string): KnownCode | undefined {
  const isOpen = [false, true].find((open) => keccakHex(registryCode(domain, open)) === codeHash);
  return isOpen === undefined ? undefined : { version: domainVersion, openGroupCreation: isOpen };
}

/** Compute the address of the registry that the factory makes of these settings (EIP-1014). */
export function factoryRegistry(made: Deployment): Hex {
  const arguments_ = concatBytes(padded(fromHex(made.owner)), word(made.openGroupCreation ? 1 : 0));
  const codeHash = keccak(concatBytes(initCode(), arguments_));
  const hash = keccak(concatBytes(Uint8Array.of(0xff), fromHex(factoryAddress), fromHex(made.salt), codeHash));
  return toHex(hash.subarray(12));
}
