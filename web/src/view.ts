/** Shows what a verification found: plain words first, then each check, then the evidence. */
import { kindName } from "@blockchaintracer/sdk";
import { subjectTypes } from "@blockchaintracer/contracts";
import type { Attestation, Check, Json, JsonObject, Listed, Manifest, RecordKey, RecordStatus } from "@blockchaintracer/sdk";
import type { Around, Moment } from "./around.ts";
import { bytes, code, date, h, short, table, visible } from "./dom.ts";
import type { Child } from "./dom.ts";
import { foldersOf, rootOf } from "./given.ts";
import type { Digested, Folder } from "./given.ts";
import { relationName } from "./lineage.ts";
import { isAllowed } from "./nodes.ts";
import type { Ask, Name, OtherSide } from "./people.ts";
import { T, kindTitle } from "./texts.ts";

/** A record as it is shown, whichever way it was found. `standing` is what the newest state that was read says. */
export interface Shown {
  id: string;
  key: RecordKey;
  manifest: Manifest | null;
  standing: RecordStatus | null;
  committedAt: number;
  /** Where and when `standing` was read: of a node today or, if it is behind, then; or in the block of a proof. */
  asOf: { node: string; time?: number } | { time: number };
  verdicts: Record<number, Attestation>;
  /** The name of the file that was dropped and is what the record is about. */
  file?: string | undefined;
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
const MOST_NAMES = 20;
const tone = (outcome: string, isPrivate: boolean): string =>
  outcome === "verified" && !isPrivate ? "pass" : outcome === "not verified" ? "fail" : "unknown";

/** The outcome in one card. What was retracted stands above everything. */
export function outcomeCard(said: Said, isWordOfFile: boolean): HTMLElement {
  // a forged file can say so of an honest record
  const isRetracted = said.records.find((record) => record.standing?.retractedAt);
  const retracted = !isWordOfFile && isRetracted;
  const restsOn = said.checks.some((check) => check.name === "lineage" && check.verdict === "fail");
  const open = said.checks.filter(({ verdict }) => verdict === "unknown").length;
  const heading = T.outcome[said.outcome] ?? said.outcome;
  return h(
    "div",
    { class: `outcome ${retracted ? "fail" : tone(said.outcome, said.isPrivate)}` },
    said.by ? h("p", { class: "dim" }, T.byNode(said.by)) : null,
    retracted && h("h2", {}, T.retracted(date(retracted.standing!.retractedAt))),
    retracted && h("p", {}, T.retractedMore),
    h(retracted ? "p" : "h2", {}, retracted ? h("strong", {}, heading) : heading),
    h("p", {}, said.outcome === "verified" && open ? T.verifiedOpen(open) : (T.says[said.outcome] ?? "")),
    isRetracted && isWordOfFile && h("p", {}, h("strong", {}, T.saysRetracted)),
    restsOn && h("p", {}, T.restsOnRetracted),
    said.isPrivate && h("p", {}, T.privateChain),
  );
}

/** The plain words of a record, and the places where names and verdicts come that are found later. */
export interface Plain {
  node: HTMLElement;
  who: HTMLElement;
  group: HTMLElement;
  others: HTMLElement;
}

/** Who, for whom, when, from what, and what others say. `retracted` is the record as the source has it that tells of a retraction. */
export function plainWords(record: Shown, isWordOfFile: boolean, retracted: Shown = record): Plain {
  const [who, group, others] = [h("div", {}), h("div", {}), h("div", {}, said(record))];
  const title = kindTitle(kindName(record.key.kind));
  const name = record.manifest?.name;
  const rows: [string, (Node | string)[]][] = [
    [T.wasRetracted, [retraction(retracted, isWordOfFile)]],
    [T.what, [name ? T.calls(title, name) : T.unnamed(title, record.file)]],
    [T.whoCommitted, [`${T.account} `, code(record.key.author), who]],
    [T.forGroup, [T.group(record.key.group), group]],
    [T.when, when(record)],
    [T.from, parents(record)],
  ];
  const metrics = metricsOf(record.manifest);
  if (metrics) rows.push([T.metrics, [metrics]]);
  rows.push([T.othersSaid, [others]]);
  const node = h(
    "section",
    { "aria-label": `${T.plainTitle}: ${titled(record)}` },
    h("h2", {}, T.plainTitle),
    isWordOfFile && h("p", { class: "unknown" }, T.wordOfFile),
    h("dl", {}, rows.map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)])),
  );
  return { node, who, group, others };
}

function retraction({ standing, asOf }: Shown, isWordOfFile: boolean): HTMLElement {
  const at = standing?.retractedAt;
  const by = "node" in asOf ? asOf.node : undefined;
  const until = "time" in asOf ? asOf.time : undefined;
  if (at && isWordOfFile) return h("span", { class: "unknown" }, T.retraction.wordYes(date(at)));
  if (at) return h("strong", { class: "retracted" }, T.retraction.yes(date(at), by));
  const [text, isOpen] = isWordOfFile ? [T.retraction.word, true] : !standing?.recordedAt ? [T.retraction.batched, true] : until !== undefined ? [T.retraction.notUntil(date(until), by), true] : [T.retraction.no(by!), false];
  return h("span", { class: isOpen ? "unknown" : "" }, text);
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

/** Who the account and the group say to be. `ask` asks the other side of a claim, or judges files from there. */
export function people(names: readonly Name[], ask: Ask): Child[] {
  if (!names.length) return [h("p", { class: "unknown" }, T.noClaims)];
  const claims = names.map((name) => {
    const { title, state, details, counts, asks } = name;
    const word = h("span", { class: counts ? "affected" : "retracted" }, state);
    return h("li", {}, h("strong", {}, title), ", ", word, details.map((it) => h("div", { class: "dim" }, it)), asks && otherSide(asks, word, ask));
  });
  const isLocked = names.some(({ asks }) => asks && !canAsk(asks));
  return [h("ul", { class: "plain" }, claims), isLocked && h("p", { class: "dim" }, T.claim.locked), names.some(({ counts }) => counts) && h("p", { class: "dim" }, T.claim.more)];
}

const canAsk = ({ pages }: OtherSide): boolean => pages.every((page) => isAllowed(new URL(page)));

/** What asks the other side of a claim, and puts its answer into `word`. */
function otherSide(side: OtherSide, word: HTMLElement, ask: Ask): Child {
  const pages = side.pages.map((page) => new URL(page));
  if (!pages.length) return h("div", { class: "dim" }, T.claim.noWay);
  const answer = h("div", { class: "dim", role: "status" });
  const asked = (files?: readonly File[]): void =>
    ask(side, files, ({ state, detail, isConfirmed }) => {
      word.className = isConfirmed ? "pass" : "affected";
      word.textContent = visible(files && isConfirmed ? `${state}, ${T.claim.byFile}` : state);
      answer.textContent = visible(detail);
    });
  const chosen = (event: Event): void => asked([...((event.target as HTMLInputElement).files ?? [])]);
  const button = h("button", { type: "button", click: () => asked() }, T.claim.ask(side.title));
  const field = h("input", { type: "file", multiple: true, change: chosen, "aria-label": `${T.claim.chooseSaved}: ${side.title}` });
  return h(
    "div",
    { class: "noprint" },
    answer,
    canAsk(side) && [h("div", { class: "row" }, button), h("div", { class: "note" }, T.claim.asks([...new Set(pages.map(({ host }) => host))].join(", ")))],
    h("details", {}, h("summary", {}, T.claim.yourself), h("p", { class: "dim" }, T.claim.yourselfMore),
      pages.map(({ href }) => h("p", {}, h("a", { href, target: "_blank", rel: "noopener noreferrer" }, href))),
      h("div", { class: "row" }, h("label", { class: "button" }, T.claim.chooseSaved, field))),
  );
}

/** What others say. `given` is what each group says by a node, and `near` has the runs that they name, where these are known. */
export function said(record: Shown, given?: ReadonlyMap<number, Attestation>, near?: Around): Child[] {
  const now = record.standing;
  const total = now ? now.reviewed + now.reproduced + now.notReproduced + now.disputed : 0;
  const counts = now ? T.reviews(now.reviewed, now.reproduced, now.notReproduced, now.disputed) : "";
  const verdicts = given ? [...given] : Object.entries(record.verdicts).flatMap(([group, it]) => (it.verdict === "none" ? [] : [[Number(group), it] as const]));
  const lines = verdicts.map(([group, it]) =>
    h("li", {}, T.verdictBy(group, it.verdict.replaceAll("-", " "), date(it.attestedAt)), near && /reproduced/.test(it.verdict) && closeness(record, group, it, near)),
  );
  const left = given ? total - verdicts.length : 0;
  return [
    h("span", {}, counts),
    h("ul", { class: "plain" }, lines),
    left > 0 && h("p", { class: "unknown" }, T.unnamedGroups(left)),
    !given && total > verdicts.length && h("p", { class: "dim" }, T.whichGroups),
    now && "time" in record.asOf && h("p", { class: "unknown" }, T.countsUntil("node" in record.asOf ? record.asOf.node : undefined)),
    h("p", { class: "dim" }, T.countsMore),
  ];
}

const LOW_BITS = (1n << 136n) - 1n;

/** How far the metrics of the run that a group names are from the recorded ones, and from what the author allows. */
function closeness(record: Shown, group: number, { evidence }: Attestation, near: Around): HTMLElement {
  const open = (text: string): HTMLElement => h("p", { class: "unknown" }, text);
  if (!evidence) return open(T.noEvidence);
  const run = [...near.entries.values()].find(({ id, key }) => (BigInt(id) & LOW_BITS) === evidence && key?.group === group);
  if (run?.state === "retracted") return open(T.gone);
  const [first, again] = [record.manifest?.predicate["metrics"], run?.manifest?.predicate["metrics"]] as (Record<string, JsonObject> | undefined)[];
  if (!run?.manifest) return open(T.evidenceUnknown);
  const rows = Object.entries(first ?? {}).filter(([name]) => again && Object.hasOwn(again, name)).slice(0, MOST_NAMES).map(([name, metric]) => {
    const [before, after] = [metric["value"], again![name]!["value"]];
    const { absolute = 0, relative = 0 } = (metric["tolerance"] ?? {}) as { absolute?: number; relative?: number };
    const isNumbers = typeof before === "number" && typeof after === "number";
    const apart = isNumbers ? Math.abs(after - before) : undefined;
    const width = absolute + relative * Math.abs(Number(before));
    const isWithin = apart === undefined ? before === after : apart <= width;
    const cell = (it: JsonObject): string => T.metricValue(String(it["value"]), (it["source"] as JsonObject | undefined)?.["kind"] === "declared");
    return [name, cell(metric), cell(again![name]!), apart === undefined ? "–" : String(Number(apart.toPrecision(6))), metric["tolerance"] ? T.within(String(width), isWithin) : T.noTolerance];
  });
  const found = rows.length ? table(T.howClosely(group), T.closenessHeads, rows) : open(T.noCommonMetrics);
  return h("div", {}, run.key?.author === record.key.author && open(T.sameAccount), found);
}

function metricsOf(manifest: Manifest | null): Node | undefined {
  const metrics = Object.entries((manifest?.predicate["metrics"] ?? {}) as Record<string, JsonObject>);
  if (!metrics.length) return undefined;
  return h("ul", { class: "plain" }, metrics.slice(0, 50).map(([name, metric]) => h("li", {}, `${name}: `, h("strong", {}, String(metric["value"])))));
}

/** Records that were found together, and how their verification ended. */
interface Source {
  name: string;
  outcome: string;
  records: readonly Shown[];
}

export const folderName = ({ path, files, without }: Folder): string =>
  T.folderName(path, files.length) + (without.length ? T.leftOut(without.length) : "");

const names = (paths: readonly string[]): string => paths.slice(0, MOST_NAMES).join(", ") + (paths.length > MOST_NAMES ? T.andMore(paths.length - MOST_NAMES) : "");

/**
 * Whether the files that were given are what the records are about: of verified ones first. Each file is named that is
 * not, and nothing is said of a proof or a published copy that lies outside of what was recorded.
 */
export async function files(given: readonly Digested[], sources: readonly Source[], listing: (subject: string) => Promise<Listed[] | undefined>): Promise<{ node: HTMLElement | null; isWrong: boolean }> {
  const isOne = sources.length === 1;
  const records = sources.flatMap((source) => source.records.map((record) => ({ record, source })));
  if (!given.some(({ use, path }) => use === "data" || ((use === "copy" || use === "page") && !path.includes("/"))) || !records.length) return { node: null, isWrong: false };
  records.sort((a, b) => Number(b.source.outcome === "verified") - Number(a.source.outcome === "verified"));
  const lines: HTMLElement[] = [];
  let isWrong = false;
  const say = (word: "pass" | "fail" | "unknown" | "", text: string, digest?: string): void => {
    isWrong ||= word === "fail";
    lines.push(h("li", { class: word }, word && h("strong", {}, `${T.word[word]}: `), text, digest && h("div", { class: "dim hash" }, digest)));
  };
  // the first that has a digest counts: one walk, however many records and files there are
  const roles = new Map<string, { record: Shown; source: Source; path?: string }>();
  const note = (digest: string, role: { record: Shown; source: Source; path?: string }): unknown => roles.has(digest) || roles.set(digest, role);
  for (const { record, source } of records) if (record.key.subjectType === subjectTypes.folder) note(`${record.key.subject}/`, { record, source });
  for (const { record, source } of records) {
    if (record.key.subjectType === subjectTypes.file) note(record.key.subject, { record, source });
    for (const [digest, path] of artifactsIn(record.manifest?.predicate ?? null)) note(digest, { record, source, path });
  }
  const match = (name: string, digest: string, end = ""): boolean => {
    const role = roles.get(digest + end);
    if (!role) return false;
    const { record, source, path } = role;
    const which = records.length === 1 ? T.theRecord : T.oneRecord(titled(record), isOne ? "" : source.name);
    const part = path === undefined ? T.roleSubject(which) : T.roleArtifact(which, path);
    // beside a proof that is verified, one that is not must not look so
    const isOpen = !isOne && source.outcome !== "verified";
    say(isOpen ? "unknown" : "pass", T.fileIs(name, part) + (isOpen ? ` ${source.name}: ${T.outcome[source.outcome] ?? source.outcome}.` : ""), digest);
    return true;
  };
  const subjects = new Set(records.flatMap(({ record: { key } }) => (key.subjectType === subjectTypes.folder ? [key.subject] : [])));
  const known = new Set<Digested>();
  const roots = new Set<string>();
  const folders = subjects.size ? foldersOf(given) : [];
  for (const folder of folders) {
    if (!subjects.has(folder.sha256) || folder.files.every((file) => known.has(file))) continue;
    match(folderName(folder), folder.sha256, "/");
    for (const file of folder.files) known.add(file);
    roots.add(rootOf(folder.files[0]!)!);
  }
  for (const file of given) {
    if (known.has(file) || !match(file.path, file.sha256)) continue;
    known.add(file);
    const folder = rootOf(file);
    if (folder !== undefined) roots.add(folder);
  }
  const others = given.filter((file) => !known.has(file));
  const base = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
  const recorded = new Set([...roles.values()].flatMap(({ path }) => (path === undefined ? [] : [base(path)])));
  const twins = (data: readonly Digested[]): string[] => data.map(({ path }) => base(path)).filter((name) => recorded.has(name));
  const unlike = (text: string, data: readonly Digested[]): string => text + (twins(data).length ? ` ${T.otherBytes(names(twins(data)))}` : "");
  for (const [folder, its] of Map.groupBy(others, rootOf)) {
    const data = its.filter(({ use }) => use === "data");
    const of = (...uses: Digested["use"][]): string[] => its.filter(({ use }) => uses.includes(use)).map(({ path }) => path);
    const [copies, besides] = [of("copy"), folder === undefined ? of("page") : of("page", "proof")];
    if (folder === undefined) {
      for (const it of data.slice(0, MOST_ROWS)) say("fail", unlike(T.fileIsNot(it.path), [it]), it.sha256);
      // a proof has its own outcome; what calls itself a published copy could be anything
      if (copies.length) say("unknown", T.notCompared(names(copies)));
      if (besides.length) say("", T.besides(names(besides)));
    } else if (roots.has(folder)) {
      if (data.length) say("fail", unlike(T.notPart(names(data.map(({ path }) => path))), data));
      if (copies.length) say("", T.notPart(names(copies)));
      if (besides.length) say("", T.besides(names(besides)));
    } else if (data.length) {
      const whole = given.filter((file) => rootOf(file) === folder);
      const differences = await Promise.all([...subjects].slice(0, MOST_NAMES).map(async (subject) => difference(folder, whole, await listing(subject))));
      say("fail", [unlike(T.fileIsNot(T.folderName(folder, whole.filter(({ use }) => use === "data").length)), data), ...differences].filter(Boolean).join(" "));
    }
  }
  const shown = lines.slice(0, MOST_ROWS);
  const failed = lines.slice(MOST_ROWS).filter((line) => line.className !== "pass").slice(0, MOST_ROWS);
  const left = lines.length - shown.length - failed.length;
  return { node: h("section", { "aria-label": T.yourFiles }, h("h2", {}, T.yourFiles), h("ul", { class: "plain" }, shown, failed), left > 0 && h("p", {}, T.moreFiles(left))), isWrong };
}

/** How a folder differs from the list of a recorded one. */
function difference(folder: string, files: readonly Digested[], listing: readonly Listed[] | undefined): string | undefined {
  if (!listing) return undefined;
  const here = new Map(files.map(({ path, sha256 }) => [path.slice(folder.length + 1).normalize("NFC"), sha256]));
  const listed = new Map(listing.map(({ path, sha256 }) => [path.normalize("NFC"), sha256]));
  const changed = [...listed].filter(([path, digest]) => here.has(path) && here.get(path) !== digest).map(([path]) => path);
  const missing = [...listed.keys()].filter((path) => !here.has(path));
  const besides = new Set(files.filter(({ use }) => use === "page" || use === "proof").map(({ path }) => path.slice(folder.length + 1).normalize("NFC")));
  const added = [...here.keys()].filter((path) => !listed.has(path) && !besides.has(path));
  return [changed.length && T.changed(names(changed)), missing.length && T.missing(names(missing)), added.length && T.notPart(names(added))].filter(Boolean).join(" ");
}

/** What a manifest names by digest and path. */
function* artifactsIn(value: Json): Generator<[digest: string, path: string]> {
  if (typeof value !== "object" || value === null) return;
  const { sha256, path } = value as JsonObject;
  if (typeof sha256 === "string" && typeof path === "string") yield [sha256, path];
  for (const item of Object.values(value)) yield* artifactsIn(item);
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
const titleOf = (name: string): string => (Object.hasOwn(T.field, name) ? T.field[name]! : name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/^./, (first) => first.toUpperCase()).replace(/ [A-Z](?=[a-z])/g, (word) => word.toLowerCase()));

const titled = ({ manifest, id, file }: Shown): string => {
  const name = manifest?.name || (file && T.theFile(file));
  return name ? `${name}, ${short(id)}` : short(id);
};

/** The life of a record, in the order of time. */
export function timeLine(record: Shown, moments: readonly Moment[], by: string | undefined, kept: readonly string[], isWordOfFile: boolean): HTMLElement {
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
    h("p", { class: "dim" }, by ? T.timeBy(by) : isWordOfFile ? T.wordOfFile : T.timeHere),
  );
}
