/** What groups say of a record: each by its last event, compared with the registry's state, its block, the role of who gave it and its evidence. */
import { kinds, labRegistryAbi, relations, roles } from "@blockchaintracer/contracts";
import { decodeEventLog, encodeEventTopics } from "viem/utils";
import { memberAt, problemOf } from "./authorship.ts";
import type { Told, Topics } from "./authorship.ts";
import type { Hex } from "./bytes.ts";
import { Unavailable } from "./errors.ts";
import type { RecordKey } from "./record.ts";
import { verdictName } from "./registry.ts";
import type { Attestation, Log, Registry } from "./registry.ts";
import { when } from "./storage.ts";
import type { RecordStatus } from "./storage.ts";

/** Where events and keys are found. Nothing of it is believed. */
export interface Found {
  logs(topics: Topics): Promise<Log[]>;
  key(id: Hex): Promise<RecordKey | undefined>;
  isHistoryWhole(): Promise<boolean>;
}

/** The verdict of a group. `attester` is undefined where no event tells who gave it. */
export interface Given {
  group: number;
  said: Attestation | undefined;
  attester: Hex | undefined;
  check: Told;
}

type Name = Attestation["verdict"];
interface Event {
  log: Log;
  verdict: Name;
  version: number;
  /** of one that was given */
  attester?: Hex;
  evidence?: Hex;
}

const ON_EVIDENCE: readonly Name[] = ["reproduced", "not-reproduced"];
/** The largest count that the registry's slot can hold: from then on it says nothing. */
const COUNT_STAYS = 2 ** 22 - 1;
/** The registry keeps as many of the evidence's low bits. */
const EVIDENCE_BITS = 136;
const MOST_GROUPS = 1000;

/**
 * Check the current verdicts on a record, and whether the registry counts what its events tell.
 *
 * @param groups whose verdicts count; those of all groups, if empty.
 */
export async function* checkVerdicts(registry: Registry, id: Hex, key: RecordKey, status: RecordStatus, groups: readonly number[], from: Found): AsyncGenerator<Given | Told> {
  const newest = await lastEvents(id, from);
  const counts: Partial<Record<Name, number>> = { reviewed: status.reviewed, reproduced: status.reproduced, "not-reproduced": status.notReproduced, disputed: status.disputed };
  const given = [...newest.values()].filter((event) => event.attester).map(({ verdict }) => verdict);
  const isWhole = await from.isHistoryWhole();
  const wrong = Object.entries(counts).filter(([name, count]) => count !== COUNT_STAYS && count !== given.filter((it) => it === name).length);
  if (wrong.length && isWhole) yield { verdict: "fail", detail: `the registry counts otherwise than its events tell: ${wrong.map(([name, count]) => `${name}: ${count}`).join("; ")}` };
  // a group cannot speak of its own record
  const counting = (groups.length ? groups : [...newest.keys()].sort((a, b) => a - b)).filter((group) => group !== key.group);
  if (counting.length > MOST_GROUPS) yield { verdict: "unknown", detail: `more than ${MOST_GROUPS} groups gave one: choose those that count` };
  for (const group of counting.slice(0, MOST_GROUPS)) {
    const event = newest.get(group);
    // a verdict whose event is missing is told by the state alone
    const isNone = !event && !Object.values(counts).some(Boolean);
    try {
      const said = isNone ? undefined : await registry.verdictOf(group, id);
      yield { group, said, attester: event?.attester, check: await judge(registry, id, group, said, event, from) };
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      yield { group, said: undefined, attester: undefined, check: { verdict: "unknown", detail: error.message } };
    }
  }
}

async function lastEvents(id: Hex, from: Found): Promise<Map<number, Event>> {
  const newest = new Map<number, Event>();
  for (const eventName of ["Attested", "VerdictWithdrawn"] as const) {
    for (const log of await from.logs(encodeEventTopics({ abi: labRegistryAbi, eventName, args: { recordId: id } }) as Topics)) {
      const [group, event] = read(log);
      const before = newest.get(group)?.log;
      if (!before || before.block < log.block || (before.block === log.block && before.index < log.index)) newest.set(group, event);
    }
  }
  return newest;
}

function read(log: Log): [group: number, event: Event] {
  try {
    const { eventName, args } = decodeEventLog({ abi: labRegistryAbi, topics: log.topics as [Hex, ...Hex[]], data: log.data });
    if (eventName !== "Attested" && eventName !== "VerdictWithdrawn") throw new Unavailable("another event");
    const event = { log, verdict: verdictName(args.verdict), version: args.version };
    return [args.group, eventName === "Attested" ? { ...event, attester: args.attester.toLowerCase() as Hex, evidence: args.evidence } : event];
  } catch {
    throw new Unavailable("the node answered a verdict that no registry emits");
  }
}

async function judge(registry: Registry, id: Hex, group: number, said: Attestation | undefined, event: Event | undefined, from: Found): Promise<Told> {
  if (!event) {
    if (!said || said.verdict === "none") return { verdict: "pass", detail: "it has given none" };
    return { verdict: "pass", detail: `${said.verdict}, given ${when(said.attestedAt)} (state); who gave it, and on what evidence, is unknown` };
  }
  const { attester, evidence = "0x0", verdict, version, log } = event;
  const now = said!;
  if (!attester) {
    const isGone = now.verdict === "none";
    return { verdict: isGone ? "pass" : "fail", detail: isGone ? `withdrawn; it was ${verdict}` : `withdrawn by its event, but ${now.verdict} in the registry` };
  }
  const isOn = BigInt(evidence) !== 0n;
  const problems: string[] = [];
  if (now.verdict !== verdict || now.version !== version || BigInt.asUintN(EVIDENCE_BITS, BigInt(evidence)) !== now.evidence) {
    problems.push(`the registry holds ${now.verdict}, version ${now.version}`);
  }
  const block = await registry.chain.block(log.block);
  if (block?.timestamp !== now.attestedAt) problems.push(`its time in the registry, ${when(now.attestedAt)}, is not that of its block`);
  else {
    const member = await memberAt(registry, group, attester, { ...log, isOnChain: true }, now.attestedAt, from.isHistoryWhole);
    const why = member === undefined ? undefined : problemOf(member, roles.reviewer, now.attestedAt);
    if (why) problems.push(`${attester} was no reviewer of group ${group}: ${why}`);
  }
  let isOpen = false;
  if (isOn) {
    const key = await from.key(evidence);
    const { status } = key ? (await registry.statusesOf([evidence]))[0]! : await registry.statusOf(evidence);
    // an opinion stays when its evidence is retracted, and anyone may give one: that is not the record's fault
    isOpen = status === "retracted" && !ON_EVIDENCE.includes(verdict);
    if (!isOpen && status !== "recorded") problems.push(`its evidence is ${status === "retracted" ? "retracted" : "not recorded"}`);
    else if (!isOpen && key) problems.push(...evidenceProblems(id, group, verdict, key));
  } else if (ON_EVIDENCE.includes(verdict)) problems.push("such a verdict needs evidence");
  const detail = `${verdict}, says ${attester}, ${isOn ? `on evidence ${evidence}` : "without evidence"}, given ${when(now.attestedAt)}`;
  if (problems.length) return { verdict: "fail", detail: `${detail}: but ${problems.join("; ")}` };
  return { verdict: isOpen ? "unknown" : "pass", detail: isOpen ? `${detail}, but that evidence is retracted` : detail };
}

function evidenceProblems(id: Hex, group: number, verdict: Name, key: RecordKey): string[] {
  const names = key.parents.some(({ parent, relation }) => parent === id && relation === relations.reproduces);
  const isRun = !ON_EVIDENCE.includes(verdict) || (key.kind === kinds.run && names);
  return [...(key.group === group ? [] : [`its evidence is of group ${key.group}`]), ...(isRun ? [] : ["its evidence is not a run that names the record as reproduced"])];
}
