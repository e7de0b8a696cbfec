/** The manifest of a record: an in-toto Statement v1 in RFC 8785 bytes, and whether it fits a record's key. */
import { kinds, subjectTypes } from "@blockchaintracer/contracts";
import { bytesToHex, sha256Hex, utf8ToBytes } from "./bytes.ts";
import { InputError, UnknownVersion } from "./errors.ts";
import { cidOfSha256 } from "./hash.ts";
import { canonicalText, checkSize, isObject, MAX_DEPTH, readJson } from "./json.ts";
import type { JsonObject } from "./json.ts";
import { CONTENT_KINDS, predicateRule } from "./predicates.ts";
import { globalId, typedDigest } from "./record.ts";
import type { Link, RecordKey } from "./record.ts";
import { list, object, text } from "./schema.ts";

/** What a manifest says. `parents` is null for content, which states none and fits those of any key. */
export interface Manifest {
  kind: number;
  subjectType: number;
  subject: string;
  parents: Link[] | null;
  name: string | undefined;
  predicate: JsonObject;
  sha256: string;
  cid: string;
  /** What the record commits to. */
  bytes: Uint8Array;
}

/** The largest manifest, in bytes. */
export const MAX_MANIFEST = 1 << 20;
const PREFIX = "urn:blockchaintracer:predicate:";
const kindNames = new Map<number, string>(Object.entries(kinds).map(([name, number]) => [number, name]));

/** Return the name of a kind, or the lab's own number as text. */
export const kindName = (kind: number): string => kindNames.get(kind) ?? String(kind);

/** Return the kind that the URN of a predicate names. */
function kindOf(urn: string): { kind: number; name: string } {
  const match = /^urn:blockchaintracer:predicate:([a-z0-9-]+):v([1-9][0-9]*)$/.exec(urn);
  if (match && match[2] !== "1") {
    throw new UnknownVersion(`the manifest: it is written in version ${match[2]} of predicate:${match[1]}; this program reads version 1`);
  }
  const name = match?.[1] ?? "";
  const own = /^\d{3}$/.test(name) && Number(name) >= 128 && Number(name) <= 255;
  const kind = Object.hasOwn(kinds, name) ? kinds[name as keyof typeof kinds] : own ? Number(name) : undefined;
  if (kind === undefined) throw new InputError(`predicateType: expected ${PREFIX}<kind>:v1 of a known kind`);
  return { kind, name };
}

const line = text((value) => value.length > 0, "text");
const statement = object({
  _type: text(/^https:\/\/in-toto\.io\/Statement\/v1$/, "https://in-toto.io/Statement/v1"),
  predicateType: text(() => true, "text"),
  predicate: () => undefined,
  subject: list(object({ name: line, digest: object({ sha256: text(/^[0-9a-f]{64}$/, "a SHA-256 of 64 hex digits") }) })),
});

/**
 * Read a manifest from its bytes.
 *
 * @throws InputError naming the field, if they are too many, not RFC 8785's form, or break a rule of the predicate.
 */
export function parseManifest(data: Uint8Array): Manifest {
  if (data.length > MAX_MANIFEST) throw new InputError(`manifest: expected at most ${MAX_MANIFEST} bytes, got ${data.length}`);
  const { value, text: read, form } = readJson(data, "manifest", MAX_DEPTH, false);
  checkSize(value, "manifest");
  if (isObject(value)) {
    if (value["predicate"] !== undefined && !isObject(value["predicate"])) throw new InputError("predicate: expected an object");
    // a newer version may have another form: it is named before anything else is read
    try {
      if (typeof value["predicateType"] === "string") kindOf(value["predicateType"]);
    } catch (error) {
      // a number that was rounded is refused all the same
      canonicalText(value);
      throw error;
    }
  }
  if (form !== read) throw new InputError("manifest: expected the canonical form of RFC 8785");
  statement(value, "");
  const { predicateType, predicate, subject } = value as unknown as {
    predicateType: string;
    predicate: JsonObject;
    subject: { name: string; digest: { sha256: string } }[];
  };
  const { kind, name } = kindOf(predicateType);
  const rule = predicateRule(name);
  if (!rule) throw new InputError(`predicateType: expected a kind that this version can describe, got ${name}`);
  rule(predicate, "predicate");
  if (subject.length !== 1) throw new InputError(`subject: expected one, got ${subject.length}`);
  const { name: subjectName, digest } = subject[0]!;
  const given = predicate["name"] as string | undefined;
  if (subjectName !== (given ?? "_")) throw new InputError("subject[0].name: expected the predicate's name, or _");
  const expected = subjectOf(predicate, name);
  if (expected !== undefined && digest.sha256 !== expected) {
    throw new InputError(`subject[0].digest: expected ${expected}, which follows from the predicate, got ${digest.sha256}`);
  }
  const isContent = CONTENT_KINDS.includes(name);
  const typeName = name === "run" || name === "reference" ? "identifier" : (predicate["subjectType"] as keyof typeof subjectTypes);
  const sha256 = sha256Hex(data);
  const parents = predicate["parents"] as { record: `0x${string}`; relation: number }[] | undefined;
  return {
    kind,
    subjectType: subjectTypes[typeName],
    subject: digest.sha256,
    parents: isContent ? null : parents!.map((link) => ({ parent: link.record, relation: link.relation })),
    name: given,
    predicate,
    sha256,
    cid: cidOfSha256(sha256),
    bytes: data,
  };
}

/** The digest of the subject where it follows from the predicate. */
function subjectOf(predicate: JsonObject, kind: string): string | undefined {
  const field = (name: string): string => predicate[name] as string;
  if (kind === "run") return sha256Hex(utf8ToBytes(field("runId")));
  if (kind === "reference") {
    const text = globalId({ chainId: BigInt(field("chainId")), registry: field("registry") }, field("recordId"));
    return sha256Hex(utf8ToBytes(text));
  }
  if (kind === "witness") return (predicate["receipt"] as JsonObject)["sha256"] as string;
  if (kind === "renewal") return (predicate["roots"] as JsonObject)["sha3-256"] as string;
  if (kind === "identity-claim") {
    const said = predicate["statement"] as { chainId: string; registry: string; signedAt: string; group?: number };
    const message = { ...said, group: said.group ?? 0, signedAt: BigInt(said.signedAt) };
    return bytesToHex(typedDigest({ chainId: BigInt(said.chainId), registry: said.registry }, "IdentityClaim", message));
  }
  if (predicate["identifier"] !== undefined) return sha256Hex(utf8ToBytes(field("identifier")));
  return (predicate["encrypted"] as JsonObject | undefined)?.["commitment"] as string | undefined;
}

/** Say in which fields a manifest and a key contradict each other. That the key commits to it is for the caller. */
export function checkAgainstKey(manifest: Manifest, key: RecordKey): string[] {
  const links = (parents: readonly Link[]): string => parents.map((link) => `${link.parent}:${link.relation}`).join(", ");
  const pairs: [string, string | number, string | number][] = [
    ["kind", manifest.kind, key.kind],
    ["subjectType", manifest.subjectType, key.subjectType],
    ["subject", manifest.subject, key.subject],
  ];
  if (manifest.parents) pairs.push(["parents", links(manifest.parents) || "none", links(key.parents) || "none"]);
  return pairs
    .filter(([, ours, theirs]) => ours !== theirs)
    .map(([field, ours, theirs]) => `${field}: the manifest says ${ours}, the record ${theirs}`);
}
