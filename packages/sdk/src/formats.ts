/** The head of our JSON files: their type and the algorithms that a reader needs (docs/formats.md). */
import { InputError, UnknownVersion } from "./errors.ts";
import { isObject } from "./json.ts";
import type { Json } from "./json.ts";
import { oneOf } from "./schema.ts";
import type { Rule } from "./schema.ts";

const PROVEN = ["eip-712", "keccak-256", "merkle-patricia-trie", "rlp", "sha2-256"];
/** Formats that are read here, all at version 1, and the algorithms that each names. */
export const FORMATS = {
  bundle: PROVEN,
  "record-key": PROVEN,
  "batch-proof": PROVEN,
  renewal: [...PROVEN, "sha2-512", "sha3-256"],
  identities: ["eip-712", "keccak-256", "sha2-256"],
  "witness-opentimestamps": ["sha2-256"],
  "witness-rfc3161": ["cms", "sha2-256", "x509"],
  "witness-registry": PROVEN,
} as const;
export type Format = keyof typeof FORMATS;

/** The fields with which an object of a format begins, as rules. */
export const head = (format: Format): Record<string, Rule> => ({
  type: oneOf(`urn:blockchaintracer:${format}:v1`),
  algorithms: (value, place) => {
    const algorithms = FORMATS[format];
    if (!Array.isArray(value) || JSON.stringify(value) !== JSON.stringify(algorithms)) {
      throw new InputError(`${place}: expected the algorithms ${algorithms.join(", ")}`);
    }
  },
});

/**
 * Return the format of a plain value, undefined if it is none that is read here.
 *
 * @throws UnknownVersion if it is of a version that this program does not read.
 */
export function formatOf(value: Json | undefined): Format | undefined {
  const type = isObject(value) ? value["type"] : undefined;
  const match = typeof type === "string" ? /^urn:blockchaintracer:([a-z0-9-]+):v([1-9][0-9]{0,8})$/.exec(type) : null;
  const name = match?.[1];
  if (name === undefined || !Object.hasOwn(FORMATS, name)) return undefined;
  if (match![2] !== "1") {
    throw new UnknownVersion(`it is written in version ${match![2]} of ${name}; this program reads version 1`, "Upgrade.");
  }
  return name as Format;
}
