/** A registry's home: its groups, its latest records, and a search. By what was published, a node or a server of `serve`. */
import { InputError, kindName, recordId } from "@blockchaintracer/sdk";
import type { Domain, Hex, RecordKey, Registry } from "@blockchaintracer/sdk";
import { relations } from "@blockchaintracer/contracts";
import { manifestOf, recorded } from "./around.ts";
import type { Around, Edge, Entry } from "./around.ts";
import { code, date, h, short, table } from "./dom.ts";
import type { PublishedCopies } from "./given.ts";
import { answer } from "./nodes.ts";
import { profilesOf } from "./people.ts";
import { fromLink } from "./question.ts";
import { T, kindWord } from "./texts.ts";

const AT_ONCE = 50;
/** Rows, groups and registries that are shown at most. */
const MOST_SHOWN = 500;
const MOST_HOMES = 20;
/** Records of a folder that are read before they are shown, to be sorted by their names. */
const MOST_SORTED = 1000;
const MOST_TOLD = 401;
const MOST_PROFILE = 1 << 16;

/** A record in a list. What is undefined is not known. */
interface Listed {
  id: string;
  kind: string;
  group: number;
  name?: string | undefined;
  /** What a search looks through. */
  words: string;
  at?: number;
  isRetracted?: boolean;
}

/** Where a list comes from. `find` gives the records that fit, the latest first, and whether there are more. */
export interface Home {
  by: string;
  chain: string;
  registry: string;
  /** What is said of how far the list can be believed. */
  word: string;
  /** How many records there are, if that is known. */
  count?: number;
  groups: { group: number; name?: string | undefined; about?: string | undefined; records?: number }[];
  find(words: string, after: string | undefined): Promise<{ records: Listed[]; next: string | undefined }>;
}

/** The section of a registry. `look` gets the id of a record that is to be looked up; `attempt` shows what goes wrong. */
export function homeSection(home: Home, look: (id: string) => void, attempt: (work: () => Promise<void>) => Promise<void>): HTMLElement {
  const list = h("div", { "aria-live": "polite" });
  const words = h("input", { id: "words", type: "search", autocomplete: "off" });
  let [shown, before]: [Listed[], number] = [[], 0];
  const row = ({ id, name, kind, group, at, isRetracted }: Listed): (Node | string)[] => [
    h("button", { type: "button", class: "link", click: () => look(id) }, name ?? short(id)),
    kindWord(kind),
    String(group),
    at === undefined ? "–" : h("span", { class: "when" }, date(at)),
    isRetracted === undefined ? T.state["unknown"]! : h("span", { class: isRetracted ? "retracted" : "" }, isRetracted ? T.state["retracted"]! : T.state["recorded"]!),
  ];
  const find = (after?: string): Promise<void> =>
    attempt(async () => {
      const sought = words.value.trim();
      const found = await home.find(sought, after);
      if (after === undefined) [shown, before] = [[], 0];
      shown.push(...found.records);
      before += shown.splice(0, shown.length - MOST_SHOWN).length;
      const more = found.next && h("button", { type: "button", click: () => void find(found.next) }, T.showMore);
      const told = h("p", { class: "dim" }, T.shownRows(before, before + shown.length, sought ? undefined : home.count));
      list.replaceChildren(...(shown.length ? [told, table(T.latest, T.listHeads, shown.map(row))] : [h("p", {}, T.lookup.none)]), ...(more ? [h("div", { class: "row" }, more)] : []));
    });
  const submit = (event: Event): void => (event.preventDefault(), void find());
  void find();
  return h(
    "section",
    { "aria-label": T.homeTitle, id: "home" },
    h("h2", {}, T.homeTitle),
    h("dl", {}, h("dt", {}, T.registry), h("dd", {}, code(home.registry)), h("dt", {}, T.chain), h("dd", {}, home.chain), h("dt", {}, T.toldBy), h("dd", {}, home.by)),
    h("p", { class: "unknown" }, home.word),
    home.groups.length > 0 && h("h3", {}, T.groupsTitle),
    home.groups.length > 0 && table(T.groupsTitle, T.groupHeads, home.groups.slice(0, MOST_SHOWN).map(({ group, name, about, records }) => [T.groupNumber(group), [name ?? "–", about && h("div", { class: "dim" }, about)], records === undefined ? "–" : String(records)])),
    home.groups.length > MOST_SHOWN && h("p", { class: "dim" }, T.moreGroups(home.groups.length - MOST_SHOWN)),
    h("h3", {}, T.latest),
    h("form", { submit, role: "search" }, h("label", { for: "words" }, T.search), words, h("div", { class: "row" }, h("button", { type: "submit" }, T.find))),
    list,
  );
}

const counted = (keys: readonly { group: number }[]): Home["groups"] =>
  [...Map.groupBy(keys, ({ group }) => group)].sort(([a], [b]) => a - b).map(([group, its]) => ({ group, records: its.length }));

/** Reads a record of a list by its place in it. */
type At = (place: number) => Promise<Listed> | Listed;

/** Find the next records of a list whose words all occur. `after` is the place where the search goes on. */
async function listed(count: number, at: At, words: string, after: string | undefined): Promise<{ records: Listed[]; next: string | undefined }> {
  const sought = words.toLowerCase().split(/\s+/).filter(Boolean);
  const records: Listed[] = [];
  let place = Number(after ?? 0);
  for (; place < count && records.length < AT_ONCE; place++) {
    const record = await at(place);
    if (sought.every((word) => record.words.includes(word))) records.push(record);
  }
  return { records, next: place < count ? String(place) : undefined };
}

async function entry(id: string, key: RecordKey, copies: PublishedCopies | undefined): Promise<Listed> {
  const manifest = await manifestOf(key, copies);
  const kind = kindName(key.kind);
  const about = [manifest?.name, manifest?.predicate["description"], kindWord(kind), kind, id, key.subject, key.author, `group ${key.group}`];
  return { id, kind, group: key.group, name: manifest?.name, words: about.filter(Boolean).join(" ").toLowerCase() };
}

/** What lies in published folders, by registry. Which of it is recorded is not known. Of many records each is read when it is shown or searched. */
export async function ofFolder(copies: PublishedCopies): Promise<Home[]> {
  const homes: Home[] = [];
  const places = Map.groupBy(copies.all(), ({ chainId, registry }) => `${chainId} ${registry}`);
  // a stranger's folder can name as many registries as it has files
  for (const [place, keys] of [...places].sort(([, a], [, b]) => b.length - a.length).slice(0, MOST_HOMES)) {
    const [chain = "", registry = ""] = place.split(" ");
    const known = [...new Map(keys.map((it) => [it.id, it])).values()];
    const few = known.length > MOST_SORTED ? [] : await Promise.all(known.map(({ id, key }) => entry(id, key, copies)));
    few.sort((a, b) => (a.name ?? a.id).localeCompare(b.name ?? b.id, "en"));
    const at: At = (place) => few[place] ?? entry(known[place]!.id, known[place]!.key, copies);
    homes.push({ by: T.theFolder, chain, registry, word: T.folderWord + (places.size > MOST_HOMES ? T.moreRegistries(places.size - MOST_HOMES) : ""), count: known.length, groups: counted(known.map(({ key }) => key)), find: (words, after) => listed(known.length, at, words, after) });
  }
  return homes;
}

/** All records of a registry, as a node tells them: when, and whether retracted, by its state. */
export async function ofNode(registry: Registry, chain: string, copies: PublishedCopies | undefined, by: string): Promise<Home> {
  const domain = await registry.domain();
  if (String(domain.chainId) !== chain) throw new InputError(T.otherChain(by, String(domain.chainId), chain));
  const behind = await registry.chain.behind();
  const { keys, isWhole } = await recorded(registry);
  keys.reverse();
  const numbers = counted(keys);
  const profiles = await profilesOf(numbers.map(({ group }) => group), registry, async (digest) => (await copies?.read(digest, MOST_PROFILE)) ?? null);
  const groups = numbers.map((it) => ({ ...it, ...profiles.get(it.group) }));
  const at: At = (place) => entry(recordId(domain, keys[place]!), keys[place]!, copies);
  const find: Home["find"] = async (words, after) => {
    const page = await listed(keys.length, at, words, after);
    const statuses = await registry.statusesOf(page.records.map(({ id }) => id));
    const found = page.records.flatMap((record, i) => {
      const { recordedAt, retractedAt } = statuses[i]!;
      return recordedAt ? [{ ...record, at: recordedAt, isRetracted: retractedAt > 0 }] : [];
    });
    return { ...page, records: found };
  };
  return { by, chain, registry: registry.address, word: (isWhole ? T.nodeWord : T.nodePart) + (behind === undefined ? "" : T.nodeUntil(date(behind))), count: keys.length, groups, find };
}

/** The list that was published beside this page, `records.html`. It is read as data: nothing of it runs or loads. */
export function ofList(written: string): Home[] {
  // without its style, which the policy of this page would refuse aloud
  const list = written.slice(Math.max(0, written.indexOf("<ul>")));
  const links = [...new DOMParser().parseFromString(list, "text/html").querySelectorAll("a[data-group]")];
  const records = links.map((link) => {
    const asked = fromLink(link.getAttribute("href")?.split("#")[1] ?? "");
    const [kind, group, name] = [link.getAttribute("data-kind") ?? "", Number(link.getAttribute("data-group")), link.textContent.slice(0, 300)];
    return { ...asked, kind, group, name, words: [name, kind, asked.id, `group ${group}`].join(" ").toLowerCase() };
  });
  return [...Map.groupBy(records, ({ chain, registry }) => `${chain} ${registry}`).values()].map((its) => {
    const { chain, registry } = its[0]!;
    return { by: T.thisFolder, chain, registry, word: T.besideWord, count: its.length, groups: counted(its), find: (words, after) => listed(its.length, (place) => its[place]!, words, after) };
  });
}

const list = (value: unknown, most = 200): Record<string, unknown>[] => (Array.isArray(value) ? value.slice(0, most).filter((it) => typeof it === "object" && it !== null) : []) as Record<string, unknown>[];
const words = (value: unknown): string | undefined => (typeof value === "string" ? value.slice(0, 300) : undefined);

type Ask = (path: string, query?: Record<string, string>) => Promise<Record<string, unknown>>;
const asking = (server: URL): Ask => async (path, query = {}) => {
  const url = new URL(`${server.pathname.replace(/\/$/, "")}/v1/${path}`, server.origin);
  url.search = String(new URLSearchParams(query));
  const value = await answer(url);
  if (typeof value !== "object" || value === null) throw new TypeError(T.noList);
  return value as Record<string, unknown>;
};

/** What a server of `blockchaintracer serve` says is near a record, and what groups are called. Nothing of it is checked. */
export async function toldBy(server: URL, domain: Domain, id: string): Promise<{ near: Around; names: Map<number, string> }> {
  const ask = asking(server);
  const place = await ask("registry");
  const [chain, registry] = [String(place["chainId"]).slice(0, 78), String(place["registry"]).slice(0, 42)];
  if (chain !== String(domain.chainId) || registry.toLowerCase() !== domain.registry.toLowerCase()) throw new InputError(T.otherRegistry(server.host, registry, chain));
  const names = new Map(list((await ask("groups", { limit: "200" }))["groups"]).flatMap(({ group, name }) => (words(name) === undefined ? [] : [[Number(group), words(name)!] as const])));
  const told = await ask(`records/${id}/lineage`, { depth: "10" });
  const isId = (value: unknown): value is Hex => typeof value === "string" && /^0x[0-9a-f]{64}$/.test(value);
  const entries = new Map<Hex, Entry>();
  for (const node of list(told["nodes"], MOST_TOLD)) {
    if (!isId(node["id"])) continue;
    const state = node["status"] === "retracted" ? "retracted" : Array.isArray(node["retractedAncestors"]) && node["retractedAncestors"].length ? "affected" : node["moreRetracted"] === null ? "perhaps" : "recorded";
    const depth = Math.max(-10, Math.min(10, Math.trunc(Number(node["depth"])) || 0));
    entries.set(node["id"], { id: node["id"], key: undefined, kind: words(node["kind"])?.slice(0, 40) ?? "", name: words(node["name"]), manifest: null, status: undefined, state, depth: node["id"] === id ? 0 : depth });
  }
  const edges = list(told["edges"], 10 * MOST_TOLD).flatMap(({ child, parent, relation }): Edge[] => {
    if (!isId(child) || !isId(parent) || !entries.has(child) || !entries.has(parent)) return [];
    return [{ child, parent, relation: new Map<unknown, number>(Object.entries(relations)).get(relation) ?? Number(relation) }];
  });
  return { near: { entries, edges, left: 0, isWhole: told["isComplete"] === true }, names };
}

/** A list that a server of `blockchaintracer serve` keeps. */
export async function ofServer(server: URL): Promise<Home> {
  const ask = asking(server);
  const place = await ask("registry");
  const groups = list((await ask("groups", { limit: "200" }))["groups"]);
  const { complete, time } = (place["asOf"] ?? {}) as Record<string, unknown>;
  return {
    by: server.host,
    chain: String(place["chainId"]).slice(0, 78),
    registry: String(place["registry"]).slice(0, 42),
    word: (complete === true ? T.serverWord : T.serverPart) + (Number.isSafeInteger(time) && Number(time) >= 0 ? T.serverUntil(date(Number(time))) : ""),
    groups: groups.map(({ group, name }) => ({ group: Number(group), name: words(name) })),
    async find(text, after) {
      const page = await ask("records", { limit: String(AT_ONCE), ...(text && { text }), ...(after && { after }) });
      const records = list(page["records"]).map(({ id, kind, group, name, time, status }) => ({
        id: String(id).slice(0, 66), kind: String(kind).slice(0, 40), group: Number(group), name: words(name), words: "", ...(Number.isSafeInteger(time) && Number(time) >= 0 && { at: Number(time) }), isRetracted: status === "retracted",
      }));
      return { records, next: words(page["next"]) };
    },
  };
}
