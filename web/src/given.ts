/** What the visitor gave: proofs, data files, a folder, a published folder of a lab. */
import { formatListing } from "@blockchaintracer/sdk";
import type { Copies } from "@blockchaintracer/sdk";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const MOST_PROOF = 64 << 20;
const PROOF_STARTS = '{"algorithms":[';
const OBJECT = /(?:^|\/)objects\/([0-9a-f]{2})\/([0-9a-f]{62})$/;
const KEY = /(?:^|\/)(?:proofs|keys)\/[^/]+\.json$/;

/** A file, and the path that it has in what was dropped. */
export interface Given {
  file: File;
  path: string;
}

/** A file or folder by its digest. */
export interface Digested {
  name: string;
  sha256: string;
  isFolder: boolean;
  /** Its bytes; of a folder there are none. */
  file?: File;
}

/** A key file that was published, its key, and the chain and registry that it names. */
export interface PublishedKey {
  chainId: string;
  registry: string;
  key: unknown;
  file: unknown;
}

/** What lies in a published folder: nothing of it is believed. */
export interface PublishedCopies extends Copies {
  all(): Promise<PublishedKey[]>;
}

/** Whether a file begins as a proof bundle does. */
export async function isProof(file: File): Promise<boolean> {
  if (file.size > MOST_PROOF || file.size < PROOF_STARTS.length) return false;
  return (await file.slice(0, PROOF_STARTS.length).text()) === PROOF_STARTS;
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

/** The folder that all paths share, or none. */
export function sharedFolder(given: readonly Given[]): string | undefined {
  const [first] = given[0]?.path.split("/") ?? [];
  return given.length && given.every((it) => it.path.startsWith(`${first}/`)) ? first : undefined;
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
export function copiesIn(given: readonly Given[]): PublishedCopies | undefined {
  const objects = new Map(given.flatMap(({ file, path }) => {
    const match = OBJECT.exec(path);
    return match ? [[match[1]! + match[2]!, file] as const] : [];
  }));
  const keyFiles = given.filter(({ path, file }) => KEY.test(path) && file.size < 1 << 20);
  if (!objects.size && !keyFiles.length) return undefined;
  let files: Promise<PublishedKey[]> | undefined;
  const read = async (): Promise<PublishedKey[]> => {
    const texts = await Promise.all(keyFiles.map(({ file }) => file.text()));
    return texts.flatMap((text) => {
      try {
        const file = JSON.parse(text) as Record<string, unknown>;
        const { chainId, registry, key } = file;
        return key ? [{ chainId: String(chainId), registry: String(registry).toLowerCase(), key, file }] : [];
      } catch {
        return [];
      }
    });
  };
  const all = (): Promise<PublishedKey[]> => (files ??= read());
  return {
    async read(digest, limit) {
      const file = objects.get(digest);
      return file && file.size <= limit ? new Uint8Array(await file.arrayBuffer()) : null;
    },
    keys: async () => (await all()).map(({ file }) => file),
    all,
  };
}
