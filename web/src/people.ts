/** Who stands behind a record, by claims of identity that are here, and what its group is called. */
import { checkIdentityClaim, confirmIdentity, identityTitle, InputError, namesClaim, NotSigned, readIdentities, verifyClaim } from "@blockchaintracer/sdk";
import type { Copies, Domain, Hex, IdentityClaim, IdentityEntry, Json, JsonObject, Registry } from "@blockchaintracer/sdk";
import { kinds, labRegistryAbi, relations } from "@blockchaintracer/contracts";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { decodeEventLog, encodeEventTopics } from "viem/utils";
import { quietly } from "./around.ts";
import { date } from "./dom.ts";
import { words } from "./given.ts";
import { T } from "./texts.ts";
import type { Shown } from "./view.ts";

const MOST_FILES = 20;
const MOST_PAGES = 50;
const MOST_GROUPS = 200;
/** The ways to ask another side, of which a page that a group kept is judged here, too. */
const WAYS: Record<string, string> = { orcid: "orcid", domain: "well-known", github: "github" };
const topicOf = (eventName: "GroupCreated" | "GroupDescribed"): Hex => encodeEventTopics({ abi: labRegistryAbi, eventName } as never)[0]! as Hex;

/** A claim about the author or the group of a record, in words. `counts`: it is neither forged nor withdrawn. */
export interface Name {
  title: string;
  state: string;
  details: string[];
  counts: boolean;
  asks?: OtherSide;
}

/** What is needed to ask the other side of a claim. `open` is what keeps its answer from deciding; empty if nothing does. */
export interface OtherSide {
  title: string;
  claim: IdentityClaim;
  domain: Domain;
  /** The pages that are asked: the first one names the claim. None if this page has no way to ask. */
  pages: string[];
  open: string;
  /** Whether an earlier claim to this name was withdrawn: then the other side has to name the claim itself. */
  isAgain: boolean;
}

/** Whose files of identities are about a record: its account's and its group's. */
export function holdersOf({ author, group }: Shown["key"], { chainId, registry }: Domain): string[] {
  const where = `eip155:${BigInt(chainId)}:${registry.toLowerCase()}`;
  return [`${where}/account/${author}`, `${where}/group/${group}`];
}

/** Judge the claims in files of identities that are about a record's author or group: by themselves and, with a node, by the registry's state. */
export async function namesOf({ key }: Shown, domain: Domain, files: readonly Json[], registry: Registry | undefined, copies: Copies | undefined): Promise<Name[]> {
  const names: Name[] = [];
  const withdrawn = new Set<string>();
  const holders = holdersOf(key, domain);
  // files of others must not hide those of this account and group
  const about = files.filter((file) => holders.includes(words((file as JsonObject | null)?.["holder"])));
  if (about.length > MOST_FILES) names.push({ title: T.claim.one, state: T.claim.undecided, details: [T.claim.unread(about.length - MOST_FILES)], counts: false });
  const own = about.slice(0, MOST_FILES).flatMap((file) => quietly(() => ({ ...readIdentities(file), file })) ?? []);
  const here = own.filter((file) => file.domain.chainId === BigInt(domain.chainId) && file.domain.registry === domain.registry.toLowerCase());
  const entries = new Map(here.flatMap(({ records }) => records.map((entry) => [entry.id, entry] as const)));
  const kept = new Map(here.flatMap(({ file }) => ((file as JsonObject)["records"] as JsonObject[]).map((record) => [record["id"], record["page"]] as const)));
  for (const entry of entries.values()) {
    const statement = entry.manifest.predicate["statement"] as { account: Hex; group?: number } | undefined;
    if (!statement || (statement.group === undefined ? statement.account !== key.author : statement.group !== key.group)) continue;
    let claim: IdentityClaim;
    try {
      claim = checkIdentityClaim(entry.manifest, entry.key, domain);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (!(error instanceof NotSigned) || !registry) {
        const no = error instanceof NotSigned ? { state: T.claim.undecided, details: [T.claim.unsigned(error.claim.account)] } : { state: T.claim.refused, details: [`${error.message}.`] };
        names.push({ title: T.claim.one, ...no, counts: false });
        continue;
      }
      // the code of the account may have signed it
      claim = error.claim;
    }
    const title = T.claim.of(claim.group, identityTitle(claim)) + (claim.unknown ? ` (${claim.unknown})` : "");
    const asks = { title: identityTitle(claim), claim, domain, pages: await pagesOf(claim, domain), open: T.claim.noNode(claim.group), isAgain: false };
    if (!registry) names.push({ title, state: T.claim.unconfirmed, details: [T.claim.signed(claim.group, claim.account)], counts: true, asks });
    else names.push(await judged(entry, asks, title, [...entries.values()], (id) => kept.get(id), registry, copies));
    if (names.at(-1)!.state === T.claim.withdrawn) withdrawn.add(title);
  }
  for (const { title, asks, details } of names) {
    if (!asks || !withdrawn.has(title)) continue;
    asks.isAgain = true;
    details.push(T.claim.again);
  }
  return names.sort((a, b) => Number(b.counts) - Number(a.counts));
}

async function judged(entry: IdentityEntry, asks: OtherSide, title: string, entries: readonly IdentityEntry[], page: (id: Hex) => Json | undefined, registry: Registry, copies: Copies | undefined): Promise<Name> {
  const { claim } = asks;
  const no = (state: string, why: string): Name => ({ title, state, details: [why], counts: false });
  const trust = { chainId: asks.domain.chainId, registry: asks.domain.registry };
  const { state, reason, recordedAt, revokedAt, unknown } = await verifyClaim(entry, { client: registry.chain, trust, ...(copies && { copies }) });
  if (state === "revoked") return no(T.claim.withdrawn, T.claim.withdrawnOn(date(revokedAt)));
  if (state !== "stands") return no(state === "refused" ? T.claim.refused : T.claim.undecided, T.claim.because(reason));
  const checks = entries.filter(({ key, manifest }) => {
    const told = (manifest.predicate["values"] as JsonObject | undefined)?.["identityCheck"];
    return key.kind === kinds.document && typeof told === "object" && told !== null && key.parents.some(({ parent, relation }) => parent === entry.id && relation === relations.confirms);
  });
  const statuses = await registry.statusesOf(checks.map(({ id }) => id));
  const seen = checks.flatMap((check, i) => {
    const { recordedAt: at, retractedAt: end } = statuses[i]!;
    return at && !end ? [T.claim.seen(check.key.group, date(at), check.key.group === entry.key.group, seenPage(check, page(check.id), asks))] : [];
  });
  const details = [T.claim.recorded(claim.group, claim.account, date(recordedAt)), ...seen, ...(unknown ? [T.claim.because(unknown)] : [])];
  return { title, state: T.claim.unconfirmed, details, counts: true, asks: { ...asks, open: unknown } };
}

/** Whether the page that a group kept names the claim; undefined if it is not here, or of a way that is not judged here. */
function seenPage({ manifest }: IdentityEntry, page: Json | undefined, { claim, domain }: OtherSide): boolean | undefined {
  const { method } = (manifest.predicate["values"] as JsonObject)["identityCheck"] as JsonObject;
  if (typeof page !== "string" || method !== WAYS[claim.scheme]) return undefined;
  const data = Uint8Array.from(atob(page), (letter) => letter.charCodeAt(0));
  if (!namesClaim(data, claim, domain).says) return false;
  const { account } = JSON.parse(new TextDecoder().decode(data)) as { account?: { login?: unknown } };
  return claim.scheme !== "github" || !account || account.login === claim.identifier;
}

/** The pages that are asked about a claim. Nothing is asked here. */
async function pagesOf(claim: IdentityClaim, domain: Domain): Promise<string[]> {
  const pages: string[] = [];
  await confirmIdentity(claim, domain, async (address) => {
    pages.push(String(address));
    return new Response("{}");
  });
  return pages;
}

/** The pages that claims in these files name, by their words alone: of a domain each its own. */
export function pagesIn(files: readonly Json[]): URL[] {
  const records = files.flatMap((file) => quietly(() => readIdentities(file).records) ?? []);
  const statements = records.flatMap(({ manifest }) => (manifest.predicate["statement"] ?? []) as { scheme: string; identifier: string } | []);
  const domains = statements.flatMap(({ scheme, identifier }) => (scheme === "domain" && /^[a-z0-9.-]+$/.test(identifier) ? [`https://${identifier}`] : []));
  const known = ["https://pub.orcid.org", "https://raw.githubusercontent.com", "https://api.github.com"];
  return (files.length ? [...known, ...new Set(domains)] : []).slice(0, MOST_PAGES).flatMap((text) => URL.parse(text) ?? []);
}

/** What the other side says now. `isConfirmed` is null where that is unknown. */
export interface Answered {
  state: string;
  detail: string;
  isConfirmed: boolean | null;
}

/** Asks the other side of a claim, or judges files from there, and tells what came of it. */
export type Ask = (side: OtherSide, files: readonly File[] | undefined, told: (answered: Answered) => void) => void;

/** Ask the other side of a claim, or judge files that the visitor saved from there: `fetcher` gives its pages. */
export async function confirmed({ claim, domain, open, isAgain }: OtherSide, fetcher: typeof fetch): Promise<Answered> {
  const told = await confirmIdentity(claim, domain, fetcher);
  const unknown = (why: string): Answered => ({ state: T.claim.unknown(why), detail: "", isConfirmed: null });
  const detail = T.claim.answered(told.address ?? "", date(Math.floor(Date.now() / 1000)), told.reason);
  if (told.confirmed === null) return unknown(told.reason);
  const isLeftover = told.confirmed && isAgain && told.by !== "claim";
  if (!told.confirmed || isLeftover) return { state: T.claim.unconfirmed, detail: isLeftover ? `${detail} ${T.claim.leftover}` : detail, isConfirmed: false };
  return open ? { ...unknown(open), detail } : { state: T.claim.confirmed, detail, isConfirmed: true };
}

/** A `fetch` that answers with files: the account of a GitHub user is told from the file that names the claim by its login. */
export function saved(files: readonly File[]): typeof fetch {
  return async (address) => {
    const texts = await Promise.all(files.slice(0, 2).map((file) => file.slice(0, 2 << 20).arrayBuffer()));
    const isUser = (data: ArrayBuffer): boolean => "login" in Object(quietly(() => JSON.parse(new TextDecoder().decode(data))));
    const wanted = new URL(String(address)).host === "api.github.com";
    const data = texts.find((text) => isUser(text) === wanted);
    if (!data) throw new InputError(T.claim.alsoNeeded(String(address)));
    return new Response(data);
  };
}

/** What the owner of a group calls it, and says of it. */
export interface Profile {
  name: string;
  about: string | undefined;
}

/** Find what the owners of groups call them: by the description whose SHA-256 is on the chain, if its bytes are here. */
export async function profilesOf(groups: readonly number[], registry: Registry, read: (sha256: string) => Promise<Uint8Array | null>): Promise<Map<number, Profile>> {
  const profiles = new Map<number, Profile>();
  const numbers = [...new Set(groups)].slice(0, MOST_GROUPS).map((group): Hex => `0x${group.toString(16).padStart(64, "0")}`);
  const logs = await registry.chain.logs(registry.address, [[topicOf("GroupCreated"), topicOf("GroupDescribed")], numbers]).catch(() => []);
  for (const log of logs.sort((a, b) => a.block - b.block || a.index - b.index)) {
    const said = quietly(() => decodeEventLog({ abi: labRegistryAbi, topics: log.topics as [Hex], data: log.data })) as { args: { group: number; manifest: Hex } } | undefined;
    if (!said) continue;
    const { group, manifest } = said.args;
    profiles.delete(group);
    const data = await read(manifest.slice(2));
    const profile = data && bytesToHex(sha256(data)) === manifest.slice(2) && (quietly(() => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data))) as Record<string, unknown> | null | undefined);
    if (!profile || profile["type"] !== "urn:blockchaintracer:group:v1" || typeof profile["name"] !== "string") continue;
    const about = profile["description"];
    profiles.set(group, { name: profile["name"].slice(0, 100), about: typeof about === "string" ? about.slice(0, 500) : undefined });
  }
  return profiles;
}
