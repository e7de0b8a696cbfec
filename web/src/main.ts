/** The page: what is given, what it rests on, and what came of it. It asks nobody anything before it is told to. */
import { BundleRefused, Chain, InputError, openRegistry, readBundle, Unavailable, UnknownVersion, verify, verifyBundle, verifyBundleOnChain } from "@blockchaintracer/sdk";
import { judgeTokens } from "@blockchaintracer/sdk/rfc3161";
import type { BundleReport, Check, Domain, Json, Report, Trust } from "@blockchaintracer/sdk";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import "./style.css";
import { around, moments, quietly, seals, verdictsOf, writtenBy } from "./around.ts";
import type { Sources } from "./around.ts";
import { badge } from "./badge.ts";
import { bytes, date, h, short, visible } from "./dom.ts";
import { copiesIn, dropped, foldersOf, listingOf, useOf } from "./given.ts";
import type { Digested, Given, PublishedCopies } from "./given.ts";
import { Hashing } from "./hashing.ts";
import { homeSection, ofFolder, ofList, ofNode, ofServer, toldBy } from "./home.ts";
import type { Home } from "./home.ts";
import { lineage } from "./lineage.ts";
import { metricsSection } from "./metrics.ts";
import { allow, beside, client, nodeUrl, NodeProblem } from "./nodes.ts";
import { confirmed, holdersOf, namesOf, pagesIn, profilesOf, saved } from "./people.ts";
import type { Ask } from "./people.ts";
import { EMPTY, fromLink, keep, kept, pasted, reliesOn, toLink, trustOf } from "./question.ts";
import type { Question } from "./question.ts";
import { NETWORKS, T } from "./texts.ts";
import { checks, evidence, files, folderName, notProven, outcomeCard, people, plainWords, said as othersWords, timeLine } from "./view.ts";
import type { Plain, Said, Shown } from "./view.ts";

let question: Question = { ...fromLink(location.hash), ...kept() };
/** Whether what is relied on was chosen here. What a link proposes is used only after the visitor pressed Check. */
let isChosen = !reliesOn(question);
let digests: Digested[] = [];
let copies: PublishedCopies | undefined;
let running = 0;
/** How often all was given up: what is still read by then counts no longer. */
let stops = 0;
/** Drops that are still read: no outcome is shown before their end. */
let reading = 0;
/** The end of the last drop. */
let last: Promise<void> = Promise.resolve();
/** Records whose lives and lineages are shown. */
const MOST_ROOTS = 8;
const MOST_LINES = 200;
const MOST_SHOWN = 50;
/** Files that are read together, and the bytes that each of these has at most. */
const AT_ONCE = 64;
const MOST_SMALL = 1 << 20;
const MOST_PROOFS = 200;
const MOST_DESCRIPTION = 1 << 16;

const result = h("div", { id: "result", "aria-live": "polite", tabindex: "-1" });
const more = h("div", {});
const status = h("div", { role: "status", class: "noprint" });
const form = h("div", { class: "noprint" });
const nearby = h("div", {});
const homes = h("div", { class: "noprint" });

// -- what is given

function intake(): HTMLElement {
  const chosen = (event: Event): void => take([...((event.target as HTMLInputElement).files ?? [])].map(given));
  const some = h("input", { type: "file", multiple: true, id: "files", change: chosen });
  const folder = h("input", { type: "file", webkitdirectory: true, id: "folder", change: chosen });
  const text = h("input", { id: "paste", autocomplete: "off", spellcheck: "false", value: question.id });
  const look = (event: Event): void => {
    event.preventDefault();
    attempt(() => {
      clear();
      const before = question;
      question = pasted(text.value, question);
      // what was pasted is asked, and not the proofs that were dropped before
      digests = digests.filter(({ use }) => use !== "proof");
      if (reliesOn(question) && JSON.stringify({ ...before, id: "" }) !== JSON.stringify({ ...question, id: "" })) isChosen = false;
      drawForm();
      return show();
    });
  };
  const box = h(
    "div",
    { class: "drop" },
    h("strong", {}, T.drop),
    h("p", { class: "dim" }, T.dropMore),
    h(
      "div",
      { class: "row" },
      h("label", { for: "files", class: "button" }, T.chooseFiles, some),
      h("label", { for: "folder", class: "button" }, T.chooseFolder, folder),
    ),
  );
  box.addEventListener("dragover", (event) => (event.preventDefault(), box.classList.add("over")));
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("over");
    if (event.dataTransfer) void dropped(event.dataTransfer).then(take);
  });
  return h(
    "section",
    { "aria-label": T.drop, class: "noprint" },
    box,
    h("form", { submit: look }, h("label", { for: "paste" }, T.paste, h("span", { class: "note" }, ` ${T.pasteNote}`)), text,
      h("div", { class: "row" }, h("button", { type: "submit" }, T.look))),
  );
}

const given = (file: File): Given => ({ file, path: file.webkitRelativePath || file.name });

function take(items: Given[]): void {
  if (!items.length) return;
  const round = stops;
  running++;
  reading++;
  clear();
  // what is dropped while something else is read comes after it
  last = attempt(async () => {
    await last;
    const fresh = await digestAll(items, round).finally(() => round === stops && reading--);
    if (round !== stops) return;
    // a file or folder of a name takes the place of an older one; of one drop each counts, whatever it is called
    const root = ({ path }: Given): string => path.split("/")[0]!;
    const names = new Set(fresh.map(root));
    digests = [...digests.filter((old) => !names.has(root(old))), ...fresh];
    copies = copiesIn(digests);
    await show();
  });
}

async function digestAll(items: readonly Given[], round: number): Promise<Digested[]> {
  const all = items.reduce((sum, { file }) => sum + file.size, 0);
  const bar = h("progress", { max: String(Math.max(all, 1)), value: "0", "aria-label": T.drop });
  const line = h("p", {});
  status.replaceChildren(line, bar);
  const start = performance.now();
  let before = 0;
  const found: Digested[] = [];
  const hashing = new Hashing();
  try {
    // many small files are read together, each once: a question to the disk takes longer than their bytes
    for (let at = 0; at < items.length; at += AT_ONCE) {
      const some = items.slice(at, at + AT_ONCE);
      const small = await Promise.allSettled(some.map(async ({ file }) => (file.size <= MOST_SMALL ? new Uint8Array(await file.arrayBuffer()) : undefined)));
      for (const [i, { file, path }] of some.entries()) {
        const progress = (done: number): void => {
          const seconds = (performance.now() - start) / 1000;
          const left = (seconds * (all - before - done)) / Math.max(before + done, 1);
          bar.value = before + done;
          line.textContent = visible(T.hashing(file.name, bytes(before + done), bytes(all), seconds > 2 ? T.remaining(left) : ""));
        };
        try {
          const read = small[i]!;
          if (read.status === "rejected") throw read.reason;
          const digest = read.value ? bytesToHex(sha256(read.value)) : await hashing.sha256(file, progress);
          found.push({ path, file, sha256: digest, ...(await useOf({ path, file }, digest, read.value)) });
        } catch {
          throw new InputError(T.unread(file.name));
        }
        if (round !== stops) return [];
        before += file.size;
      }
      line.textContent = T.readFiles(found.length, items.length);
      bar.value = before;
    }
  } finally {
    hashing.end();
  }
  status.replaceChildren();
  return found;
}

// -- what it rests on

/** Say that an answer is of before. */
function changed(): void {
  if (!result.hasChildNodes() || document.getElementById("changed")) return;
  for (const card of result.querySelectorAll(".outcome")) card.className = "outcome unknown";
  result.prepend(h("p", { class: "problem", id: "changed" }, T.changedSince));
}

function drawForm(): void {
  const known = NETWORKS.some(({ chainId }) => String(chainId) === question.chain);
  const field = (name: keyof Question, label: string, note = ""): HTMLElement[] => {
    const set = (event: Event): void => {
      question = { ...question, [name]: (event.target as HTMLInputElement).value.trim() };
      if (name !== "server") changed();
    };
    const input = h("input", { id: name, value: question[name], input: set, autocomplete: "off", spellcheck: "false", ...(note && { "aria-describedby": `${name}-note` }) });
    return [h("div", {}, h("label", { for: name }, label), input, note ? h("p", { class: "note", id: `${name}-note` }, note) : null)];
  };
  const chosen = (event: Event): void => {
    const value = (event.target as HTMLSelectElement).value;
    question = { ...question, chain: value === "other" ? "" : value };
    changed();
    number.classList.toggle("hidden", value !== "other");
  };
  const option = (value: string, text: string, on: boolean): HTMLElement => h("option", { value, selected: on }, text);
  const select = h(
    "select",
    { id: "network", change: chosen },
    option("", T.chainNone, !question.chain),
    NETWORKS.map(({ chainId, title }) => option(String(chainId), title, question.chain === String(chainId))),
    option("other", T.chainNumber, !!question.chain && !known),
  );
  const number = h("div", { class: question.chain && !known ? "" : "hidden" }, field("chain", T.chainNumber));
  const stays = h("input", { type: "checkbox", id: "keep", checked: Object.keys(kept()).length > 0, "aria-describedby": "keep-note" });
  const asksPages = h("input", { type: "checkbox", id: "pages", checked: !!form.querySelector("#pages:checked"), "aria-describedby": "pages-note" });
  const press = (work: () => Promise<void>) => (event: Event): void => {
    event.preventDefault();
    keep(stays.checked ? question : undefined);
    attempt(work);
  };
  const check = (): Promise<void> => {
    isChosen = true;
    proposal.remove();
    return show();
  };
  const proposal = h("p", { class: "unknown", id: "proposal" }, T.proposed);
  form.replaceChildren(
    h(
      "section",
      { "aria-label": T.relyTitle },
      h("h2", {}, T.relyTitle),
      h("p", { class: "dim" }, T.relyLead),
      !isChosen && proposal,
      h(
        "form",
        { submit: press(check) },
        h(
          "div",
          { class: "two" },
          h("div", {}, h("label", { for: "network" }, T.chain), select, number),
          field("registry", T.registry, T.registryNote),
          field("node", T.node, T.nodeNote),
          field("other", T.nodeTwo),
          field("groups", T.groups, T.groupsNote),
          field("block", T.block, T.blockNote),
        ),
        h("label", { for: "keep", class: "tick" }, stays, T.keep),
        h("p", { class: "note", id: "keep-note" }, T.keepNote),
        h("label", { for: "pages", class: "tick" }, asksPages, T.asksPages),
        h("p", { class: "note", id: "pages-note" }, T.asksPagesNote),
        h("div", { class: "row" }, h("button", { type: "submit", class: "main" }, T.ask)),
      ),
    ),
    h(
      "section",
      { "aria-label": T.browseTitle },
      h("h2", {}, T.browseTitle),
      h("p", { class: "dim" }, T.browseLead),
      /(?:^|\/)(?:index\.html)?$/.test(location.pathname) && h("p", {}, h("a", { href: "records.html" }, T.listBeside)),
      h("form", { submit: press(browse) }, field("server", T.server, T.serverNote), h("div", { class: "row" }, h("button", { type: "submit" }, T.browse), location.protocol !== "file:" && h("button", { type: "button", click: () => attempt(browseBeside) }, T.beside))),
    ),
  );
}

// -- a registry's home

async function browse(): Promise<void> {
  // no link holds a server: who named one asks it, and chooses nothing else by that
  const chosen = isChosen ? question : { ...EMPTY, server: question.server };
  const trust = trustOf(chosen);
  const [node, server] = [chosen.node, chosen.server].map((text) => (text ? nodeUrl(text) : undefined));
  const urls = [node, chosen.other ? nodeUrl(chosen.other) : undefined, server].filter((url) => url !== undefined);
  if (urls.length) allow(urls, await pagesNamed([]));
  const found: Home[] = [];
  if (server) {
    status.replaceChildren(h("p", {}, T.asking(server.host)));
    found.push(await ofServer(server));
  }
  if (node && trust?.registry) {
    status.replaceChildren(h("p", {}, T.asking(nameOf(node))));
    found.push(await ofNode(openRegistry(client(node), trust.registry), chosen.chain, copies, nameOf(node)));
  }
  if (copies && !found.length) found.push(...(await ofFolder(copies)));
  if (!found.length) throw new InputError(isChosen ? T.lookup.needSource : T.proposed);
  drawHomes(found);
}

async function browseBeside(): Promise<void> {
  const found = ofList(await beside("records.html"));
  if (!found.length) throw new InputError(T.lookup.none);
  drawHomes(found);
}

function drawHomes(found: readonly Home[]): void {
  status.replaceChildren();
  if (!found.length && !homes.hasChildNodes()) return;
  homes.replaceChildren(...found.map((home) => homeSection(home, (id) => look(id, home), attempt)));
  // where nothing was asked of a record, the list is the answer
  if (!result.hasChildNodes()) result.after(homes);
  homes.scrollIntoView({ block: "start" });
}

/** Look a record up. The chain and the registry that a list names are proposed, and not used before they are chosen. */
function look(id: string, place?: { chain: string; registry: string }): void {
  const before = question;
  question = { ...question, id, ...(place && { chain: question.chain || place.chain, registry: question.registry || place.registry }) };
  if (before.chain !== question.chain || before.registry !== question.registry) isChosen = false;
  digests = digests.filter(({ use }) => use === "copy");
  drawForm();
  void attempt(show);
}

// -- what came of it

/** Give up what is still read. */
function stop(): void {
  stops++;
  running++;
  reading = 0;
}

/** Take away what was said before: nothing of it is about what is asked now. */
function clear(): void {
  result.replaceChildren();
  more.replaceChildren();
}

async function show(): Promise<void> {
  const round = ++running;
  clear();
  if (reading) return;
  const proofs = [...Map.groupBy(digests.filter(({ use }) => use === "proof"), ({ sha256 }) => sha256).values()].map(([proof]) => proof!);
  const isData = digests.some(({ use }) => use === "data");
  if (!proofs.length && !isData && !question.id) {
    if (isChosen && question.registry && question.node) return browse();
    return drawHomes(copies ? await ofFolder(copies) : []);
  }
  history.replaceState(null, "", toLink(question));
  const asked = question;
  const chosen = isChosen ? question : EMPTY;
  const trust = trustOf(chosen);
  const urls = [chosen.node, chosen.other].filter(Boolean).map(nodeUrl);
  const server = trust && chosen.server ? [nodeUrl(chosen.server)] : [];
  if (trust && urls.length + server.length) allow([...urls, ...server], await pagesNamed(proofs));
  const found: (Judged | Drawn)[] = [];
  for (const proof of proofs.slice(0, MOST_PROOFS)) found.push(await judged(proof, trust, urls));
  if (!proofs.length) found.push(await lookedUp(trust, urls));
  const judgedParts = found.filter((it) => "said" in it);
  const named = new Map(digests.filter(({ use }) => use === "data").map((it) => [it.sha256, it.file.name]));
  for (const { said } of judgedParts) for (const { records } of said) for (const record of records) record.file = named.get(record.key.subject);
  // a file can belong to any of the proofs that were given with it
  const sources = judgedParts.map(({ said, name }) => ({ name, outcome: worstOf(said).outcome, records: said[0]!.records }));
  const held = await files(digests, sources, (subject) => listingOf(subject, digests, copies));
  if (round !== running) return;
  const isOther = proofs.length > 0 && !!question.id && !judgedParts.some(({ said }) => said[0]!.records.some(isAsked));
  const parts: Drawn[] = found.map((it) => ("said" in it ? drawn(it, held.isWrong || isOther, toLink(asked)) : it));
  if (proofs.length > MOST_PROOFS) parts.unshift({ head: h("section", {}, h("p", { class: "problem" }, T.moreProofs(MOST_PROOFS, proofs.length))) });
  if (isOther) parts.unshift({ head: refusedCard(T.otherRecord, T.otherRecordMore(question.id)) });
  status.replaceChildren();
  document.body.classList.add("small");
  result.replaceChildren(...parts.map((part) => part.head));
  nearby.replaceChildren();
  const all = parts.flatMap((part) => part.records ?? []).map(({ record }) => record).slice(0, MOST_SHOWN);
  const open = [...new Set(judgedParts.flatMap(({ said }) => said[0]!.doesNotProve))];
  more.replaceChildren(
    ...(held.node ? [held.node] : []),
    ...parts.flatMap((part) => part.plain ?? []).map(({ node }) => node),
    nearby,
    ...(open.length ? [notProven(open)] : []),
    ...judgedParts.flatMap(({ said, name }) => said.map((it) => checks(it, judgedParts.length > 1 ? name : ""))),
    ...(all.length ? [evidence(all)] : []),
  );
  if (asked !== question) changed();
  if (parts.every((part) => part.isDecided)) more.after(form, homes);
  else {
    more.before(form);
    more.after(homes);
  }
  void attempt(() => surroundings(parts.flatMap((part) => part.records ?? []), round));
  result.focus({ preventScroll: true });
  result.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

/** The pages of names in what was dropped, if the visitor wants to ask them. */
async function pagesNamed(proofs: readonly Digested[]): Promise<URL[]> {
  if (!document.querySelector<HTMLInputElement>("#pages")?.checked) return [];
  const bundles = await Promise.all(proofs.map(async ({ file }) => new Uint8Array(await file.arrayBuffer())));
  const evidence = bundles.flatMap((data) => quietly(() => readBundle(data).evidence) ?? []);
  return pagesIn([...evidence.flatMap(([what, item]) => (what === "identity" ? [item] : [])), ...((await copies?.identities()) ?? [])]);
}

/** Whether a record is what the visitor or the link named. */
function isAsked({ id, key }: Shown): boolean {
  const asked = /[0-9a-f]{64}$/.exec(question.id.toLowerCase())?.[0];
  return id === `0x${asked}` || key.subject === asked;
}

/** The outcome, which stands first, and the plain words of each record. */
interface Drawn {
  head: Node;
  plain?: Plain[];
  /** Whether nothing more has to be chosen: then the question stands last. */
  isDecided?: boolean;
  records?: Placed[];
}

/** A record that was found, its registry, and the node that may be asked more of it. */
interface Placed {
  record: Shown;
  plain: Plain;
  domain: Domain;
  node: URL | undefined;
  kept: string[];
  /** Claims of identity in the proof. */
  identities: Json[];
  /** Whether what is shown is the word of a file, because its blocks or its registry do not stand. */
  isWordOfFile: boolean;
}

/** What each source says of something that was given. */
interface Judged {
  said: Said[];
  name: string;
  place: Omit<Placed, "record" | "plain">;
}

/** Show what is not needed for the outcome: the lives of records, their lineage, their metrics. */
async function surroundings(placed: readonly Placed[], round: number): Promise<void> {
  const places = Map.groupBy(placed, ({ domain, isWordOfFile }) => `${domain.chainId} ${domain.registry} ${isWordOfFile}`);
  const sections: (Node | null)[] = [];
  for (const its of places.values()) {
    const { domain, node } = its[0]!;
    const registry = node && openRegistry(client(node), domain.registry);
    const behind = await registry?.chain.behind().catch(() => undefined);
    const by = node && nameOf(node) + (behind === undefined ? "" : T.isBehind(date(behind)));
    const sources: Sources = { domain, copies, registry };
    const roots = its.slice(0, MOST_ROOTS).map(({ record }) => record);
    const near = await around(roots, sources);
    const read = async (digest: string): Promise<Uint8Array | null> => {
      const file = digests.find(({ sha256, file }) => sha256 === digest && file.size <= MOST_DESCRIPTION)?.file;
      const data = file ? new Uint8Array(await file.arrayBuffer()) : ((await copies?.read(digest, MOST_DESCRIPTION)) ?? null);
      return data;
    };
    const called = registry && (await profilesOf(roots.map(({ key }) => key.group), registry, read));
    for (const { record, plain, identities, kept: evidence, isWordOfFile } of its.slice(0, MOST_ROOTS)) {
      const verdicts = await verdictsOf(record, registry);
      if (registry) plain.others.replaceChildren(...h("div", {}, othersWords(record, verdicts, near)).childNodes);
      const names = await namesOf(record, domain, [...identities, ...((await copies?.identities(holdersOf(record.key, domain))) ?? [])], registry, copies);
      plain.who.replaceChildren(...h("div", {}, people(names, askOther)).childNodes);
      const profile = called?.get(record.key.group);
      plain.group.replaceChildren(...h("div", {}, h("p", { class: "dim" }, profile ? T.groupCalled(profile.name) : T.groupUnnamed), profile?.about && h("p", { class: "dim" }, T.groupAbout(profile.about))).childNodes);
      const line = timeLine(record, await moments(record, near, verdicts), by, evidence, isWordOfFile);
      const { group, author } = record.key;
      const made = registry && (await seals(registry, group, author));
      if (made?.made) line.append(h("p", { class: made.unrevealed ? "unknown" : "" }, [T.sealsMade(made.made, made.unrevealed), near.isWhole ? "" : ` ${T.sealsAsFar}`]));
      sections.push(line);
    }
    sections.push(lineage(near, by ? (near.isWhole ? T.lineageBy(by) : T.lineagePart(by)) : T.lineageHere, "", (id) => look(id)));
    // an address that this browser kept is asked about nothing that was only opened
    const server = isChosen && trustOf(question) && question.server ? nodeUrl(question.server) : undefined;
    if (server && !near.isWhole) sections.push(...(await toldSections(server, domain, its)));
  }
  const dropped = (digest: string): File | undefined => digests.find(({ sha256 }) => sha256 === digest)?.file;
  sections.push(await metricsSection(placed.map(({ record }) => record), dropped, copies));
  if (round === running) nearby.replaceChildren(...sections.filter((it) => it !== null));
}

/** What a server says of the records, where no node told all of it. */
async function toldSections(server: URL, domain: Domain, placed: readonly Placed[]): Promise<(Node | null)[]> {
  const sections: (Node | null)[] = [];
  for (const { record, plain } of placed.slice(0, MOST_ROOTS)) {
    try {
      const { near, names } = await toldBy(server, domain, record.id);
      const name = names.get(record.key.group);
      if (name !== undefined) plain.group.append(h("p", { class: "unknown" }, T.groupTold(server.host, name)));
      sections.push(lineage(near, near.isWhole ? T.lineageTold(server.host) : T.lineageToldPart(server.host), `: ${server.host}, ${record.manifest?.name ?? record.id}`, (id) => look(id)));
    } catch (error) {
      sections.push(h("p", { class: "unknown" }, T.nodeProblem(server.host, (error as Error).message)));
    }
  }
  return sections;
}

/** Ask the other side of a claim, as the visitor pressed for it; files from there are judged in its place. */
const askOther: Ask = (side, files, told) => void attempt(async () => told(await confirmed(side, files ? saved(files) : (address, options) => fetch(address, options))));

const nameOf = (url: URL): string => url.host + url.pathname.replace(/\/$/, "");

async function judged(proof: Digested, chosen: Trust | undefined, urls: URL[]): Promise<Judged | Drawn> {
  try {
    const data = new Uint8Array(await proof.file.arrayBuffer());
    const said: Said[] = [];
    const bundle = readBundle(data);
    const { domain, evidence } = bundle;
    // no authority can be chosen here: one that is forged is refused, and any other fits together
    const trust = { ...chosen, tokens: await judgeTokens(bundle, []) };
    if (!trust.chainId || !urls.length) said.push(ofBundle(verifyBundle(data, trust), undefined));
    else for (const url of urls) {
      status.replaceChildren(h("p", {}, T.asking(nameOf(url))));
      said.push(ofBundle(await verifyBundleOnChain(data, { client: new Chain(client(url)), trust }), nameOf(url)));
    }
    const identities = evidence.flatMap(([what, item]) => (what === "identity" ? [item] : []));
    const open = said[0]!.checks.filter(({ name, detail }) => name === "not checked" || (name === "witness" && detail.includes("not checked here")));
    const kept = [...new Set(open.map(({ detail }) => T.keptEvidence(detail)))].slice(0, 20);
    const isWordOfFile = !said.every(({ checks }) => stands(checks));
    // a node that does not have the proof's blocks says nothing of its records
    const node = BigInt(trust.chainId ?? 0) === domain.chainId && !isWordOfFile ? urls[0] : undefined;
    return { said, name: proof.path, place: { domain, node, kept, identities, isWordOfFile } };
  } catch (error) {
    if (error instanceof BundleRefused) return { head: refusedCard(T.refused, T.refusedMore(error.message)) };
    if (error instanceof UnknownVersion) return { head: refusedCard(T.newer, "") };
    throw error;
  }
}

async function lookedUp(trust: Trust | undefined, urls: URL[]): Promise<Judged | Drawn> {
  const data = digests.filter(({ use }) => use === "data");
  const loose = data.filter(({ path }) => !path.includes("/"));
  const folders = foldersOf(digests).filter(({ path, files }) => !path.includes("/") && files.some(({ use }) => use === "data"));
  if (!trust?.chainId || !trust.registry || !urls.length) {
    const lines = [...folders.map((it) => [it.sha256, folderName(it)] as const), ...loose.map((it) => [it.sha256, it.path] as const)].slice(0, MOST_LINES);
    return { head: h("section", {}, h("p", {}, h("strong", {}, T.lookup.needChain)), lines.map(([digest, name]) => h("p", { class: "hash" }, `${digest}  ${name}`))) };
  }
  let [target, name] = [question.id, ""];
  const said: Said[] = [];
  for (const url of urls) {
    status.replaceChildren(h("p", {}, T.asking(nameOf(url))));
    const chain = new Chain(client(url));
    const ask = (digest: string): Promise<Report> => verify(digest, { client: chain, trust, ...(copies && { copies: copies.sources }) });
    let report = target ? await ask(target) : undefined;
    if (report?.records.length === 0 && /^0x[0-9a-f]{64}$/i.test(question.id)) {
      const written = await writtenBy(openRegistry(chain, trust.registry), question.id);
      if (written.length > 1) return { head: writtenList(written) };
      if (written[0]) [report, name] = [await ask(written[0]), T.wrote(question.id, written[0])];
    }
    // what was dropped is asked as it is, and a folder also without the proofs and copies in it
    const candidates = folders.length ? folders.filter(({ path }) => path === folders[0]!.path) : loose;
    if (!target) for (const { sha256 } of candidates) if (!report?.records.length) [report, target] = [await ask(sha256), sha256];
    said.push(ofReport(report!, nameOf(url)));
  }
  return { said, name: name || target, place: { domain: { chainId: trust.chainId, registry: trust.registry.toLowerCase() }, node: urls[0], kept: [], identities: [], isWordOfFile: false } };
}

/** The records that a transaction wrote, to be looked up. */
const writtenList = (ids: readonly string[]): HTMLElement =>
  h("section", { "aria-label": T.wroteMany(ids.length) }, h("h2", {}, T.wroteMany(ids.length)),
    h("ul", { class: "plain" }, ids.slice(0, MOST_LINES).map((id) => h("li", {}, h("button", { type: "button", class: "link hash", click: () => look(id) }, id)))));

/** Whether the blocks of a proof stand, or today's state where a node has forgotten them, and its registry is a trusted one. */
function stands(checks: readonly Check[]): boolean {
  const all = (name: RegExp, isNeeded: boolean): boolean => {
    const found = checks.filter((check) => name.test(check.name));
    return (!isNeeded || found.length > 0) && found.every(({ verdict }) => verdict === "pass");
  };
  const isForgotten = checks.some(({ name }) => name === "forgotten");
  return all(/^registry$/, true) && all(/^block /, false) && (!isForgotten || all(/^today/, true));
}

/** As of when a node speaks: of now, or of its newest block where it is behind. */
function asOfNode({ checks: made }: { checks: readonly Check[] }, node: string): Shown["asOf"] {
  const behind = made.find((check) => check.behind !== undefined)?.behind;
  return behind === undefined ? { node } : { time: behind, node };
}

function ofBundle(report: BundleReport, by: string | undefined): Said {
  const records = report.bundle.records.map((record): Shown => {
    const standing = report.today[record.id] ?? record.stored;
    const committedAt = record.stored?.recordedAt || record.batch?.batch.anchoredAt || 0;
    const asOf = by !== undefined && report.today[record.id] ? asOfNode(report, by) : { time: record.asOf.timestamp };
    return { id: record.id, key: record.key, manifest: record.manifest, standing, committedAt, asOf, verdicts: {} };
  });
  const { outcome, checks: made, doesNotProve, privateTestChain } = report;
  return { by, outcome, isPrivate: privateTestChain, checks: made, records, doesNotProve };
}

function ofReport(report: Report, by: string): Said {
  const asOf = asOfNode(report, by);
  const records = report.records.map((record): Shown => ({ ...record, standing: record.status, committedAt: record.batch?.anchoredAt ?? record.status.recordedAt, asOf }));
  const { outcome, checks: made, doesNotProve, privateTestChain } = report;
  return { by, outcome, isPrivate: privateTestChain, checks: made, records, doesNotProve };
}

const worstOf = (said: readonly Said[]): Said =>
  said.find((it) => it.outcome === "not verified") ?? said.find((it) => it.outcome !== "verified") ?? said[0]!;

function drawn({ said, name, place }: Judged, isWrong: boolean, asked: string): Drawn {
  const first = said[0]!;
  if (isWrong) for (const it of said) it.outcome = "not verified";
  const summary = ({ outcome, records }: Said): string => JSON.stringify([outcome, records.map(({ id, standing }) => [id, standing])]);
  const differ = said.some((it) => summary(it) !== summary(first));
  const worst = worstOf(said);
  const isRetracted = ({ standing }: Shown): boolean => !!standing?.retractedAt;
  const head = h(
    "section",
    { "aria-label": `${T.outcome[worst.outcome] ?? worst.outcome}: ${name}` },
    h("p", { class: "dim hash" }, name),
    differ && h("p", { class: "problem" }, T.differ),
    said.map((it) => outcomeCard(it, place.isWordOfFile)),
    actions(summed(said, worst, differ, place.isWordOfFile), first.records, asked, knownUntil(said, place.isWordOfFile)),
  );
  const retracted = new Map(said.flatMap(({ records }) => records).filter(isRetracted).map((it) => [it.id, it]));
  const shown = shownOf(first.records, (record) => isAsked(record) || retracted.has(record.id));
  const plain = shown.map((record) => plainWords(record, place.isWordOfFile, retracted.get(record.id)));
  if (shown.length < first.records.length) head.append(h("p", { class: "unknown" }, T.moreRecords(shown.length, first.records.length)));
  const records = shown.map((record, i): Placed => ({ record, plain: plain[i]!, ...place }));
  return { head, plain, records, isDecided: worst.outcome === "verified" || worst.outcome === "not verified" };
}

/** The records that are shown of many: what was asked for and what was retracted before others. */
const shownOf = (records: readonly Shown[], isFirst: (record: Shown) => boolean): Shown[] =>
  (records.length > MOST_SHOWN ? [...records.filter(isFirst), ...records.filter((it) => !isFirst(it))] : records).slice(0, MOST_SHOWN);

function refusedCard(title: string, more: string): HTMLElement {
  return h("section", {}, h("div", { class: "outcome fail" }, h("h2", {}, title), h("p", {}, more)));
}

/** What a badge says of all that was asked, in a few words and a colour. A retraction stands above everything. */
function summed(said: readonly Said[], worst: Said, differ: boolean, isWordOfFile: boolean): [text: string, tone: string] {
  if (!isWordOfFile && said.some(({ records }) => records.some(({ standing }) => standing?.retractedAt))) return ["retracted", "fail"];
  if (worst.outcome === "not verified") return [worst.outcome, "fail"];
  if (differ) return ["two nodes differ", "unknown"];
  if (worst.isPrivate) return [`${worst.outcome} on a private test chain`, "unknown"];
  return [worst.outcome, worst.outcome === "verified" ? "pass" : "unknown"];
}

/** Until when what was said is known, Unix seconds: of a proof alone or a node that is behind, no later than they know. */
const knownUntil = (said: readonly Said[], isWordOfFile: boolean): number =>
  said.flatMap(({ records }) => records).reduce((least, { asOf }) => ("time" in asOf && !isWordOfFile ? Math.min(least, asOf.time) : least), Math.floor(Date.now() / 1000));

/** What can be done with an answer. Link and badge are of what was asked, when it was, whatever is typed since. */
function actions([text, tone]: [text: string, tone: string], records: readonly Shown[], asked: string, until: number): HTMLElement {
  const [when, of] = [date(until), T.badgeOf(records.map(({ id }) => short(id)))];
  const copy = (event: Event): void => {
    const button = event.target as HTMLButtonElement;
    void navigator.clipboard.writeText(asked).then(() => (button.textContent = T.copied), () => prompt(T.link, asked));
  };
  const save = (): void => {
    const picture = badge(of, text, tone, when);
    const url = URL.createObjectURL(new Blob([picture], { type: "image/svg+xml" }));
    h("a", { href: url, download: "record.svg" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  const again = (): void => {
    stop();
    [digests, copies, question, isChosen] = [[], undefined, { ...EMPTY, ...kept() }, true];
    history.replaceState(null, "", location.pathname);
    draw();
  };
  const buttons: [string, (event: Event) => void][] = [[T.link, copy], [T.print, () => print()], [T.badge, save], [T.again, again]];
  return h("div", { class: "row noprint" }, buttons.map(([text, click]) => h("button", { type: "button", click }, text)));
}

let pending = 0;

async function attempt(work: () => Promise<void> | void): Promise<void> {
  try {
    document.body.ariaBusy = String(++pending > 0);
    await work();
  } catch (error) {
    if (!(error instanceof InputError || error instanceof NodeProblem || error instanceof Unavailable)) console.error(error);
    const hint = error instanceof InputError && error.hint ? ` ${error.hint}` : "";
    const problem = h("p", { class: "problem", role: "alert" }, `${(error as Error).message}${hint}`);
    const reload = h("button", { type: "button", click: () => location.reload() }, T.reload);
    status.replaceChildren(...((error as Error).message === T.otherNode ? [problem, reload] : [problem]));
    status.scrollIntoView({ block: "nearest" });
  } finally {
    document.body.ariaBusy = String(--pending > 0);
  }
}

function draw(): void {
  drawForm();
  status.replaceChildren();
  result.replaceChildren();
  more.replaceChildren();
  homes.replaceChildren();
  document.body.classList.remove("small");
  document.title = T.title;
  document.body.replaceChildren(
    h("header", {}, h("h1", {}, T.title), h("p", { class: "lead" }, T.lead), h("p", { class: "dim" }, T.private)),
    h("main", {}, intake(), status, result, form, more, homes),
    h("footer", { class: "noprint" }, h("h2", {}, T.aboutTitle), h("p", {}, T.about)),
  );
}

addEventListener("hashchange", () => {
  question = { ...fromLink(location.hash), ...kept() };
  isChosen = !reliesOn(question);
  stop();
  digests = digests.filter(({ use }) => use === "copy");
  draw();
  void attempt(show);
});
draw();
