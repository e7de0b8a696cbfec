/**
 * The other side of a claim of identity: whether a domain, GitHub or ORCID names the account, group or claim, too
 * (docs/identity.md). It is asked by a `fetch`, and ENS by a client, that the caller passes. DNS is not asked here.
 */
import { ensChain, ensPage } from "./ens.ts";
import { InputError, Unavailable } from "./errors.ts";
import type { IdentityClaim } from "./identity.ts";
import { canonical, isObject, MAX_DEPTH, readJson } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import { limited } from "./node-client.ts";
import type { Domain } from "./record.ts";
import { Chain } from "./registry.ts";
import type { Client } from "./registry.ts";
import { when } from "./storage.ts";

/** Whether bytes of a page name a claim. `by` is what they name: the claim itself, or its account or group. */
export interface Named {
  says: boolean;
  reason: string;
  by: "claim" | "account" | "group" | null;
}

/** What the other side says now. `confirmed` is null where nothing here decides it. */
export interface Confirmation extends Omit<Named, "says"> {
  confirmed: boolean | null;
  /** The page that was asked, or the record of ENS in words; null if none was. */
  address: string | null;
}

const LIMIT = 1 << 20;
const MAX_NAMES = 1000;
const SECONDS = 30;
const NO_PAGE = "it has no such page";
const FILE = "blockchaintracer.json";

/** A way to ask: the page, or the text record of ENS as one. */
export type Way = "orcid" | "well-known" | "did-configuration" | "github" | "ens";
const now = (): number => Math.floor(Date.now() / 1000);

/**
 * Ask the other side whether it names a claim that was checked (`checkIdentityClaim`). No redirect is followed.
 *
 * @param fetcher the `fetch` of the browser, of Node, or one of your own.
 * @param client for an ENS name: of Ethereum, or of the test network that the claim is on.
 */
export async function confirmIdentity(claim: IdentityClaim, domain: Domain, fetcher: typeof fetch, client?: Client | Chain): Promise<Confirmation> {
  const { scheme, identifier } = claim;
  const open = (reason: string, address: string | null = null): Confirmation => ({ confirmed: null, reason, by: null, address });
  if (claim.unknown) return open(claim.unknown);
  if (scheme === "ens") return await confirmEns(claim, domain, client);
  const pages: readonly [way: Way, address: string][] = {
    orcid: [["orcid", `https://pub.orcid.org/v3.0/${identifier}/person`] as const],
    domain: [["well-known", `https://${identifier}/.well-known/${FILE}`] as const, ["did-configuration", `https://${identifier}/.well-known/did-configuration.json`] as const],
    github: [["github", `https://raw.githubusercontent.com/${identifier}/${identifier}/HEAD/${FILE}`] as const],
  }[scheme].map(([way, address]) => [way, address]);
  const first = pages[0]![1];
  const [away, denied]: [string[], string[]] = [[], []];
  for (const [way, address] of pages) {
    try {
      const page = await pageAt(fetcher, address);
      // GitHub serves the file of a renamed user under the old name, which anyone can take then
      const owner = page && way === "github" ? await pageAt(fetcher, `https://api.github.com/users/${identifier}`) : null;
      const { says, reason, by } = page ? namesClaim(page, claim, domain, way) : { says: false, reason: NO_PAGE, by: null };
      if (says && way === "github" && loginIn(owner) !== identifier) return { confirmed: false, reason: "GitHub has no such user now: the file is that of a renamed one", by: null, address };
      if (says || scheme !== "domain") return { confirmed: says, reason, by, address };
      denied.push(`${way}: ${reason}`);
    } catch (error) {
      const why = error instanceof Error ? error.message.slice(0, 200) : "no answer";
      if (scheme !== "domain") return open(`it could not be asked: ${why}`, address);
      away.push(`${way}: ${why}`);
    }
  }
  const told = away.length ? `it could not be asked: ${[...away, ...denied].join("; ")}` : `its files do not confirm it: ${denied.join("; ")}`;
  return open(`${told}. Its DNS was not asked, which takes a resolver: \`blockchaintracer identity check\` does`, first);
}

async function confirmEns(claim: IdentityClaim, domain: Domain, client: Client | Chain | undefined): Promise<Confirmation> {
  const expected = ensChain(domain.chainId);
  const address = `the text record of ${claim.identifier}, ENS of chain ${expected}`;
  const open = (reason: string): Confirmation => ({ confirmed: null, reason, by: null, address: client ? address : null });
  if (!client) return open(`an ENS name is asked on its chain: give a client of chain ${expected}, or ask by \`blockchaintracer identity check\``);
  try {
    const page = await ensPage(client instanceof Chain ? client : new Chain(client), claim.identifier, expected);
    const { says, reason, by } = page ? namesClaim(canonical(page), claim, domain, "ens") : { says: false, reason: "the name has no such text on its chain", by: null };
    return { confirmed: says, reason, by, address };
  } catch (error) {
    if (error instanceof Unavailable || error instanceof InputError) return open(`it could not be asked: ${error.message}`);
    throw error;
  }
}

/**
 * Say whether a page names a claim: the file of a domain or GitHub user, the DID configuration of a domain, the public record
 * of ORCID, or a text record of ENS as a page.
 *
 * @param at when the page was fetched, Unix seconds.
 */
export function namesClaim(page: Uint8Array, claim: IdentityClaim, domain: Domain, way?: Way, at = now()): Named {
  try {
    const given = objectIn(page);
    if (claim.scheme === "orcid") {
      if (given["path"] !== `/${claim.identifier}/person`) throw new InputError(`it is not the record of ${claim.identifier}`);
      return judged(textsOf(given), claim, domain);
    }
    if (way === "did-configuration") return linked(given, claim, domain, at);
    const names = given["names"];
    if (given["type"] !== "urn:blockchaintracer:identity-page:v1") throw new InputError("expected the page of an identity, version 1");
    if (!Array.isArray(names) || names.length > MAX_NAMES || !names.every((name) => typeof name === "string")) throw new InputError(`expected at most ${MAX_NAMES} texts in its list names`);
    if (given["of"] !== `${claim.scheme}:${claim.identifier}`) throw new InputError(`it is not the page of ${claim.scheme}:${claim.identifier}`);
    if (claim.scheme === "ens" && given["expires"] !== undefined) requireNotExpired(given);
    return judged(names, claim, domain);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { says: false, reason: error.message, by: null };
  }
}

/** Whether a Domain Linkage Credential links the domain and the account, and had not ended. Its proof is not checked: the signed claim takes its place. */
function linked(given: JsonObject, { account, group, identifier }: IdentityClaim, { chainId }: Domain, at: number): Named {
  if (group) throw new InputError("a DID names an account, not a group");
  const credentials = given["linked_dids"];
  if (!Array.isArray(credentials) || credentials.length > MAX_NAMES) throw new InputError(`expected at most ${MAX_NAMES} credentials in its list linked_dids`);
  const did = `did:pkh:eip155:${BigInt(chainId)}:${account}`;
  const isOwn = (it: Json | undefined): boolean => typeof it === "string" && /^[\0-\x7f]*$/.test(it) && it.toLowerCase() === did;
  const links = credentials.some((credential) => {
    if (!isObject(credential) || !isObject(credential["credentialSubject"])) return false;
    const { type, issuer, issuanceDate, expirationDate, credentialSubject: subject } = credential;
    const isKind = Array.isArray(type) && type.includes("DomainLinkageCredential");
    const isThen = timeIn(issuanceDate, at) <= at && at <= timeIn(expirationDate, at - 1);
    return isKind && isOwn(issuer) && isOwn(subject["id"]) && subject["origin"] === `https://${identifier}` && isThen;
  });
  return { says: links, reason: links ? "it names the account as did:pkh" : `no credential links ${did} and https://${identifier}`, by: links ? "account" : null };
}

/** A time of a credential in Unix seconds; `otherwise` if it states none, and NaN if it is not read here, which never counts. */
function timeIn(text: Json | undefined, otherwise: number): number {
  if (typeof text !== "string") return otherwise;
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  return isTime ? Date.parse(text) / 1000 : NaN;
}

function requireNotExpired(given: JsonObject): void {
  const [expires, time] = ["expires", "time"].map((name) => (typeof given[name] === "string" && /^\d{1,77}$/.test(given[name]) ? BigInt(given[name]) : undefined));
  if (expires === undefined || time === undefined) throw new InputError("it does not say when the name expires");
  if (expires < time) throw new InputError(`the name expired on ${when(Number(expires))}: what it says is of its last owner`);
}

const CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz";

/** Read a ROR id, alone or as an address. Its last two digits are the check of ISO 7064, MOD 97-10, over Crockford's base 32. */
function rorIn(text: string): string {
  const [, id] = /^(?:https:\/\/ror\.org\/)?(0[a-hj-km-np-tv-z0-9]{6}[0-9]{2})$/.exec(text) ?? [];
  const number = [...(id ?? "").slice(0, 7)].reduce((sum, letter) => sum * 32n + BigInt(CROCKFORD.indexOf(letter)), 0n);
  if (!id || 98n - ((number * 100n) % 97n) !== BigInt(id.slice(7))) throw new InputError(`expected a ROR id such as https://ror.org/05dxps055, got ${JSON.stringify(text.slice(0, 80))}`);
  return id;
}

/**
 * Ask ROR whether it has a domain among those of an institution.
 *
 * @param institution a ROR id, alone or as `https://ror.org/ID`.
 * @throws InputError if that is none.
 */
export async function confirmInstitution(institution: string, domain: string, fetcher: typeof fetch): Promise<{ confirmed: boolean | null; reason: string; address: string }> {
  const address = `https://api.ror.org/v2/organizations/${rorIn(institution)}`;
  try {
    const page = await pageAt(fetcher, address);
    const { says, reason } = page ? namesDomain(page, institution, domain) : { says: false, reason: "ROR has no such record" };
    return { confirmed: says, reason, address };
  } catch (error) {
    return { confirmed: null, reason: `it could not be asked: ${error instanceof Error ? error.message.slice(0, 200) : "no answer"}`, address };
  }
}

/** Say whether ROR's record of an institution has a domain, itself or as the parent of this one. */
export function namesDomain(page: Uint8Array, institution: string, domain: string): { says: boolean; reason: string } {
  const id = rorIn(institution);
  try {
    const { id: own, status, domains } = objectIn(page);
    if (own !== `https://ror.org/${id}` || status !== "active") throw new InputError(`it is no active record of https://ror.org/${id}`);
    const known = (Array.isArray(domains) ? domains : []).filter((it): it is string => typeof it === "string");
    const parent = known.find((it) => domain === it || domain.endsWith(`.${it}`));
    return parent === undefined ? { says: false, reason: `ROR's record does not have the domain ${domain}` } : { says: true, reason: `ROR names ${parent} as a domain of https://ror.org/${id}` };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { says: false, reason: error.message };
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
    if (!isObject(entry) || typeof entry["visibility"] !== "string" || entry["visibility"].toLowerCase() !== "public") return [];
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
