/**
 * Claims of identity (docs/identity.md): the signed statement of a member, or for a group, who it is elsewhere. That the
 * other side names it too is not asked here.
 */
import { kinds } from "@blockchaintracer/contracts";
import { bytesToHex, fromHex, sha256Hex } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { InputError } from "./errors.ts";
import { formatOf, head } from "./formats.ts";
import { canonical, canonicalText } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import { chainIdText } from "./key-file.ts";
import { checkAgainstKey, parseManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { readKey, recordId, typedDigest } from "./record.ts";
import type { Domain, RecordKey } from "./record.ts";
import { anything, list, maybe, object, text } from "./schema.ts";
import { signerOf } from "./signatures.ts";
import { base64 } from "./witness.ts";

/** Who a member, or its group, says to be. `group` is 0 for the account's own claim. */
export interface IdentityClaim {
  account: Hex;
  group: number;
  scheme: "orcid" | "domain" | "github" | "ens";
  identifier: string;
  /** EIP-712 digest of the statement. */
  claim: Hex;
  /** What is unknown of it, as text: an identifier whose one form is not checked here. */
  unknown: string | undefined;
}

/** A record of a file of identities. */
export interface IdentityEntry {
  id: Hex;
  key: RecordKey;
  manifest: Manifest;
}

/** The key of the account did not sign a claim. If the account has code, a node tells whether that took the signature (ERC-1271). */
export class NotSigned extends InputError {
  override name = "NotSigned";
  readonly claim: IdentityClaim;

  constructor(claim: IdentityClaim) {
    super(`the statement is not signed by ${claim.account}`);
    this.claim = claim;
  }
}

const TITLES = { orcid: "ORCID", domain: "domain", github: "GitHub", ens: "ENS" };
const MAX_BYTES = 4 << 20;
const rule = object({
  ...head("identities"),
  chainId: chainIdText,
  registry: text(/^0x[0-9a-f]{40}$/, "an address of 0x and 40 hex digits"),
  holder: text(() => true, "text"),
  records: list(object({ id: text(/^0x[0-9a-f]{64}$/, "0x and 64 hex digits"), key: anything, manifest: anything, page: maybe(text((value) => base64(value) !== undefined, "base64")) }), 0, 200),
});

/** Return how people call an identifier: `ORCID 0000-0002-1825-0097`. */
export const identityTitle = (claim: IdentityClaim): string => `${TITLES[claim.scheme]} ${claim.identifier}`;

/** Return the name of an account of a registry, or of a group, as a file of identities has it. */
export function holderName(domain: Domain, holder: { account: string } | { group: number }): string {
  const where = `eip155:${BigInt(domain.chainId)}:${domain.registry.toLowerCase()}`;
  return "group" in holder ? `${where}/group/${holder.group}` : `${where}/account/${holder.account.toLowerCase()}`;
}

/**
 * Read a file of identities, of any origin. Nothing of it is believed yet.
 *
 * @throws UnknownVersion if it is of a version that this program does not read.
 * @throws InputError if it is none, or a manifest or page is not what its key says.
 */
export function readIdentities(value: Json): { domain: Domain & { chainId: bigint; registry: Hex }; holder: string; records: IdentityEntry[] } {
  if (formatOf(value) !== "identities") throw new InputError("expected a file of identities");
  if (canonical(value, false).length > MAX_BYTES) throw new InputError(`expected at most ${MAX_BYTES} bytes`);
  rule(value, "");
  const file = value as JsonObject;
  const domain = { chainId: BigInt(file["chainId"] as string), registry: file["registry"] as Hex };
  let before = "";
  const records = (file["records"] as JsonObject[]).map((record): IdentityEntry => {
    const key = readKey(record["key"]);
    const id = recordId(domain, key);
    const isInForm = canonicalText(key as unknown as Json) === canonicalText(record["key"]!) && id === record["id"] && id > before;
    if (!isInForm) throw new InputError("expected records by their ids, ascending, each once");
    before = id;
    const manifest = parseManifest(canonical(record["manifest"]!, false));
    const wrong = manifest.sha256 === key.manifest ? checkAgainstKey(manifest, key) : ["digest"];
    if (wrong.length) throw new InputError(`a manifest that is not its key's: ${wrong.join("; ")}`);
    const page = record["page"];
    if (page !== undefined && sha256Hex(base64(page as string)!) !== key.subject) throw new InputError("a page that is not the subject of its record");
    return { id, key, manifest };
  });
  return { domain, holder: file["holder"] as string, records };
}

/**
 * Return the claim that a record commits to, if its statement is of this registry, group and author, and signed.
 *
 * @throws NotSigned if the account's key did not sign it.
 * @throws InputError with the first reason why it is none: nothing of it counts.
 */
export function checkIdentityClaim(manifest: Manifest, key: RecordKey, domain: Domain): IdentityClaim {
  if (manifest.kind !== kinds["identity-claim"] || key.kind !== manifest.kind) throw new InputError("expected the record of an identity claim");
  const said = manifest.predicate["statement"] as { chainId: string; registry: Hex; account: Hex; group?: number; scheme: IdentityClaim["scheme"]; identifier: string; signedAt: string };
  if (key.manifest !== manifest.sha256 || key.subject !== manifest.subject) throw new InputError("the record is not of this statement: another digest");
  const pairs: [string, unknown, unknown][] = [
    ["chain", said.chainId, String(domain.chainId)],
    ["registry", said.registry, domain.registry.toLowerCase()],
    ["account", said.account, key.author],
    ["group", said.group, said.group === undefined ? undefined : key.group],
  ];
  for (const [what, ours, theirs] of pairs) {
    if (ours !== theirs) throw new InputError(`the statement is for ${what} ${String(ours)}, and its record is of ${what} ${String(theirs)}: it is replayed`);
  }
  const isNormal = isNormalIdentifier(said.scheme, said.identifier);
  if (isNormal === false) throw new InputError(`${JSON.stringify(said.identifier)} is not the one form of this ${TITLES[said.scheme]}`);
  const message = { ...said, group: said.group ?? 0, signedAt: BigInt(said.signedAt) };
  const digest = typedDigest({ chainId: BigInt(said.chainId), registry: said.registry }, "IdentityClaim", message);
  const unknown = isNormal ? undefined : "whether its international name is in its one form is not checked here";
  const claim: IdentityClaim = { account: said.account, group: said.group ?? 0, scheme: said.scheme, identifier: said.identifier, claim: `0x${bytesToHex(digest)}`, unknown };
  if (signerOf(digest, fromHex(manifest.predicate["signature"] as string), true) !== said.account) throw new NotSigned(claim);
  return claim;
}

/** Whether an identifier is in its one form; undefined for an international name, which is not decided here. */
function isNormalIdentifier(scheme: IdentityClaim["scheme"], text: string): boolean | undefined {
  const labels = text.split(".");
  switch (scheme) {
    case "orcid": {
      const digits = text.replaceAll("-", "");
      let total = 0;
      for (const digit of digits.slice(0, -1)) total = (total + Number(digit)) * 2;
      return /^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$/.test(text) && digits.at(-1) === "0123456789X"[(12 - (total % 11)) % 11];
    }
    case "github":
      return /^[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){0,38}$/.test(text);
    case "ens": {
      const isPlain = (it: string): boolean => /^_*[a-z0-9$-]+$/.test(it) && it.slice(2, 4) !== "--";
      // other ASCII and spaces are in no normal name (ENSIP-15)
      if (labels.length < 2 || labels.includes("") || [...text].length > 255 || /(?![a-z0-9$_.-])[\0-\x7f]|\p{Z}/u.test(text)) return false;
      return labels.every(isPlain) || undefined;
    }
    case "domain": {
      const isLabel = (it: string): boolean => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(it) && (it.slice(2, 4) !== "--" || it.startsWith("xn--"));
      if (labels.length < 2 || text.length > 253 || /^\d+$/.test(labels.at(-1)!) || !labels.every(isLabel)) return false;
      return labels.some((it) => it.startsWith("xn--")) ? undefined : true;
    }
  }
}
