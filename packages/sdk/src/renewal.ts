/**
 * Renewals (docs/formats.md): what records commit to, hashed again by SHA-512 and SHA3-256 before SHA-256 is broken.
 * Sources: RFC 4998, RFC 9162, FIPS 180-4, FIPS 202.
 */
import { kinds, relations, subjectTypes } from "@blockchaintracer/contracts";
import { sha512 } from "@noble/hashes/sha2.js";
import { sha3_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, concatBytes, fromHex, sha256Hex, utf8ToBytes } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { InputError } from "./errors.ts";
import { formatOf, head } from "./formats.ts";
import { canonical, canonicalText, isObject } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import { chainIdText } from "./key-file.ts";
import { checkAgainstKey, parseManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { readKey, recordId } from "./record.ts";
import type { Domain, RecordKey } from "./record.ts";
import { anything, object, text } from "./schema.ts";

/** A renewal whose parts fit together. That a chain holds it is for the caller to check. */
export interface Renewal {
  domain: Domain & { chainId: bigint; registry: Hex };
  id: Hex;
  key: RecordKey;
  manifest: Manifest;
  /** SHA-512 and SHA3-256 of what each leaf is of, 64 and 32 bytes in hex with a space between, by name. */
  leaves: ReadonlyMap<string, string>;
  missing: string[];
  /** What witnesses stamp. */
  rootText: string;
  /** The records that it renews: its parents, and those whose keys are leaves. */
  renews: ReadonlySet<string>;
}

/** How the text of a renewal's roots begins. */
export const ROOT_TEXT = "urn:blockchaintracer:renewal-root:";
const HEAD = "urn:blockchaintracer:renewal-tree:v1 sha2-512 sha3-256";
const NAME = "(?:(?:key|receipt|batch)/0x|(?:object|witness)/)[0-9a-f]{64}";
const LEAF = new RegExp(`^([0-9a-f]{128} [0-9a-f]{64}) (${NAME})$`);
const MISSING = new RegExp(`^missing (${NAME})$`);
const MAX_TREE = 128 << 20;
const rule = object({
  ...head("renewal"),
  chainId: chainIdText,
  registry: text(/^0x[0-9a-f]{40}$/, "an address of 0x and 40 hex digits"),
  key: anything,
  manifest: anything,
  tree: text((value) => value.length <= MAX_TREE, `a tree of at most ${MAX_TREE} letters`),
});

/**
 * Read the file of a renewal, of any origin.
 *
 * @throws UnknownVersion if it is of a version that this program does not read.
 * @throws InputError if it is none, or key, manifest, tree and roots do not fit together.
 */
export function readRenewal(value: Json): Renewal {
  if (formatOf(value) !== "renewal") throw new InputError("expected a renewal");
  rule(value, "");
  const file = value as JsonObject;
  const key = readKey(file["key"]);
  if (canonicalText(key as unknown as Json) !== canonicalText(file["key"]!)) throw new InputError("key: expected its one form");
  const manifest = parseManifest(canonical(file["manifest"]!, false));
  const tree = file["tree"] as string;
  const { leaves, missing } = readTree(tree);
  const [one, other] = rootsOf(leaves);
  const { predicate } = manifest;
  if (manifest.kind !== kinds.renewal) throw new InputError("expected a record of the kind renewal");
  const told = { manifest: key.manifest, count: predicate["count"], missing: predicate["missing"], ...(predicate["roots"] as JsonObject), tree: (predicate["tree"] as JsonObject)["sha256"] };
  const made = { manifest: manifest.sha256, count: leaves.size, missing: missing.length, sha512: one, "sha3-256": other, tree: sha256Hex(utf8ToBytes(tree)) };
  const wrong = Object.entries(made).find(([name, value]) => told[name as keyof typeof told] !== value);
  if (wrong) throw new InputError(`expected the ${wrong[0]} ${wrong[1]}, got ${String(told[wrong[0] as keyof typeof told]).slice(0, 140)}`);
  const [problem] = checkAgainstKey(manifest, key);
  if (problem) throw new InputError(problem);
  const domain = { chainId: BigInt(file["chainId"] as string), registry: file["registry"] as Hex };
  const links = key.parents.filter((link) => link.relation === relations.renews).map((link): string => link.parent);
  const keys = [...leaves.keys()].filter((name) => name.startsWith("key/")).map((name) => name.slice(4));
  const rootText = `${ROOT_TEXT}v1:sha2-512:${one}:sha3-256:${other}`;
  return { domain, id: recordId(domain, key), key, manifest, leaves, missing, rootText, renews: new Set([...links, ...keys]) };
}

function readTree(tree: string): { leaves: Map<string, string>; missing: string[] } {
  const [first, ...lines] = tree.split("\n");
  if (first !== HEAD || lines.pop() !== "" || !lines.length) throw new InputError(`expected a hash tree that begins with ${HEAD} and ends with a line feed`);
  const leaves = new Map<string, string>();
  const missing: string[] = [];
  let [leafBefore, missingBefore] = ["", ""];
  for (const [number, line] of lines.entries()) {
    const leaf = missing.length ? null : LEAF.exec(line);
    const name = leaf?.[2] ?? MISSING.exec(line)?.[1];
    if (name === undefined) throw new InputError(`expected a leaf of a hash tree in line ${number + 2}`);
    if (name <= (leaf ? leafBefore : missingBefore) || leaves.has(name)) throw new InputError("expected the names of a hash tree ascending, each once");
    if (leaf) leaves.set((leafBefore = name), leaf[1]!);
    else missing.push((missingBefore = name));
  }
  if (!leaves.size) throw new InputError("expected at least one leaf of a hash tree, got none");
  return { leaves, missing };
}

/** The roots by SHA-512 and by SHA3-256, in hex. */
function rootsOf(leaves: ReadonlyMap<string, string>): [string, string] {
  return [sha512, sha3_256].map((hash, which) => {
    const zero = Uint8Array.of(0);
    let nodes = [...leaves].map(([name, pair]) => hash(concatBytes(zero, utf8ToBytes(name), zero, fromHex(pair.split(" ")[which]!))));
    while (nodes.length > 1) {
      const level = nodes;
      // the last of an odd level goes up as it is
      nodes = level.flatMap((node, i) => (i % 2 ? [] : level[i + 1] ? [hash(concatBytes(Uint8Array.of(1), node, level[i + 1]!))] : [node]));
    }
    return bytesToHex(nodes[0]!);
  }) as [string, string];
}

/** How a renewal fits what is here of a record: names of leaves. */
export interface Compared {
  same: string[];
  different: string[];
  leftOut: string[];
}

/**
 * Compare a renewal with what is here of a record.
 *
 * @param objects contents by their SHA-256, as far as they are here.
 */
export function compareRenewal(renewal: Renewal, domain: Domain, key: RecordKey, objects: ReadonlyMap<string, Uint8Array>): Compared {
  const where = { chainId: String(domain.chainId), registry: domain.registry.toLowerCase(), key: key as unknown as Json };
  const here = new Map([[`key/${recordId(domain, key)}`, canonical(where)]]);
  const manifest = objects.get(key.manifest);
  const named = manifest ? artifactsOf(parseManifest(manifest).predicate) : [];
  const subject = key.subjectType === subjectTypes.file || key.subjectType === subjectTypes.folder ? [key.subject] : [];
  for (const digest of [key.manifest, ...subject, ...named]) {
    const data = objects.get(digest);
    if (data) here.set(`object/${digest}`, data);
  }
  const found: Compared = { same: [], different: [], leftOut: [] };
  for (const [name, data] of here) {
    const leaf = renewal.leaves.get(name);
    const pair = `${bytesToHex(sha512(data))} ${bytesToHex(sha3_256(data))}`;
    found[leaf === undefined ? "leftOut" : leaf === pair ? "same" : "different"].push(name);
  }
  return found;
}

/** Names of fields whose values a user chose: what looks like a file in them is none. */
const FREE = new Set(["values", "parameters", "parameterSources", "seeds", "hardware", "schema", "given", "modelConfig", "datasetInfo", "additionalInfo"]);

/** The SHA-256 of the files that a predicate names. */
function artifactsOf(value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap(artifactsOf);
  if (!isObject(value)) return [];
  if (typeof value["sha256"] === "string" && typeof value["cid"] === "string" && typeof value["path"] === "string") return [value["sha256"]];
  return Object.entries(value).flatMap(([name, item]) => (FREE.has(name) ? [] : artifactsOf(item)));
}
