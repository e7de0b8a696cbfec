/** What the visitor gave: proofs, data files, a folder, a published folder of a lab. */
import { formatListing, parseListing, readKey, recordId } from "@blockchaintracer/sdk";
import type { Copies, Hex, Json, Listed, RecordKey } from "@blockchaintracer/sdk";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { quietly } from "./around.ts";

const MOST_PROOF = 64 << 20;
const MOST_JSON = 4 << 20;
const MOST_FOLDERS = 2000;
const MOST_IDENTITIES = 50;
const MOST_HOLDERS = 1000;
const MOST_LISTING = 16 << 20;
const PROOF_STARTS = '{"algorithms":[';
const OBJECT = /(?:^|\/)objects\/([0-9a-f]{2})\/([0-9a-f]{62})$/;
const PAGE = /<title>(?:Check a record|Published records)<\/title>/;

/** A file, and the path that it has in what was dropped. */
export interface Given {
  file: File;
  path: string;
}

/** What a file is by its content: a proof, a page like this one, what a lab publishes beside data, or data. Of a key file also the key, so that it is read once. */
export interface Use {
  use: "data" | "proof" | "copy" | "page";
  key?: Omit<PublishedKey, "file" | "path"> | undefined;
  /** Whose claims a file of identities has. */
  holder?: string;
}

/** The first part of a path: the folder that was dropped; nothing of a loose file. */
export const rootOf = ({ path }: Given): string | undefined => (path.includes("/") ? path.split("/")[0] : undefined);

/** A file by its digest. */
export interface Digested extends Given, Use {
  sha256: string;
}

/** A folder as it could have been recorded: with all its files, or without the proofs and the published copies in it. */
export interface Folder {
  path: string;
  files: Digested[];
  without: Digested[];
  sha256: string;
}

/** A key file that was published, its key and id, and the chain and registry that it names. */
export interface PublishedKey {
  chainId: string;
  registry: string;
  key: RecordKey;
  id: Hex;
  file: File;
  path: string;
}

/** What lies in published folders: nothing of it is believed. */
export interface PublishedCopies extends Copies {
  /** Each folder that was dropped by itself: what one has too much of hides nothing of another. */
  sources: readonly Copies[];
  all(): readonly PublishedKey[];
  /** Files of identities of these holders, or the first of all. */
  identities(holders?: readonly string[]): Promise<Json[]>;
}

/** Say what a file is by its content: `data`, if that was read. Its name decides nothing. */
export async function useOf({ file, path }: Given, digest: string, data?: Uint8Array): Promise<Use> {
  const object = OBJECT.exec(path);
  if (object) return { use: object[1]! + object[2]! === digest ? "copy" : "data" };
  const text = (most: number): string | Promise<string> => (data ? new TextDecoder().decode(data.subarray(0, most)) : file.slice(0, most).text());
  const start = await text(4096);
  if (/^\s*</.test(start)) return { use: PAGE.test(start) ? "page" : "data" };
  if (!start.startsWith("{") || file.size > MOST_PROOF) return { use: "data" };
  if (file.size <= MOST_JSON) {
    const whole = await text(MOST_JSON);
    const value = quietly(() => JSON.parse(whole) as Record<string, unknown>);
    const type = /^urn:blockchaintracer:(?!bundle:)([a-z0-9-]+):v\d+$/.exec(words(value?.["type"]))?.[1];
    if (type) return { use: "copy", key: quietly(() => keyOf(value!)), ...(type === "identities" && { holder: words(value!["holder"]).slice(0, 200) }) };
  }
  return { use: start.startsWith(PROOF_STARTS) ? "proof" : "data" };
}

/** List what was dropped: files, and the files of folders. */
export async function dropped(transfer: DataTransfer): Promise<Given[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  return (await Promise.all(entries.map(within))).flat();
}

async function within(entry: FileSystemEntry): Promise<Given[]> {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ file, path }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: Given[] = [];
  // a reader gives a hundred entries at a time
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(within))).flat());
  }
}

/** The folders of what was given, each with its digest, the outer ones first. */
export function foldersOf(given: readonly Digested[]): Folder[] {
  const inside = new Map<string, Digested[]>();
  for (const it of given) {
    for (let end = it.path.indexOf("/"); end > 0; end = it.path.indexOf("/", end + 1)) {
      const path = it.path.slice(0, end);
      const files = inside.get(path);
      if (files) files.push(it);
      else if (inside.size < MOST_FOLDERS || !path.includes("/")) inside.set(path, [it]);
    }
  }
  const digest = (path: string, files: readonly Digested[]): string => folderDigest(files.map((it) => ({ path: it.path.slice(path.length + 1), sha256: it.sha256 })));
  return [...inside].flatMap(([path, files]) => {
    const data = files.filter(({ use }) => use === "data");
    const without = files.filter(({ use }) => use !== "data");
    const whole: Folder = { path, files, without: [], sha256: digest(path, files) };
    return data.length && without.length ? [whole, { path, files: data, without, sha256: digest(path, data) }] : [whole];
  });
}

/** The list of the files of a recorded folder, if it is among what was published, or was given itself. */
export async function listingOf(subject: string, given: readonly Digested[], copies: Copies | undefined): Promise<Listed[] | undefined> {
  const file = given.find(({ sha256: digest, file }) => digest === subject && file.size <= MOST_LISTING)?.file;
  const data = file ? new Uint8Array(await file.arrayBuffer()) : await copies?.read(subject, MOST_LISTING).catch(() => null);
  if (!data || bytesToHex(sha256(data)) !== subject) return undefined;
  try {
    return parseListing(data);
  } catch {
    return undefined;
  }
}

/** The digest of a folder: that of the canonical list of its files (docs/hashing.md). */
export function folderDigest(files: readonly { path: string; sha256: string }[]): string {
  const twins = new Map<string, number>();
  for (const { path } of files) twins.set(path.normalize("NFC"), (twins.get(path.normalize("NFC")) ?? 0) + 1);
  const named = files.map(({ path, sha256: digest }) => {
    const normal = path.normalize("NFC");
    return { path: twins.get(normal) === 1 ? normal : path, sha256: digest };
  });
  return bytesToHex(sha256(formatListing(named)));
}

/** What of a lab's published folder was dropped: bytes by digest, and keys. Nothing of it is believed. */
export function copiesIn(given: readonly Digested[]): PublishedCopies | undefined {
  const copies = given.filter(({ use }) => use === "copy");
  const objects = new Map(copies.flatMap(({ file, path, sha256: digest }) => (OBJECT.test(path) ? [[digest, file] as const] : [])));
  const keys = copies.flatMap(({ key, file, path }) => (key ? [{ ...key, file, path }] : []));
  const identities = copies.filter(({ holder }) => holder !== undefined);
  if (!objects.size && !keys.length && !identities.length) return undefined;
  const read: Copies["read"] = async (digest, limit) => {
    const file = objects.get(digest);
    return file && file.size <= limit ? new Uint8Array(await file.arrayBuffer()) : null;
  };
  const sourceOf = (keys: readonly PublishedKey[]): Copies => {
    let byId: Map<Hex, PublishedKey[]> | undefined;
    return {
      read,
      async keys(what) {
        // one question for each ancestor: a list of all would be hashed each time
        byId ??= Map.groupBy(keys, ({ id }) => id);
        const fitting = "id" in what ? (byId.get(what.id) ?? []) : keys.filter(({ key }) => key.subject === what.subject);
        // the first ones count: those that a lab calls by what they are about
        const isNamed = ({ path }: PublishedKey): boolean => path.includes("id" in what ? what.id : what.subject);
        return Promise.all([...fitting.filter(isNamed), ...fitting.filter((it) => !isNamed(it))].map(({ file }) => valueOf(file)));
      },
    };
  };
  return {
    ...sourceOf(keys),
    sources: [...(keys.length ? Map.groupBy(keys, rootOf).values() : [[]])].map(sourceOf),
    all: () => keys,
    identities: (holders) => Promise.all(identities.filter(({ holder }) => !holders || holders.includes(holder!)).slice(0, holders ? MOST_IDENTITIES : MOST_HOLDERS).map(({ file }) => valueOf(file))),
  };
}

const values = new WeakMap<File, Promise<Json>>();
/** The JSON in a file that was read before; nothing if it has changed since. The same value each time: the SDK reads it once. */
function valueOf(file: File): Promise<Json> {
  const value = values.get(file) ?? file.text().then((text) => JSON.parse(text) as Json).catch(() => null);
  values.set(file, value);
  return value;
}

/** What stands where words should. A stranger's object can say that it has no text, by a field `toString`. */
export const words = (value: unknown): string => (typeof value === "string" ? value : "");

function keyOf(value: Record<string, unknown>): Omit<PublishedKey, "file" | "path"> {
  const [chainId, registry, key] = [String(value["chainId"]), String(value["registry"]).toLowerCase(), readKey(value["key"])];
  return { chainId, registry, key, id: recordId({ chainId: BigInt(chainId), registry }, key) };
}
