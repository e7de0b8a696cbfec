/** Who stands behind a record, by claims of identity that are here, and what its group is called. No other side is asked. */
import { checkIdentityClaim, identityTitle, InputError, keyIn, NotSigned, readIdentities } from "@blockchaintracer/sdk";
import type { Domain, Hex, IdentityClaim, IdentityEntry, Json, JsonObject, Registry } from "@blockchaintracer/sdk";
import { kinds, labRegistryAbi, relations, roles } from "@blockchaintracer/contracts";
import { decodeEventLog, encodeEventTopics } from "viem/utils";
import { quietly } from "./around.ts";
import { date } from "./dom.ts";
import { T } from "./texts.ts";
import type { Shown } from "./view.ts";

const MOST_FILES = 20;
/** Seconds by which the clocks of a signer and of a chain may differ. */
const CLOCKS = 300;
const topicOf = (eventName: "GroupCreated" | "GroupDescribed" | "Recorded"): Hex => encodeEventTopics({ abi: labRegistryAbi, eventName } as never)[0]! as Hex;

/** A claim about the author or the group of a record, in words. `counts`: it is neither forged nor withdrawn. */
export interface Name {
  title: string;
  state: string;
  details: string[];
  counts: boolean;
}

/** Judge the claims in files of identities that are about a record's author or group: by themselves and, with a node, by the registry's state. */
export async function namesOf({ key }: Shown, domain: Domain, files: readonly Json[], registry: Registry | undefined): Promise<Name[]> {
  const names: Name[] = [];
  const own = files.slice(0, MOST_FILES).flatMap((file) => quietly(() => readIdentities(file)) ?? []);
  const here = own.filter((file) => file.domain.chainId === BigInt(domain.chainId) && file.domain.registry === domain.registry.toLowerCase());
  const entries = new Map(here.flatMap(({ records }) => records.map((entry) => [entry.id, entry] as const)));
  for (const entry of entries.values()) {
    const statement = entry.manifest.predicate["statement"] as { account: Hex; group?: number } | undefined;
    if (!statement || (statement.group === undefined ? statement.account !== key.author : statement.group !== key.group)) continue;
    let claim: IdentityClaim;
    try {
      claim = checkIdentityClaim(entry.manifest, entry.key, domain);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const no = error instanceof NotSigned ? { state: T.claim.undecided, details: [T.claim.unsigned(error.claim.account)] } : { state: T.claim.refused, details: [`${error.message}.`] };
      names.push({ title: T.claim.one, ...no, counts: false });
      continue;
    }
    const title = T.claim.of(claim.group, identityTitle(claim)) + (claim.unknown ? ` (${claim.unknown})` : "");
    if (!registry) names.push({ title, state: T.claim.unconfirmed, details: [T.claim.signed(claim.group, claim.account)], counts: true });
    else names.push(await judged(entry, claim, title, [...entries.values()], registry));
  }
  return names.sort((a, b) => Number(b.counts) - Number(a.counts));
}

async function judged(entry: IdentityEntry, claim: IdentityClaim, title: string, entries: readonly IdentityEntry[], registry: Registry): Promise<Name> {
  const no = (state: string, why: string): Name => ({ title, state, details: [why], counts: false });
  const { recordedAt, retractedAt } = await registry.statusOf(entry.id);
  if (!recordedAt) return no(T.claim.refused, T.claim.notStored);
  const { signedAt } = entry.manifest.predicate["statement"] as { signedAt: string };
  if (Number(signedAt) > recordedAt + CLOCKS) return no(T.claim.refused, T.claim.signedLater);
  // an equal statement that was retracted ends this one, too
  const logs = await registry.chain.logs(registry.address, [topicOf("Recorded"), null, `0x${entry.key.subject}`]).catch(() => undefined);
  const equal = (logs ?? []).filter((log) => {
    const key = keyIn(log);
    return key?.kind === kinds["identity-claim"] && key.author === claim.account && (!claim.group || key.group === claim.group);
  });
  const ends = (await registry.statusesOf(equal.slice(0, MOST_FILES).map(({ topics }) => topics[1]!))).map((status) => status.retractedAt);
  const ended = [retractedAt, ...ends].filter(Boolean);
  if (ended.length) return no(T.claim.withdrawn, T.claim.withdrawnOn(date(Math.min(...ended))));
  if (claim.group && !(await speaksFor(registry, claim.group, claim.account))) return no(T.claim.refused, T.claim.noMaintainer(claim.account, claim.group));
  const checks = entries.filter(({ key, manifest }) => {
    const told = (manifest.predicate["values"] as JsonObject | undefined)?.["identityCheck"];
    return key.kind === kinds.document && typeof told === "object" && key.parents.some(({ parent, relation }) => parent === entry.id && relation === relations.confirms);
  });
  const statuses = await registry.statusesOf(checks.map(({ id }) => id));
  const seen = checks.flatMap(({ key }, i) => {
    const { recordedAt: at, retractedAt: end } = statuses[i]!;
    return at && !end ? [T.claim.seen(key.group, date(at), key.group === entry.key.group)] : [];
  });
  return { title, state: T.claim.unconfirmed, details: [T.claim.recorded(claim.group, claim.account, date(recordedAt)), ...seen, ...(logs ? [] : [T.claim.maybeEnded])], counts: true };
}

async function speaksFor(registry: Registry, group: number, account: Hex): Promise<boolean> {
  if ((await registry.groupOf(group))?.owner === account) return true;
  const [member, head] = [await registry.membershipOf(group, account), await registry.chain.block("latest")];
  return !!head && (member.roles & roles.maintainer) > 0 && member.since <= head.timestamp && (!member.until || head.timestamp < member.until);
}

/** Find what the owners of groups call them: by the description whose SHA-256 is on the chain, if its bytes are here. */
export async function groupNames(groups: readonly number[], registry: Registry, read: (sha256: string) => Promise<Uint8Array | null>): Promise<Map<number, string>> {
  const names = new Map<number, string>();
  const numbers = [...new Set(groups)].map((group): Hex => `0x${group.toString(16).padStart(64, "0")}`);
  const logs = await registry.chain.logs(registry.address, [[topicOf("GroupCreated"), topicOf("GroupDescribed")], numbers]).catch(() => []);
  for (const log of logs.sort((a, b) => a.block - b.block || a.index - b.index)) {
    const said = quietly(() => decodeEventLog({ abi: labRegistryAbi, topics: log.topics as [Hex], data: log.data })) as { args: { group: number; manifest: Hex } } | undefined;
    if (!said) continue;
    const { group, manifest } = said.args;
    names.delete(group);
    const data = await read(manifest.slice(2));
    const profile = data && (quietly(() => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data))) as { type?: unknown; name?: unknown } | null | undefined);
    if (profile?.type === "urn:blockchaintracer:group:v1" && typeof profile.name === "string") names.set(group, profile.name.slice(0, 100));
  }
  return names;
}
