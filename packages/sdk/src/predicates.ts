/** The predicates of the in-toto statement, one for each kind of record (docs/manifest.md). Values have one form each. */
import { byBytes, utf8ToBytes } from "./bytes.ts";
import { CID_PROFILES, checkDistinct } from "./hash.ts";
import type { Json, JsonObject } from "./json.ts";
import { checkPath } from "./paths.ts";
import { anything, boolean, integer, list, maybe, named, number, object, oneOf, text } from "./schema.ts";
import type { Also, Rule } from "./schema.ts";

const CONTROL = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/;
const HIDDEN =
  /[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}]|\p{Cf}/u;
const SPACE_AROUND = /^\p{White_Space}|\p{White_Space}$/u;

const length = (value: string): number => [...value].length;
const isLine = (value: string): boolean => {
  const size = length(value);
  return size > 0 && size <= 256 && !CONTROL.test(value) && !SPACE_AROUND.test(value);
};

/** The user name, password, query and fragment of a git remote, as Python's `urlsplit` finds them. */
function isRemote(value: string): boolean {
  const [scheme = "", rest] = /^[A-Za-z][A-Za-z0-9+.-]*:/.test(value)
    ? [value.slice(0, value.indexOf(":")).toLowerCase(), value.slice(value.indexOf(":") + 1)]
    : ["", value];
  if (/#./s.test(rest) || /\?[^#]/s.test(rest)) return false;
  const place = /^\/\/([^/?#]*)/.exec(rest)?.[1] ?? "";
  if (place.includes("[") !== place.includes("]")) return false;
  const bracketed = /\[([^\]]*)\]/.exec(place)?.[1];
  if (bracketed !== undefined && !/^(v[0-9a-f]+\..+|[0-9a-f:.]*:[0-9a-f:.]*(%.+)?)$/i.test(bracketed)) return false;
  const plain = place.replace(/[@:#?]/g, "");
  const folded = plain.normalize("NFKC");
  if (folded !== plain && /[/?#@:]/.test(folded)) return false;
  if (!place.includes("@")) return true;
  const user = place.slice(0, place.lastIndexOf("@"));
  const [name, password] = user.includes(":") ? [user.slice(0, user.indexOf(":")), user.slice(user.indexOf(":") + 1)] : [user, ""];
  return !password && !(name && (scheme === "http" || scheme === "https"));
}

/** A time as RFC 3339 writes it in UTC, its fraction without zeros at the end. */
function isUtc(value: string): boolean {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{0,5}[1-9])?Z$/.exec(value);
  if (!match) return false;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isDay = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return year > 0 && isDay && hour < 24 && minute < 60 && second < 60;
}

const line = text(isLine, "a line of 1 to 256 characters, without control characters or spaces around it");
const name = text(
  (value) => isLine(value) && value.normalize("NFC") === value && !HIDDEN.test(value),
  "a name in composed letters (Unicode NFC), without characters that nobody sees",
);
const prose = text((value) => value.length > 0 && length(value) <= 10_000, "text of 1 to 10,000 characters");
const path = text(checkPath, "a relative path in Unicode's NFC, without odd characters");
const digest = text(/^[0-9a-f]{64}$/, "a SHA-256 of 64 hex digits");
const hash = text(/^0x[0-9a-f]{64}$/, "0x and 64 hex digits");
const commit = text(/^[0-9a-f]{40}([0-9a-f]{24})?$/, "a git commit of 40 or 64 hex digits");
const decimal = text(/^(0|[1-9][0-9]{0,77})$/, "a decimal number as text");
const address = text(/^0x[0-9a-f]{40}$/, "an address of 0x and 40 hex digits");
const cid = text(/^(b[a-z2-7]{58,110}|Qm[1-9A-HJ-NP-Za-km-z]{44})$/, "a CID in base32 (b…) or version 0 (Qm…)");
const profile = oneOf(...Object.keys(CID_PROFILES));
const mediaType = text(/^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/, "a media type in lower case");
const utc = text(isUtc, "a time such as 2015-09-14T09:50:45Z");
const uuid = text(
  /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  "a random UUID (version 4) in lower case",
);
const image = text(/^[a-z0-9][a-z0-9._:/-]{0,254}@sha256:[0-9a-f]{64}$/, "an image as name@sha256:DIGEST");
const anyText = text(() => true, "text");
const short = (most: number): Rule => text((value) => value.length > 0 && length(value) <= most, `text of 1 to ${most} characters`);
const count = integer(0);
const positive = integer(1);
const up = integer(1, 16);
const relation: Rule = (value, place) => integer(1, typeof value === "number" && value >= 128 ? 255 : 14)(value, place);
const names = named(name, anything);
const measured: Rule = (value, place) => {
  if (typeof value !== "number") oneOf("NaN", "Infinity", "-Infinity")(value, place);
};

const artifact = object({ path, size: count, sha256: digest, cid, cidProfile: profile, mediaType: maybe(mediaType) });
const encrypted = object({ subjectType: oneOf("file", "folder"), commitment: digest, opening: artifact });

const distinct = (paths: Iterable<Json>): string | undefined => {
  try {
    checkDistinct(paths as Iterable<string>);
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/^expected /, "");
  }
};

/** An artifact and what it is the ciphertext of come together, and only for a commitment. */
const fitsArtifact: Also = (value) => {
  if ((value["artifact"] === undefined) !== (value["encrypted"] === undefined)) {
    return "an artifact and what it is the ciphertext of, or neither";
  }
  if (value["encrypted"] && value["subjectType"] !== "commitment") {
    return "nothing encrypted unless the subject type is 'commitment'";
  }
  return undefined;
};

const firstOf =
  (...rules: Also[]): Also =>
  (value) => {
    for (const rule of rules) {
      const problem = rule(value);
      if (problem) return problem;
    }
    return undefined;
  };

const content = object(
  {
    subjectType: oneOf("file", "folder", "commitment"),
    digestFrom: maybe(line),
    size: maybe(count),
    cid: maybe(cid),
    cidProfile: maybe(profile),
    fileCount: maybe(positive),
    name: maybe(line),
    fileName: maybe(path),
    version: maybe(line),
    description: maybe(prose),
    license: maybe(line),
    source: maybe(line),
    citation: maybe(prose),
    schema: maybe(names),
    framework: maybe(line),
    executable: maybe(list(path)),
    artifact: maybe(artifact),
    encrypted: maybe(encrypted),
  },
  firstOf(
    (value) => {
      const kind = value["subjectType"];
      if (value["digestFrom"] !== undefined && kind !== "file") return "whose word the digest of a file is";
      for (const field of ["size", "cid", "cidProfile", "fileCount"]) {
        const unmeasured = field === "fileCount" || (value["digestFrom"] !== undefined && field !== "size");
        const needed = kind === "folder" || (kind === "file" && !unmeasured);
        if (needed !== (value[field] !== undefined)) return `${field} ${needed ? "of" : "of no"} ${String(kind)} like this`;
      }
      return undefined;
    },
    (value) => {
      const paths = value["executable"] as string[] | undefined;
      if (!paths) return undefined;
      const size = paths.reduce((sum, item) => sum + utf8ToBytes(item).length, 0);
      if (value["subjectType"] !== "folder") return "a list of executable files for folders alone";
      if (!paths.length || paths.length > 4096 || size > 256 << 10) return "1 to 4096 paths of at most 256 KiB in all";
      if (paths.some((item, i) => i > 0 && byBytes(paths[i - 1]!, item) >= 0)) return "executable files in order";
      return distinct(paths);
    },
    fitsArtifact,
  ),
);

const parent = object({ record: hash, relation });
const ascends: Also = (value) => {
  const parents = value["parents"] as { record: string; relation: number }[];
  const isSorted = parents.every((link, i) => {
    const before = parents[i - 1];
    return !before || before.record < link.record || (before.record === link.record && before.relation < link.relation);
  });
  return isSorted ? undefined : "parents that ascend, each once";
};
const lineage = {
  parents: list(parent),
  notBefore: maybe(object({ chainId: decimal, blockNumber: decimal, blockHash: hash, timestamp: decimal })),
};

const source = object(
  {
    kind: oneOf("declared", "stdout", "stderr", "file"),
    path: maybe(path),
    up: maybe(up),
    key: maybe(short(256)),
    pattern: maybe(short(500)),
  },
  (value) => {
    const given = ["key", "path", "pattern"].filter((field) => value[field] !== undefined).join(" ");
    const expected = { declared: [""], file: ["key path", "path pattern"] }[value["kind"] as string] ?? ["pattern"];
    return expected.includes(given) ? undefined : `${expected.join(" or ") || "nothing else"} of such a source`;
  },
);
const metric = object(
  {
    value: measured,
    tolerance: maybe(object({ absolute: number, relative: number })),
    history: maybe(artifact),
    source: maybe(source),
  },
  (value) => {
    const declared = (value["source"] as JsonObject | undefined)?.["kind"] === "declared";
    return declared && value["tolerance"] !== undefined ? "no tolerance of a declared metric" : undefined;
  },
);

const codeState = {
  commit: maybe(commit),
  branch: maybe(line),
  remote: maybe(text((value) => isLine(value) && isRemote(value), "a git remote without user name, password or query")),
  dirty: boolean,
  diff: maybe(artifact),
  pack: maybe(artifact),
  whole: maybe(list(object({ path, executable: boolean, artifact: maybe(artifact) }))),
};
const code = object({
  ...codeState,
  nested: maybe(list(object({ ...codeState, path }))),
  leftovers: maybe(list(path)),
  entryPoint: maybe(line),
  arguments: list(anyText),
  given: maybe(named(line, anyText)),
  workingFolder: maybe(path),
});
const environment = object(
  {
    lock: maybe(artifact),
    lockFrom: maybe(oneOf("given", "found", "made", "resolved")),
    lockFolder: maybe(path),
    image: maybe(image),
    requirements: maybe(artifact),
    observed: maybe(oneOf("program", "process")),
  },
  undefined,
  // what was captured by allow-list stands beside; these names would be read as fields and written otherwise
  (key, value) => value !== null && key !== "lock_from" && key !== "lock_folder",
);
const state = object({ subjectType: oneOf("file", "folder"), sha256: digest, size: count });
const run = object(
  {
    ...lineage,
    runId: uuid,
    name: line,
    description: maybe(prose),
    status: oneOf("completed", "failed", "running"),
    error: maybe(prose),
    startedAt: maybe(utc),
    endedAt: maybe(utc),
    declaredTimestamp: maybe(utc),
    parameters: names,
    parameterSources: maybe(named(name, text(/^(argument|file:[^\x00-\x1f]{1,512})$/u, "argument or file:PATH"))),
    metrics: named(name, metric),
    seeds: names,
    inputs: list(object({ record: hash, relation, name: maybe(line), path: maybe(path), up: maybe(up), sha256: digest })),
    outputs: list(object({ role: line, artifact, encrypted: maybe(encrypted) })),
    code,
    reads: maybe(
      object({
        processes: count,
        files: list(line),
        fileCount: count,
        addresses: list(line),
        programs: list(line),
        unknown: list(line),
        variables: list(line),
        tools: named(name, digest),
        packages: list(name),
        code: maybe(list(path)),
      }),
    ),
    environment,
    hardware: names,
    experiment: object({
      modelConfig: maybe(names),
      datasetInfo: maybe(names),
      additionalInfo: maybe(names),
      declaredCommit: maybe(text(/^[0-9a-f]{4,64}$/, "a git commit")),
    }),
    template: maybe(object({ name: line, version: positive })),
    private: maybe(
      object({ root: digest, leaves: integer(1024, 1 << 22), encrypted: maybe(artifact) }, (value) => {
        const leaves = value["leaves"] as number;
        return leaves & (leaves - 1) ? "a power of two" : undefined;
      }),
    ),
    checkpoints: maybe(
      object({
        series: uuid,
        count,
        head: digest,
        root: maybe(hash),
        initialState: maybe(state),
        listing: artifact,
        anchors: list(object({ root: hash, count: positive, description: artifact })),
      }),
    ),
    seedDerivation: maybe(
      object({
        chainId: decimal,
        group: positive,
        author: address,
        commitment: hash,
        rule: oneOf("first-after-seal", "named-by-plan"),
        blockNumber: decimal,
        blockHash: hash,
        seeds: named(name, integer(0, 2 ** 32 - 1)),
      }),
    ),
  },
  firstOf(
    ascends,
    (value) => {
      const isFailed = value["status"] === "failed";
      return isFailed === (value["error"] !== undefined) ? undefined : "an error exactly if the status is 'failed'";
    },
    (value) => {
      const link = (item: JsonObject): string => `${String(item["record"])}:${String(item["relation"])}`;
      const inputs = value["inputs"] as JsonObject[];
      const parents = new Set((value["parents"] as JsonObject[]).map(link));
      if (!inputs.every((input) => parents.has(link(input)))) return "every input among the parents";
      const files = new Map<string, Json>();
      for (const input of inputs) {
        if (input["path"] !== undefined) files.set(JSON.stringify([input["path"], input["sha256"]]), input["path"]!);
      }
      return distinct(files.values());
    },
    (value) => {
      const outputs = value["outputs"] as { artifact: JsonObject; encrypted?: { opening: JsonObject } }[];
      const openings = outputs.flatMap((output) => (output.encrypted ? [output.encrypted.opening] : []));
      return distinct([...outputs.map((output) => output.artifact), ...openings].map((item) => item["path"]!));
    },
  ),
);

const record = object(
  {
    ...lineage,
    name: line,
    fileName: maybe(path),
    description: maybe(prose),
    subjectType: oneOf("file", "folder", "commitment", "identifier"),
    identifier: maybe(text(/^[!-~]{1,256}$/, "1 to 256 visible ASCII characters")),
    values: names,
    attachments: list(artifact),
    artifact: maybe(artifact),
    encrypted: maybe(encrypted),
  },
  firstOf(
    ascends,
    (value) =>
      (value["subjectType"] === "identifier") === (value["identifier"] !== undefined)
        ? undefined
        : "an identifier exactly if the subject type is 'identifier'",
    (value) => {
      const paths = (value["attachments"] as JsonObject[]).map((item) => item["path"] as string);
      if (paths.some((item, i) => i > 0 && byBytes(paths[i - 1]!, item) >= 0)) return "attachments in order";
      return distinct(paths);
    },
    fitsArtifact,
  ),
);

const reference = object(
  { ...lineage, name: line, description: maybe(prose), chainId: decimal, registry: address, recordId: hash },
  ascends,
);

const renewal = object(
  {
    ...lineage,
    name: line,
    subjectType: oneOf("tree"),
    roots: object({ sha512: text(/^[0-9a-f]{128}$/, "a SHA-512 of 128 hex digits"), "sha3-256": digest }),
    count: positive,
    missing: count,
    tree: artifact,
  },
  ascends,
);

const witness = object(
  {
    ...lineage,
    name: line,
    subjectType: oneOf("file"),
    witness: text(/^[a-z0-9]{1,32}$/, "who gave the receipt, 1 to 32 small letters and digits"),
    stamped: text(/^[!-~]{1,512}$/, "1 to 512 visible ASCII characters"),
    receipt: artifact,
  },
  ascends,
);

const identityClaim = object(
  {
    ...lineage,
    name: line,
    description: maybe(prose),
    subjectType: oneOf("statement"),
    statement: object(
      {
        chainId: decimal,
        registry: address,
        account: address,
        group: maybe(integer(1, 2 ** 32 - 1)),
        scheme: oneOf("orcid", "domain", "github", "ens"),
        identifier: line,
        signedAt: decimal,
        nonce: hash,
      },
      (value) =>
        BigInt(value["signedAt"] as string) < 1n << 40n && BigInt(value["chainId"] as string) < 1n << 256n
          ? undefined
          : "a time below 2^40 and a chain below 2^256",
    ),
    signature: text(/^0x[0-9a-f]{130}$/, "a signature of 0x and 130 hex digits"),
  },
  ascends,
);

const OF_KIND: Record<string, Rule | undefined> = {
  dataset: content,
  model: content,
  software: content,
  environment: content,
  run,
  reference,
  renewal,
  "identity-claim": identityClaim,
  witness,
  // kinds that this version has no predicate for
  evaluation: undefined,
};

export const CONTENT_KINDS: readonly string[] = ["dataset", "model", "software", "environment"];

/** The rule of the predicate of a kind, by its name or the lab's own number; undefined if this version has none. */
export const predicateRule = (kind: string): Rule | undefined => (kind in OF_KIND ? OF_KIND[kind] : record);
