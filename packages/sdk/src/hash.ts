/** What identifies bytes: SHA-256, the SHA256SUMS of a folder, and the IPFS address (CID) of a file (docs/hashing.md). */
import { byBytes, bytesToHex, concatBytes, fromHex, sha256, utf8ToBytes } from "./bytes.ts";
import { InputError } from "./errors.ts";

/** How a file is cut into a UnixFS tree (IPIP-0499). */
export const CID_PROFILES = {
  "unixfs-v1-2025": { chunk: 1 << 20, width: 1024, rawLeaves: true, version: 1 },
  "unixfs-v0-2015": { chunk: 1 << 18, width: 174, rawLeaves: false, version: 0 },
  legacy: { chunk: 1 << 18, width: 174, rawLeaves: true, version: 1 },
} as const;
export type CidProfile = keyof typeof CID_PROFILES;

/** What identifies a file. `size` is in bytes. */
export interface FileDigest {
  sha256: string;
  size: number;
  cid: string;
  cidProfile: CidProfile;
}

interface DagLink {
  cid: Uint8Array;
  total: number;
  size: number;
}

const RAW = 0x55;
const DAG_PB = 0x70;
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

function varint(number: number): Uint8Array {
  const bytes: number[] = [];
  // division, not a shift: sizes go beyond 32 bits
  for (; number > 0x7f; number = Math.floor(number / 128)) bytes.push((number % 128) | 0x80);
  return Uint8Array.from([...bytes, number]);
}

const field = (number: number, content: Uint8Array): Uint8Array =>
  concatBytes(Uint8Array.of((number << 3) | 2), varint(content.length), content);

function cidBytes(version: number, codec: number, digest: Uint8Array): Uint8Array {
  const multihash = concatBytes(Uint8Array.of(0x12, 0x20), digest);
  return version ? concatBytes(Uint8Array.of(1, codec), multihash) : multihash;
}

function cidText(cid: Uint8Array): string {
  if (cid[0] === 1) {
    let text = "b";
    let bits = 0;
    let held = 0;
    for (const byte of cid) {
      held = ((held << 8) | byte) & 0xfff;
      for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31];
    }
    return bits ? text + BASE32[(held << (5 - bits)) & 31] : text;
  }
  let number = BigInt(`0x${bytesToHex(cid)}`);
  let text = "";
  for (; number; number /= 58n) text = BASE58[Number(number % 58n)] + text;
  return text;
}

/** The IPFS address of a file of at most 1 MiB, such as a manifest, from its SHA-256. */
export const cidOfSha256 = (digest: string): string => cidText(cidBytes(1, RAW, fromHex(digest)));

/** SHA-256 and CID of bytes that arrive in parts of any size, in flat memory. */
export class Digester {
  readonly #name: CidProfile;
  readonly #profile: (typeof CID_PROFILES)[CidProfile];
  readonly #whole = sha256.create();
  readonly #chunk: Uint8Array;
  #filled = 0;
  #size = 0;
  readonly #levels: DagLink[][] = [[]];

  constructor(profile: CidProfile = "unixfs-v1-2025") {
    this.#name = profile;
    this.#profile = CID_PROFILES[profile];
    this.#chunk = new Uint8Array(this.#profile.chunk);
  }

  update(data: Uint8Array): void {
    this.#whole.update(data);
    this.#size += data.length;
    while (data.length) {
      if (this.#filled === this.#chunk.length) this.#take();
      const part = data.subarray(0, this.#chunk.length - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      data = data.subarray(part.length);
    }
  }

  finish(): FileDigest {
    if (this.#filled || !this.#size) this.#take();
    let level = 0;
    for (; level < this.#levels.length - 1 || this.#levels[level]!.length > 1; level++) this.#collapse(level);
    const root = this.#levels[level]![0]!;
    return { sha256: bytesToHex(this.#whole.digest()), size: this.#size, cid: cidText(root.cid), cidProfile: this.#name };
  }

  #take(): void {
    this.#add(0, this.#leaf(this.#chunk.subarray(0, this.#filled)));
    this.#filled = 0;
  }

  #add(level: number, link: DagLink): void {
    if (this.#levels[level]!.length === this.#profile.width) this.#collapse(level);
    this.#levels[level]!.push(link);
  }

  #collapse(level: number): void {
    if (level + 1 === this.#levels.length) this.#levels.push([]);
    const links = this.#levels[level]!;
    this.#levels[level] = [];
    this.#add(level + 1, this.#node(links));
  }

  #leaf(chunk: Uint8Array): DagLink {
    const size = chunk.length;
    if (this.#profile.rawLeaves) return { cid: cidBytes(1, RAW, sha256(chunk)), total: size, size };
    const content = size ? field(2, chunk) : new Uint8Array();
    const encoded = field(1, concatBytes(Uint8Array.of(8, 2), content, Uint8Array.of(0x18), varint(size)));
    return { cid: cidBytes(this.#profile.version, DAG_PB, sha256(encoded)), total: encoded.length, size };
  }

  #node(links: DagLink[]): DagLink {
    const size = links.reduce((sum, link) => sum + link.size, 0);
    const named = links.map((link) =>
      field(2, concatBytes(field(1, link.cid), field(2, new Uint8Array()), Uint8Array.of(0x18), varint(link.total))),
    );
    const sizes = links.map((link) => concatBytes(Uint8Array.of(0x20), varint(link.size)));
    const data = field(1, concatBytes(Uint8Array.of(8, 2, 0x18), varint(size), ...sizes));
    const encoded = concatBytes(...named, data);
    const total = encoded.length + links.reduce((sum, link) => sum + link.total, 0);
    return { cid: cidBytes(this.#profile.version, DAG_PB, sha256(encoded)), total, size };
  }
}

/**
 * Compute SHA-256 and CID of a file in one reading, in flat memory.
 *
 * @param file a `Blob` or `File`, a stream of bytes, or bytes.
 * @param options `progress` is called with the number of bytes read so far.
 */
export async function hashFile(
  file: Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Uint8Array,
  options: { profile?: CidProfile; progress?: (bytes: number) => void; signal?: AbortSignal } = {},
): Promise<FileDigest> {
  const digester = new Digester(options.profile);
  let done = 0;
  const take = (part: Uint8Array): void => {
    options.signal?.throwIfAborted();
    digester.update(part);
    options.progress?.((done += part.length));
  };
  if (file instanceof Uint8Array) take(file);
  else if (Symbol.asyncIterator in file) for await (const part of file as AsyncIterable<Uint8Array>) take(part);
  else {
    // Safari's streams are no async iterables
    const reader = ("stream" in file ? file.stream() : file).getReader();
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) take(part.value);
    } finally {
      reader.releaseLock();
    }
  }
  const digest = digester.finish();
  if (typeof Blob !== "undefined" && file instanceof Blob && file.size !== digest.size) {
    throw new InputError("the file changed while it was read");
  }
  return digest;
}

/** A file of a folder: its path and SHA-256. */
export interface Listed {
  path: string;
  sha256: string;
}

const ESCAPES: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r" };

/** Write the canonical SHA256SUMS of files, whose SHA-256 identifies the folder. */
export function formatListing(files: readonly Listed[]): Uint8Array {
  const sorted = [...files].sort((a, b) => byBytes(a.path, b.path) || (a.sha256 < b.sha256 ? -1 : 1));
  const lines = sorted.map(({ path, sha256: digest }) => {
    const escaped = path.replace(/[\\\n\r]/g, (letter) => ESCAPES[letter]!);
    return `${escaped === path ? "" : "\\"}${digest}  ${escaped}\n`;
  });
  return utf8ToBytes(lines.join(""));
}

/** Read a canonical SHA256SUMS of any origin. No path in it leaves its folder. */
export function parseListing(listing: Uint8Array): Listed[] {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(listing);
  } catch {
    throw new InputError("expected a listing in UTF-8, got other bytes");
  }
  const files = text
    .replace(/\n$/, "")
    .split("\n")
    .map((line, number) => {
      const match = /^(\\?)([0-9a-f]{64}) {2}([^]+)$/.exec(line);
      if (!match) throw new InputError(`expected '<64 hex digits>  <path>' in line ${number + 1} of a listing`);
      const unescaped = match[3]!.replace(/\\([\\nr])/g, (_, letter: string) => ({ n: "\n", r: "\r" })[letter] ?? "\\");
      return { path: match[1] ? unescaped : match[3]!, sha256: match[2]! };
    });
  const written = new TextDecoder().decode(formatListing(files));
  if (written !== text) throw new InputError("expected a listing of at least one file, sorted by the bytes of the paths");
  checkListed(files.map((file) => file.path));
  return files;
}

function checkListed(paths: string[]): void {
  const forms = new Map<string, Set<string>>();
  for (const path of paths) {
    const parts = path.split("/");
    if (parts.some((part) => part === "" || part === "." || part === "..") || path.includes("\0")) {
      throw new InputError(`expected a relative path without '.', '..' or empty parts, got ${JSON.stringify(path)}`);
    }
    parts.forEach((part, at) => {
      const place = JSON.stringify([parts.slice(0, at).join("/"), part.normalize("NFC")]);
      forms.set(place, (forms.get(place) ?? new Set()).add(part));
    });
  }
  for (const [place, alike] of forms) {
    const [, normal] = JSON.parse(place) as [string, string];
    if (alike.size === 1 && !alike.has(normal)) throw new InputError("expected a path in Unicode form NFC");
  }
  checkDistinct(paths);
}

/** Refuse a path that comes twice, or is a file to one and a folder to another. */
export function checkDistinct(paths: Iterable<string>): void {
  const files = new Set<string>();
  const folders = new Set<string>();
  for (let path of paths) {
    if (files.has(path)) throw new InputError(`expected each path once, got ${JSON.stringify(path)} twice`);
    files.add(path);
    while ((path = path.slice(0, Math.max(path.lastIndexOf("/"), 0)))) folders.add(path);
  }
  for (const path of files) {
    if (folders.has(path)) throw new InputError(`expected files that are no folders, too, got ${JSON.stringify(path)}`);
  }
}

