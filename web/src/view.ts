/** Shows what a verification found: plain words first, then each check, then the evidence. */
import { kindName } from "@blockchaintracer/sdk";
import type { Attestation, Check, Json, JsonObject, Manifest, RecordKey, RecordStatus } from "@blockchaintracer/sdk";
import type { Moment } from "./around.ts";
import { bytes, code, date, h, short } from "./dom.ts";
import type { Digested } from "./given.ts";
import { relationName } from "./lineage.ts";
import { T, kindTitle } from "./texts.ts";

/** A record as it is shown, whichever way it was found. `standing` is what the newest state that was read says. */
export interface Shown {
  id: string;
  key: RecordKey;
  manifest: Manifest | null;
  standing: RecordStatus | null;
  committedAt: number;
  verdicts: Record<number, Attestation>;
}

/** What one source says: the proof by itself, or a node. */
export interface Said {
  by: string | undefined;
  outcome: string;
  isPrivate: boolean;
  checks: Check[];
  records: Shown[];
  doesNotProve: string[];
}

const MOST_ROWS = 500;
const tone = (outcome: string, isPrivate: boolean): string =>
  outcome === "verified" && !isPrivate ? "pass" : outcome === "not verified" ? "fail" : "unknown";

/** The outcome in one card. What was retracted stands above everything. */
export function outcomeCard(said: Said): HTMLElement {
  const retracted = said.records.find((record) => record.standing?.retractedAt);
  const restsOn = said.checks.some((check) => check.name === "lineage" && check.verdict === "fail");
  const heading = T.outcome[said.outcome] ?? said.outcome;
  return h(
    "div",
    { class: `outcome ${retracted ? "fail" : tone(said.outcome, said.isPrivate)}` },
    said.by ? h("p", { class: "dim" }, T.byNode(said.by)) : null,
    retracted && h("h2", {}, T.retracted(date(retracted.standing!.retractedAt))),
    retracted && h("p", {}, T.retractedMore),
    h(retracted ? "p" : "h2", {}, retracted ? h("strong", {}, heading) : heading),
    h("p", {}, T.says[said.outcome] ?? ""),
    restsOn && h("p", {}, T.restsOnRetracted),
    said.isPrivate && h("p", {}, T.privateChain),
  );
}

/** Who, for whom, when, from what, and what others say. */
export function plainWords(record: Shown, isWordOfFile: boolean): HTMLElement {
  const title = kindTitle(kindName(record.key.kind));
  const name = record.manifest?.name;
  const rows: [string, (Node | string)[]][] = [
    [T.what, [name ? T.calls(title, name) : T.unnamed(title)]],
    [T.whoCommitted, [`${T.account} `, code(record.key.author), h("p", { class: "dim" }, T.accountMore)]],
    [T.forGroup, [T.group(record.key.group)]],
    [T.when, when(record)],
    [T.from, parents(record)],
  ];
  const metrics = metricsOf(record.manifest);
  if (metrics) rows.push([T.metrics, [metrics]]);
  rows.push([T.othersSaid, said(record)]);
  return h(
    "section",
    { "aria-label": `${T.plainTitle}: ${titled(record)}` },
    h("h2", {}, T.plainTitle),
    isWordOfFile && h("p", { class: "unknown" }, T.wordOfFile),
    h("dl", {}, rows.map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)])),
  );
}

function when(record: Shown): Node[] {
  const named = record.manifest?.predicate["notBefore"] as { blockNumber: string; chainId: string; timestamp: string } | undefined;
  const sealed = record.standing?.sealedAt;
  return [
    h("span", {}, T.notAfter(date(record.committedAt))),
    // the author's word: no node was asked whether that block has this hash and time
    ...(named ? [h("p", { class: "dim" }, T.notBefore(named.blockNumber, named.chainId, date(Number(named.timestamp))))] : []),
    ...(sealed ? [h("p", {}, T.sealed(date(sealed)))] : []),
  ];
}

function parents(record: Shown): (Node | string)[] {
  if (!record.key.parents.length) return [record.manifest && record.manifest.parents === null ? T.contentNamesNone : T.nothingNamed];
  const items = record.key.parents.map((link) =>
    h("li", {}, `${relationName(link.relation)} `, code(link.parent)),
  );
  return [h("ul", { class: "plain" }, items)];
}

function said(record: Shown): Node[] {
  const now = record.standing;
  const given = Object.entries(record.verdicts).filter(([, it]) => it.verdict !== "none");
  const lines = given.map(([group, it]) => h("li", {}, T.verdictBy(Number(group), it.verdict.replaceAll("-", " "), date(it.attestedAt))));
  const counts = now ? T.reviews(now.reviewed, now.reproduced, now.notReproduced, now.disputed) : "";
  return [h("span", {}, counts), h("ul", { class: "plain" }, lines), h("p", { class: "dim" }, T.countsMore)];
}

function metricsOf(manifest: Manifest | null): Node | undefined {
  const metrics = Object.entries((manifest?.predicate["metrics"] ?? {}) as Record<string, JsonObject>);
  if (!metrics.length) return undefined;
  return h("ul", { class: "plain" }, metrics.slice(0, 50).map(([name, metric]) => h("li", {}, `${name}: `, h("strong", {}, String(metric["value"])))));
}

/** Whether the files that were given are what the records are about. */
export function files(given: readonly Digested[], records: readonly Shown[]): { node: HTMLElement | null; isWrong: boolean } {
  if (!given.length || !records.length) return { node: null, isWrong: false };
  let isWrong = false;
  const lines = given.map((file) => {
    const role = roleOf(file, records);
    isWrong ||= role === undefined;
    const word = role === undefined ? "fail" : "pass";
    const text = role === undefined ? T.fileIsNot(file.name) : T.fileIs(file.name, role);
    return h("li", { class: word }, h("strong", {}, `${T.word[word]}: `), text, h("div", { class: "dim hash" }, file.sha256));
  });
  return { node: h("section", { "aria-label": T.yourFiles }, h("h2", {}, T.yourFiles), h("ul", { class: "plain" }, lines)), isWrong };
}

function roleOf(file: Digested, records: readonly Shown[]): string | undefined {
  for (const { key, manifest } of records) {
    if (key.subject === file.sha256 && key.subjectType === (file.isFolder ? 2 : 1)) return T.roleSubject;
    const artifact = manifest && find(manifest.predicate, (it) => it["sha256"] === file.sha256 && typeof it["path"] === "string");
    if (artifact && !file.isFolder) return T.roleArtifact(String(artifact["path"]));
  }
  return undefined;
}

function find(value: Json, fits: (item: JsonObject) => boolean): JsonObject | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!Array.isArray(value) && fits(value)) return value;
  for (const item of Object.values(value)) {
    const found = find(item, fits);
    if (found) return found;
  }
  return undefined;
}

/** Each check as passed, failed or unknown, with its evidence. */
export function checks(said: Said, of: string): HTMLElement {
  // a stranger's file can have a million of them; none that failed is left out
  const shown = said.checks.filter((check, at) => at < MOST_ROWS || check.verdict === "fail");
  const items = shown.map((check) =>
    h(
      "li",
      {},
      h("span", { class: `word ${check.verdict}` }, T.word[check.verdict]!),
      h("span", {}, `${check.name} `, h("span", { class: "detail" }, check.detail)),
    ),
  );
  const title = [T.checksTitle, of, said.by].filter(Boolean).join(": ");
  return h("section", { "aria-label": title }, h("h2", {}, title), h("ul", { class: "plain checks" }, items), shown.length < said.checks.length && h("p", {}, T.moreChecks(said.checks.length - shown.length)));
}

export function notProven(open: readonly string[]): HTMLElement {
  const sentences = [...open, T.clock, T.lineage];
  return h("section", { "aria-label": T.notProvenTitle }, h("h2", {}, T.notProvenTitle), h("ul", {}, sentences.map((it) => h("li", {}, it))));
}

/** Identifiers and the manifest, for who wants to see them. */
export function evidence(records: readonly Shown[]): HTMLElement {
  return h(
    "section",
    { "aria-label": T.evidenceTitle },
    h("h2", {}, T.evidenceTitle),
    records.map((record) =>
      h(
        "details",
        {},
        h("summary", {}, `${T.record} ${record.id.slice(0, 10)}…`),
        h("h3", {}, T.identifiers),
        rows([[T.record, record.id], [T.subject, record.key.subject], [T.manifest, record.key.manifest]]),
        record.manifest && h("h3", {}, T.manifestTitle),
        record.manifest && described(record.manifest.predicate, { left: MOST_ROWS }),
      ),
    ),
  );
}

function rows(pairs: readonly (readonly [string, string])[]): HTMLElement {
  const lines = pairs.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)));
  return h("div", { class: "scroll" }, h("table", {}, h("tbody", {}, lines)));
}

/** Fields whose names are their author's own words. */
const NAMED = new Set(["metrics", "parameters", "seeds", "values", "schema", "hardware"]);

/** A manifest as people read it: each field under its name. `room` says how many fields are shown at most. */
export function described(value: Json, room: { left: number }, field = ""): Node {
  if (typeof value !== "object" || value === null) {
    if (field === "size" && typeof value === "number") return document.createTextNode(bytes(value));
    if (typeof value === "boolean") return document.createTextNode(value ? T.yes : T.no);
    const text = String(value);
    return /^(0x)?[0-9a-f]{40,}$/.test(text) ? code(text) : h("span", { class: "said" }, text);
  }
  const isList = Array.isArray(value);
  const all = Object.entries(value).filter(([, item]) => item !== null);
  if (!all.length) return h("span", { class: "dim" }, T.nothing);
  const shown = all.slice(0, Math.max(0, room.left));
  room.left -= shown.length;
  const more = shown.length < all.length && h("p", { class: "dim" }, T.moreFields(all.length - shown.length));
  if (isList) return h("div", {}, h("ol", { class: "items" }, shown.map(([, item]) => h("li", {}, described(item, room)))), more);
  const title = (name: string): string => (NAMED.has(field) ? name : titleOf(name));
  return h("div", {}, h("dl", { class: "fields" }, shown.map(([name, item]) => [h("dt", {}, title(name)), h("dd", {}, described(item, room, name))])), more);
}

/** The name of a field as words. */
const titleOf = (name: string): string => T.field[name] ?? name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/^./, (first) => first.toUpperCase()).replace(/ [A-Z](?=[a-z])/g, (word) => word.toLowerCase());

const titled = ({ manifest, id }: Shown): string => (manifest?.name ? `${manifest.name}, ${short(id)}` : short(id));

/** The life of a record, in the order of time. */
export function timeLine(record: Shown, moments: readonly Moment[], by: string | undefined, kept: readonly string[]): HTMLElement {
  return h(
    "section",
    { "aria-label": `${T.timeTitle}: ${titled(record)}` },
    h("h2", {}, T.timeTitle),
    h("p", { class: "dim" }, titled(record)),
    h(
      "ol",
      { class: "plain time" },
      moments.map(({ at, what, group, by: record }) =>
        h("li", { class: what }, h("span", { class: "dim" }, date(at)), h("span", {}, T.moment(what, group), record && [" ", code(short(record))])),
      ),
    ),
    kept.map((it) => h("p", { class: "unknown" }, it)),
    h("p", { class: "dim" }, by ? T.timeBy(by) : T.timeHere),
  );
}
