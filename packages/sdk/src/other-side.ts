/**
 * The other side of a claim of identity: whether a domain, GitHub or ORCID names the account, group or claim, too
 * (docs/identity.md). It is asked by a `fetch` that the caller passes; DNS and ENS are not asked here.
 */
import { InputError } from "./errors.ts";
import type { IdentityClaim } from "./identity.ts";
import { isObject, MAX_DEPTH, readJson } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import { limited } from "./node-client.ts";
import type { Domain } from "./record.ts";

/** Whether bytes of a page name a claim. `by` is what they name: the claim itself, or its account or group. */
export interface Named {
  says: boolean;
  reason: string;
  by: "claim" | "account" | "group" | null;
}

/** What the other side says now. `confirmed` is null where nothing here decides it. */
export interface Confirmation extends Omit<Named, "says"> {
  confirmed: boolean | null;
  /** The page that was asked; null if none was. */
  address: string | null;
}

const LIMIT = 1 << 20;
const MAX_NAMES = 1000;
const SECONDS = 30;
const NO_PAGE = "it has no such page";
const FILE = "blockchaintracer.json";

/**
 * Ask the other side whether it names a claim that was checked (`checkIdentityClaim`). No redirect is followed.
 *
 * @param fetcher the `fetch` of the browser, of Node, or one of your own.
 */
export async function confirmIdentity(claim: IdentityClaim, domain: Domain, fetcher: typeof fetch): Promise<Confirmation> {
  const { scheme, identifier } = claim;
  const open = (reason: string, address: string | null = null): Confirmation => ({ confirmed: null, reason, by: null, address });
  if (scheme === "ens") return open("an ENS name is asked on its chain: `blockchaintracer identity check` does");
  if (claim.unknown) return open(claim.unknown);
  const address = { orcid: `https://pub.orcid.org/v3.0/${identifier}/person`, domain: `https://${identifier}/.well-known/${FILE}`, github: `https://raw.githubusercontent.com/${identifier}/${identifier}/HEAD/${FILE}` }[scheme];
  try {
    const page = await pageAt(fetcher, address);
    // GitHub serves the file of a renamed user under the old name, which anyone can take then
    const owner = page && scheme === "github" ? await pageAt(fetcher, `https://api.github.com/users/${identifier}`) : null;
    const { says, reason, by } = page ? namesClaim(page, claim, domain) : { says: false, reason: NO_PAGE, by: null };
    if (says && scheme === "github" && loginIn(owner) !== identifier) return { confirmed: false, reason: "GitHub has no such user now: the file is that of a renamed one", by: null, address };
    if (!says && scheme === "domain") return open(`its file does not confirm it: ${reason}. Its DNS was not asked: \`blockchaintracer identity check\` does`, address);
    return { confirmed: says, reason, by, address };
  } catch (error) {
    return open(`it could not be asked: ${error instanceof Error ? error.message.slice(0, 200) : "no answer"}`, address);
  }
}

/** Say whether a page names a claim: the file of a domain or GitHub user, or the public record of ORCID. */
export function namesClaim(page: Uint8Array, claim: IdentityClaim, domain: Domain): Named {
  try {
    const given = objectIn(page);
    if (claim.scheme === "orcid") {
      if (given["path"] !== `/${claim.identifier}/person`) throw new InputError(`it is not the record of ${claim.identifier}`);
      return judged(textsOf(given), claim, domain);
    }
    const names = given["names"];
    if (given["type"] !== "urn:blockchaintracer:identity-page:v1") throw new InputError("expected the page of an identity, version 1");
    if (!Array.isArray(names) || names.length > MAX_NAMES || !names.every((name) => typeof name === "string")) throw new InputError(`expected at most ${MAX_NAMES} texts in its list names`);
    if (given["of"] !== `${claim.scheme}:${claim.identifier}`) throw new InputError(`it is not the page of ${claim.scheme}:${claim.identifier}`);
    return judged(names, claim, domain);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { says: false, reason: error.message, by: null };
  }
}

/** Whether one of the texts names the claim: exactly, but for the case of hex digits. */
function judged(texts: readonly string[], { account, group, claim }: IdentityClaim, { chainId, registry }: Domain): Named {
  const where = `eip155:${BigInt(chainId)}:${registry.toLowerCase()}`;
  const holder = group ? `${where}/group/${group}` : `${where}/account/${account}`;
  const plain = new Set(texts.map((text) => (/^[\0-\x7f]*$/.test(text) ? text.toLowerCase() : text)));
  const by = plain.has(`${where}/claim/${claim}`) ? "claim" : plain.has(holder) ? (group ? "group" : "account") : null;
  return { says: by !== null, reason: by ? `it names the ${by}` : "it names neither the claim nor the account or group", by };
}

/** What a record of ORCID names: a website's whole address or the part behind `#`, an identifier's value or address. */
function textsOf(person: JsonObject): string[] {
  const entries = ([list, name]: readonly [string, string]): Json[] => {
    const group = person[list];
    const listed = isObject(group) ? group[name] : undefined;
    return Array.isArray(listed) ? listed : [];
  };
  const lists = [["researcher-urls", "researcher-url"], ["external-identifiers", "external-identifier"]] as const;
  return lists.flatMap(entries).flatMap((entry) => {
    if (!isObject(entry) || String(entry["visibility"]).toLowerCase() !== "public") return [];
    const value = (key: string): Json | undefined => (isObject(entry[key]) ? (entry[key] as JsonObject)["value"] : undefined);
    const given = [entry["external-id-value"], value("url"), value("external-id-url")];
    return given.flatMap((text) => (typeof text === "string" ? [text, text.includes("#") ? text.slice(text.indexOf("#") + 1) : ""] : []));
  });
}

function objectIn(data: Uint8Array): JsonObject {
  if (data.length > LIMIT) throw new InputError(`expected at most ${LIMIT} bytes, got more`);
  const { value } = readJson(data, "the page", MAX_DEPTH, true);
  if (!isObject(value)) throw new InputError("expected a JSON object, got another value");
  return value;
}

function loginIn(data: Uint8Array | null): string | undefined {
  const login = data ? objectIn(data)["login"] : undefined;
  return typeof login === "string" ? login.toLowerCase() : undefined;
}

/** The page at an address; null if there is none. */
async function pageAt(fetcher: typeof fetch, address: string): Promise<Uint8Array | null> {
  const answer = await fetcher(address, { headers: { Accept: "application/json" }, redirect: "error", credentials: "omit", referrerPolicy: "no-referrer", signal: AbortSignal.timeout(SECONDS * 1000) });
  if (answer.status === 404 || answer.status === 410) return null;
  if (answer.status !== 200) throw new InputError(`it answers with status ${answer.status}`);
  return new TextEncoder().encode(await limited(answer, LIMIT));
}
