/** Verify records of BlockchainTracer and write them, in browsers and in Node. */
export { recordId, readKey, globalId, parseGlobalId, recordCommitment, verdictCommitment, typedDigest } from "./record.ts";
export type { Domain, Link, RecordKey } from "./record.ts";
export { MerkleTree, leadsTo } from "./merkle.ts";
export { checkAgainstKey, kindName, parseManifest } from "./manifest.ts";
export type { Manifest } from "./manifest.ts";
export { CID_PROFILES, cidOfSha256, Digester, formatListing, hashFile, parseListing } from "./hash.ts";
export type { CidProfile, FileDigest, Listed } from "./hash.ts";
export { canonical } from "./json.ts";
export type { Json, JsonObject } from "./json.ts";
export { readBundle } from "./bundle.ts";
export type { ProvenBatch, ProvenBundle, ProvenRecord } from "./bundle.ts";
export { verifyBundle, verifyBundleOnChain } from "./standing.ts";
export type { BundleReport, Check, Outcome, Trust, Verdict } from "./standing.ts";
export { Chain, openRegistry, Registry } from "./registry.ts";
export type { Attestation, Block, Client, Group, Log, Membership } from "./registry.ts";
export type { Batch, RecordStatus, Status } from "./storage.ts";
export { BundleRefused, InputError, Unavailable, UnknownVersion } from "./errors.ts";
export type { Hex } from "./bytes.ts";
