/**
 * What a group states of a member's key: that it was lost or stolen since a time (docs/keys.md). The statement of another
 * maintainer of the group, or of its owner, counts: anyone with the stolen key could state something, too.
 */
import { kinds, labRegistryAbi, roles } from "@blockchaintracer/contracts";
import { decodeEventLog, encodeEventTopics } from "viem/utils";
import { ifAvailable, memberAt, problemOf } from "./authorship.ts";
import type { Place, Told, Topics } from "./authorship.ts";
import { sha256Hex, utf8ToBytes } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { Unavailable } from "./errors.ts";
import { checkAgainstKey } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import type { RecordKey } from "./record.ts";
import type { Registry } from "./registry.ts";
import { when } from "./storage.ts";

/** Where statements are found. Nothing of it is believed. */
export interface Statements {
  /** Stored records of a subject, with their events as far as the node gives them. */
  find(subject: string): Promise<{ id: Hex; key: RecordKey; place: Place | undefined }[]>;
  manifest(key: RecordKey): Promise<Manifest | undefined>;
  isHistoryWhole(): Promise<boolean>;
}

/**
 * Compare when a member of a group signed something (Unix seconds) with what the group states of the member's key. A check
 * fails if it was signed after the theft; it is unknown if the statement does not count, or nothing tells.
 */
export async function checkKey(registry: Registry, from: Statements, group: number, account: Hex, time: number): Promise<Told[]> {
  const made: Told[] = [];
  const statements = await from.find(sha256Hex(utf8ToBytes(`lost-or-stolen-key:${account}`)));
  if (!(await from.isHistoryWhole())) {
    made.push({ verdict: "unknown", detail: `whether group ${group} stated that the key of ${account} was lost or stolen is unknown: the node has forgotten the registry's first events` });
  }
  for (const { id, key, place } of statements) {
    if (key.group !== group || key.kind !== kinds.document) continue;
    const { status, recordedAt } = await registry.statusOf(id);
    // who has the key that it is about cannot take it back
    if (status !== "recorded" && (key.author === account || !(await retractors(registry, id)).includes(account))) continue;
    const since = sinceIn(await from.manifest(key), key, recordedAt);
    const taken = status === "recorded" ? "" : "; that key itself retracted the statement";
    const said = `${key.author} stated for group ${group}, ${when(recordedAt)} in record ${id}, that the key of ${account} was lost or stolen${taken}`;
    if (since === undefined) {
      made.push({ verdict: "unknown", detail: `${said}; since when is in its manifest, which is not here` });
    } else if (time < since) {
      made.push({ verdict: "pass", detail: `${said} since ${when(since)}: this was committed to before` });
    } else {
      const member = await memberAt(registry, group, key.author, place, recordedAt, () => from.isHistoryWhole());
      const isMaintainer = member !== undefined && !problemOf(member, roles.maintainer, recordedAt);
      const counts = key.author !== account && (isMaintainer || (await registry.groupOf(group))?.owner === key.author);
      const detail = counts ? "this was committed to after, so perhaps by somebody else" : "but they are not known as another maintainer of the group";
      made.push({ verdict: counts ? "fail" : "unknown", detail: `${said} since ${when(since)}: ${detail}` });
    }
  }
  return made;
}

async function retractors(registry: Registry, id: Hex): Promise<string[]> {
  const topics = encodeEventTopics({ abi: labRegistryAbi, eventName: "Retracted", args: { id } }) as Topics;
  const logs = (await ifAvailable(registry.chain.logs(registry.address, topics))) ?? [];
  try {
    return logs.map((log) => decodeEventLog({ abi: labRegistryAbi, eventName: "Retracted", topics: log.topics as [Hex, ...Hex[]], data: log.data }).args.by.toLowerCase());
  } catch {
    throw new Unavailable("the node answered a retraction that no registry emits");
  }
}

/** The time that a statement names; undefined if its manifest is missing or says no such time. */
function sinceIn(manifest: Manifest | undefined, key: RecordKey, statedAt: number): number | undefined {
  if (!manifest || checkAgainstKey(manifest, key).length) return undefined;
  const since = (manifest.predicate["values"] as { since?: unknown } | undefined)?.since;
  return typeof since === "number" && Number.isInteger(since) && since >= 0 && since <= statedAt ? since : undefined;
}
