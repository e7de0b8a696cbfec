/**
 * Tokens of time-stamping authorities. A token counts by root certificates that the verifier chose, and their policies: who
 * has an authority's key can sign any time. Signatures are checked by WebCrypto. Sources: RFC 3161 (tokens), RFC 5652
 * (CMS), RFC 5816 (ESSCertIDv2), RFC 5280 (certificates). What is not read here is unknown.
 */
import { fromBER } from "asn1js";
import type { AsnType, ObjectIdentifier } from "asn1js";
import type { ProvenBundle } from "./bundle.ts";
import { bytesToHex, compare, concatBytes, equal, fromHex, toBigInt } from "./bytes.ts";
import { InputError } from "./errors.ts";
import { isRead } from "./evidence.ts";
import { when } from "./storage.ts";
import { base64, readReceiptOfWitness, tokenName } from "./witness.ts";
import type { WitnessReceipt, WitnessStanding, WitnessTime } from "./witness.ts";

/** An authority that the verifier trusts. */
export interface TrustedAuthority {
  /** Certificates in PEM at which its chain may end. */
  roots: string;
  /** Object identifiers of the policies that count; all, if left out. */
  policies?: readonly string[];
}

/** What this program does not read or check: a verdict on it is unknown. */
class Unread extends Error {}

const LONGEST_CHAIN = 6;
const MIN_RSA_BITS = 2048;
/** First bytes of DER: universal types, and the places that a structure numbers. */
const [BOOLEAN, INTEGER, BITS, OCTETS, OID, UTF8, UTC_TIME, TIME, SEQUENCE, SET, FIELD_0, FIELD_1, FIELD_2, FIELD_3] = [1, 2, 3, 4, 6, 0x0c, 0x17, 0x18, 0x30, 0x31, 0xa0, 0xa1, 0xa2, 0xa3];
const HASHES: Readonly<Record<string, string>> = { "2.16.840.1.101.3.4.2.1": "SHA-256", "2.16.840.1.101.3.4.2.2": "SHA-384", "2.16.840.1.101.3.4.2.3": "SHA-512" };
/** A signature: of which kind, over which digest, and the bytes of its salt. */
type Scheme = readonly [kind: "rsa" | "ecdsa" | "pss" | "ed25519", hash: string, salt?: number];
const SIGNATURES: Readonly<Record<string, Scheme>> = {
  "1.2.840.113549.1.1.11": ["rsa", "SHA-256"],
  "1.2.840.113549.1.1.12": ["rsa", "SHA-384"],
  "1.2.840.113549.1.1.13": ["rsa", "SHA-512"],
  "1.2.840.10045.4.3.2": ["ecdsa", "SHA-256"],
  "1.2.840.10045.4.3.3": ["ecdsa", "SHA-384"],
  "1.2.840.10045.4.3.4": ["ecdsa", "SHA-512"],
  "1.3.101.112": ["ed25519", ""],
};
/** Over MD2, MD5, SHA-1 and SHA-224. */
const WEAK = new Set(["1.2.840.113549.1.1.2", "1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.113549.1.1.14", "1.2.840.10045.4.1", "1.2.840.10045.4.3.1"]);
const [RSA, MASK, PSS] = ["1.2.840.113549.1.1.1", "1.2.840.113549.1.1.8", "1.2.840.113549.1.1.10"];
const KEYS: Readonly<Record<Scheme[0], string>> = { rsa: RSA, pss: RSA, ecdsa: "1.2.840.10045.2.1", ed25519: "1.3.101.112" };
const CURVES: Readonly<Record<string, readonly [name: string, bytes: number]>> = { "1.2.840.10045.3.1.7": ["P-256", 32], "1.3.132.0.34": ["P-384", 48], "1.3.132.0.35": ["P-521", 66] };
const [SIGNED_DATA, TST_INFO] = ["1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"];
const [CONTENT_TYPE, MESSAGE_DIGEST, CERTIFICATE_V2] = ["1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.16.2.47"];
const [COMMON_NAME, TIME_STAMPING, ANY_USAGE] = ["2.5.4.3", "1.3.6.1.5.5.7.3.8", "2.5.29.37.0"];
const [SUBJECT_ID, KEY_USAGE, CONSTRAINTS, NAMES_ALLOWED, AUTHORITY_ID, PURPOSES] = ["2.5.29.14", "2.5.29.15", "2.5.29.19", "2.5.29.30", "2.5.29.35", "2.5.29.37"];
/** Extensions that say nothing against a chain here: other names, where lists of the revoked are, policies. */
const HARMLESS = ["2.5.29.17", "2.5.29.31", "2.5.29.32", "2.5.29.33", "2.5.29.36", "2.5.29.54"];

// -- DER, by asn1js

const wrong = (): InputError => new InputError("expected a response of RFC 3161 in DER, got something else");
const raw = (node: AsnType): Uint8Array => node.valueBeforeDecodeView;
const tagOf = (node: AsnType | undefined): number | undefined => node && raw(node)[0];

/** What a reading of a stranger's bytes gives: whatever the library throws is one error. */
function guarded<T>(reading: () => T): T {
  try {
    return reading();
  } catch {
    throw wrong();
  }
}

function read(data: Uint8Array): AsnType {
  const { offset, result } = guarded(() => fromBER(data.slice(), { maxDepth: 24, maxNodes: 4096, parseEmbedded: false }));
  if (offset !== data.length) throw wrong();
  return result;
}

/** The contents of a part of this type: its length in the one form of DER. */
function contents(node: AsnType | undefined, tag: number): Uint8Array {
  if (!node || tagOf(node) !== tag || node.lenBlock.isIndefiniteForm) throw wrong();
  const size = node.lenBlock.length;
  const header = size < 0x80 ? 2 : 2 + Math.ceil(size.toString(16).length / 2);
  if (raw(node).length !== header + size) throw wrong();
  return raw(node).subarray(header);
}

/** The parts of a structure, and no more than these if their number is given. */
function parts(node: AsnType | undefined, tag = SEQUENCE, count?: number): AsnType[] {
  contents(node, tag);
  const { value } = node!.valueBlock as unknown as { value: AsnType[] };
  if (count !== undefined && value.length !== count) throw wrong();
  return value;
}

function oid(node: AsnType | undefined): string {
  // a number that begins with zeros has a shorter form
  const data = contents(node, OID);
  if (!data.length || data.some((byte, i, all) => byte === 0x80 && (all[i - 1] ?? 0) < 0x80)) throw wrong();
  return guarded(() => (node as ObjectIdentifier).getValue());
}

/** The identifier of an algorithm that has no parameters: they are left out, or NULL. */
function algorithmIn(node: AsnType | undefined): string {
  const [id, parameters, ...more] = parts(node);
  if (more.length || (parameters && !equal(raw(parameters), Uint8Array.of(5, 0)))) throw wrong();
  return oid(id);
}

function integer(node: AsnType | undefined, tag = INTEGER): bigint {
  const data = contents(node, tag);
  if (!data.length || (data.length > 1 && (data[0] === 0 ? data[1]! < 0x80 : data[0] === 0xff && data[1]! >= 0x80))) throw wrong();
  return BigInt.asIntN(data.length * 8, toBigInt(data));
}

function truth(node: AsnType): boolean {
  // what is not true is left out
  if (!equal(contents(node, BOOLEAN), Uint8Array.of(0xff))) throw wrong();
  return true;
}

const MICROS = 1_000_000;

/** A time in microseconds since 1970. */
function time(node: AsnType | undefined): number {
  const isShort = tagOf(node) === UTC_TIME;
  const text = new TextDecoder().decode(contents(node, isShort ? UTC_TIME : TIME));
  const [, year, rest, fraction = ""] = (isShort ? /^(\d\d)(\d{10})Z$/ : /^(\d{4})(\d{10})(?:\.(\d*[1-9]))?Z$/).exec(text) ?? [];
  if (!year || !rest) throw wrong();
  const whole = isShort ? (Number(year) < 50 ? 2000 : 1900) + Number(year) : Number(year);
  const [month, day, hour, minute, second] = rest.match(/../g)!.map(Number) as [number, number, number, number, number];
  const made = new Date(Date.UTC(2000, month - 1, day, hour, minute, second));
  made.setUTCFullYear(whole, month - 1, day);
  if (made.toISOString().replace(/\D/g, "").slice(0, 14) !== `${String(whole).padStart(4, "0")}${rest}`) throw wrong();
  return made.getTime() * 1000 + Number(fraction.slice(0, 6).padEnd(6, "0"));
}

/** Write a part of DER. */
function part(tag: number, ...inner: Uint8Array[]): Uint8Array {
  const data = concatBytes(...inner);
  const size = data.length.toString(16);
  const bytes = fromHex(size.padStart(size.length + (size.length % 2), "0"));
  return concatBytes(data.length < 0x80 ? Uint8Array.of(tag, data.length) : concatBytes(Uint8Array.of(tag, 0x80 | bytes.length), bytes), data);
}

// -- certificates

interface Certificate {
  raw: Uint8Array;
  /** What its issuer signed, and how. */
  signed: Uint8Array;
  algorithm: string;
  /** Undefined if it is not read here. */
  scheme: Scheme | undefined;
  signature: Uint8Array;
  isFirstVersion: boolean;
  serial: bigint;
  issuer: AsnType;
  subject: AsnType;
  start: number;
  end: number;
  key: Uint8Array;
  extensions: Map<string, { isCritical: boolean; value: Uint8Array }>;
}

function readCertificate(node: AsnType): Certificate {
  const [signed, algorithm, signature] = parts(node, SEQUENCE, 3);
  const fields = parts(signed);
  const version = tagOf(fields[0]) === FIELD_0 ? integer(parts(fields.shift(), FIELD_0, 1)[0]) : 0n;
  const [serial, stated, issuer, validity, subject, key, ...rest] = fields;
  const [start, end] = parts(validity, SEQUENCE, 2);
  const [name] = parts(algorithm);
  if (version > 2n || !stated || !issuer || !subject || !key || !equal(raw(stated), raw(algorithm!))) throw wrong();
  const extensions: Certificate["extensions"] = new Map();
  for (const field of rest.filter((it) => tagOf(it) === FIELD_3).flatMap((it) => parts(parts(it, FIELD_3)[0]))) {
    const [id, ...values] = parts(field);
    const isCritical = values.length > 1 && truth(values[0]!);
    if (extensions.has(oid(id)) || values.length > 2) throw wrong();
    extensions.set(oid(id), { isCritical, value: contents(values.at(-1), OCTETS) });
  }
  return { raw: raw(node), signed: raw(signed!), algorithm: oid(name), scheme: schemeOf(algorithm!), signature: bitsOf(signature), isFirstVersion: !version, serial: integer(serial), issuer, subject, start: time(start), end: time(end), key: raw(key), extensions };
}

/** How a certificate is signed; undefined if it is in a way that is not read here. */
function schemeOf(node: AsnType): Scheme | undefined {
  const [name, parameters] = parts(node);
  if (oid(name) !== PSS) return SIGNATURES[oid(name)];
  try {
    // RFC 4055, 3.1; what is left out stands for SHA-1
    const [digest, mask, salt] = parts(parameters, SEQUENCE, 3);
    const [maker, over] = parts(parts(mask, FIELD_1)[0]);
    const [hash, other] = [algorithmIn(parts(digest, FIELD_0)[0]), algorithmIn(over)];
    return oid(maker) === MASK && hash === other && HASHES[hash] ? ["pss", HASHES[hash], Number(integer(parts(salt, FIELD_2)[0]))] : undefined;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return undefined;
  }
}

function bitsOf(node: AsnType | undefined): Uint8Array {
  const data = contents(node, BITS);
  if (data[0] !== 0) throw wrong();
  return data.subarray(1);
}

/** Read the certificates in a text in PEM. */
function readPem(pem: string): Certificate[] {
  const found = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([\sA-Za-z0-9+/=]*)-----END CERTIFICATE-----/g)];
  const bytes = found.map(([, text]) => base64(text!.replace(/\s/g, "")));
  if (!bytes.length || bytes.includes(undefined)) throw new InputError("expected root certificates in PEM, got something else");
  return bytes.map((it) => readCertificate(read(it!)));
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
/** Of the names that X.520 has: UTF-8, printable, T.61, universal and BMP. */
const TEXTS = [UTF8, 0x13, 0x14, 0x1c, 0x1e];
type Pair = [type: string, value: string];

/** The parts of a name, by the groups in it. */
function pairsOf(name: AsnType): Pair[][] {
  return parts(name).map((group) =>
    parts(group, SET).map((pair): Pair => {
      const [type, value] = parts(pair, SEQUENCE, 2);
      if (!value || (oid(type).startsWith("2.5.4.") && !TEXTS.includes(tagOf(value)!))) throw wrong();
      if (tagOf(value) === UTF8) return [oid(type), guarded(() => utf8.decode(contents(value, UTF8)))];
      const text: unknown = (value.valueBlock as { value?: unknown }).value;
      return [oid(type), typeof text === "string" ? text : bytesToHex(raw(value))];
    }),
  );
}

const namesOf = (name: AsnType, plain = (text: string): string => text): string => JSON.stringify(pairsOf(name).map((group) => group.map(([type, text]) => [type, plain(text)])));
/** Case, spaces and how letters are composed do not count (RFC 5280, 7.1). */
const plain = (text: string): string => text.normalize("NFKC").trim().replace(/\s+/g, " ").toLowerCase();
const isSameName = (one: AsnType, other: AsnType): boolean => namesOf(one, plain) === namesOf(other, plain);
const isSelfIssued = (it: Certificate): boolean => isSameName(it.subject, it.issuer);

async function digestOf(hash: string, data: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await subtle().digest(hash, data.slice()));
}

function subtle(): SubtleCrypto {
  const made: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (!made) throw new Unread("no WebCrypto is here: a page has it if it came by https, or from disk");
  return made;
}

/** Whether the key of a certificate made a signature. */
async function isSigned(by: Certificate, [kind, hash, saltLength = 0]: Scheme, data: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const [algorithm] = parts(read(by.key));
  const [type, parameter] = parts(algorithm);
  if (oid(type) !== KEYS[kind]) return false;
  const curve = kind === "ecdsa" ? CURVES[tagOf(parameter) === OID ? oid(parameter) : ""] : undefined;
  if (kind === "ecdsa" && !curve) throw new Unread("a certificate has a key of another curve");
  const names = { rsa: "RSASSA-PKCS1-v1_5", pss: "RSA-PSS", ecdsa: "ECDSA", ed25519: "Ed25519" };
  const how = { name: names[kind], hash, saltLength, ...(curve && { namedCurve: curve[0] }) };
  const given = curve ? plainSignature(signature, curve[1]) : signature;
  if (!given) return false;
  const crypto = subtle();
  try {
    const key = await crypto.importKey("spki", by.key.slice(), how, false, ["verify"]);
    return await crypto.verify(how, key, given.slice(), data.slice());
  } catch (error) {
    throw new Unread(`a certificate has a key that is not read here (${String(error).slice(0, 80)})`);
  }
}

/** Two numbers, as WebCrypto has a signature of ECDSA; undefined if it is none. */
function plainSignature(der: Uint8Array, size: number): Uint8Array | undefined {
  try {
    const numbers = parts(read(der)).map((it) => integer(it));
    if (numbers.length !== 2 || numbers.some((it) => it <= 0n || it >= 1n << BigInt(size * 8))) return undefined;
    return concatBytes(...numbers.map((it) => fromHex(it.toString(16).padStart(size * 2, "0"))));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return undefined;
  }
}

/** Whether a certificate has the name of this issuer, and its signature. */
async function isIssued(it: Certificate, by: Certificate): Promise<boolean> {
  if (!equal(raw(it.issuer), raw(by.subject))) return false;
  if (!it.scheme) throw new Unread(`a certificate is signed by ${it.algorithm}`);
  return await isSigned(by, it.scheme, it.signed, it.signature);
}

function requireStrong(it: Certificate): void {
  if (WEAK.has(it.algorithm)) throw new InputError("a certificate of its chain is signed over a weak digest, which is refused");
  const [algorithm, key] = parts(read(it.key));
  if (oid(parts(algorithm)[0]) !== RSA) return;
  const bits = integer(parts(read(bitsOf(key)))[0]).toString(2).length;
  if (bits < MIN_RSA_BITS) throw new InputError(`a certificate of its chain has an RSA key of ${bits} bits, which is refused`);
}

/** Bits of a key usage, the first as the highest of 16 (RFC 5280, 4.2.1.3); undefined if any use is allowed. */
function usageOf(it: Certificate): number | undefined {
  const given = it.extensions.get(KEY_USAGE);
  const [, high = 0, low = 0] = given ? contents(read(given.value), BITS) : [];
  return given && (high << 8) | low;
}

const purposesOf = (it: Certificate): string[] | undefined => {
  const given = it.extensions.get(PURPOSES);
  return given && parts(read(given.value)).map(oid);
};
const [SIGNING, NON_REPUDIATION, CERT_SIGNING] = [0x8000, 0x4000, 0x0400];

/** How many certificates may stand between an issuer and the signer; undefined if it may issue none (RFC 5280, 4.2.1.9). */
function depthOf(it: Certificate): number | undefined {
  const usage = usageOf(it);
  const given = it.extensions.get(CONSTRAINTS);
  const [isIssuer, most] = given ? parts(read(given.value)) : [];
  if (usage !== undefined && !(usage & CERT_SIGNING)) return undefined;
  if (!given) return (it.isFirstVersion && isSelfIssued(it)) || usage !== undefined ? Infinity : undefined;
  if (!isIssuer || !truth(isIssuer)) return undefined;
  return most ? Number(integer(most)) : Infinity;
}

/** Whether what a certificate says of its issuer's key and number fits (RFC 5280, 4.2.1.1). */
function namesIssuer(it: Certificate, by: Certificate): boolean {
  const given = it.extensions.get(AUTHORITY_ID);
  const own = by.extensions.get(SUBJECT_ID);
  return (given ? parts(read(given.value)) : []).every((field) => {
    const tag = tagOf(field)!;
    if (tag === 0x80) return !own || equal(contents(field, 0x80), contents(read(own.value), OCTETS));
    if (tag === 0x82) return equal(contents(field, 0x82), contents(read(part(INTEGER, numberBytes(by))), INTEGER));
    const named = tag === FIELD_1 ? parts(field, FIELD_1).find((name) => tagOf(name) === 0xa4) : undefined;
    return !named || isSameName(parts(named, 0xa4)[0]!, by.issuer);
  });
}

const numberBytes = (it: Certificate): Uint8Array => {
  const fields = parts(read(it.signed));
  return contents(fields[tagOf(fields[0]) === FIELD_0 ? 1 : 0], INTEGER);
};

/** Say why a chain, from the signer up to a root, does not hold at a time; undefined if it does (RFC 5280, 6.1). */
function problemOf(chain: readonly Certificate[], at: number): string | undefined {
  const [signer] = chain;
  const usage = usageOf(signer!);
  if (usage !== undefined && (usage & ~(SIGNING | NON_REPUDIATION) || !usage)) return "its certificate has a key for other uses than signing";
  for (const [i, it] of chain.entries()) {
    const above = chain[i + 1];
    if (it.start > at || at > it.end) return "its root is not valid then";
    for (const [id, { isCritical }] of it.extensions) {
      const isKnown = [KEY_USAGE, CONSTRAINTS, PURPOSES, ...HARMLESS].includes(id);
      if (id === NAMES_ALLOWED || (isCritical && !isKnown && /^(2\.5\.29|1\.3\.6\.1\.5\.5\.7|2\.16\.840\.1\.113730)\./.test(id))) throw new Unread(`a certificate has the extension ${id}`);
      if (isCritical && !isKnown) return `a certificate has an extension that nobody may pass over, and that is not known: ${id}`;
    }
    const depth = depthOf(it);
    const most = i ? depth : Infinity;
    if (most === undefined) return "a certificate above it may issue none";
    if (i - 1 > most) return "a certificate may issue none that issues others";
    if (above && !namesIssuer(it, above)) return "a certificate names another issuer than the one above it";
    if (!above && !isSelfIssued(it)) return "the certificate that you chose is no root: another issued it";
  }
  return undefined;
}

// -- tokens

interface Token {
  signer: Certificate;
  /** The certificates in the token, the signer's first, each issued by the next. */
  chain: Certificate[];
  policy: string;
  /** In microseconds since 1970. */
  generated: number;
  /** In seconds; undefined if none is stated. */
  accuracy: number | undefined;
  isOrdered: boolean;
}

/** Read a token whose own signature holds, over this SHA-256. By whom is not judged here. */
async function readToken(proof: Uint8Array, stamped: string): Promise<Token> {
  const [status, token] = parts(read(proof));
  const [type, content] = parts(token);
  if (integer(parts(status)[0])) throw new InputError("the authority did not grant it");
  if (oid(type) !== SIGNED_DATA) throw wrong();
  const [, , encapsulated, certificates, signers] = parts(parts(content, FIELD_0)[0]);
  const [contentType, contentField] = parts(encapsulated, SEQUENCE, 2);
  const [signer, ...others] = parts(signers, SET);
  if (oid(contentType) !== TST_INFO || !signer || others.length) throw new InputError("expected a time stamp with one signer");
  const [, sid, digestAlgorithm, attributes, signatureAlgorithm, signature] = parts(signer);
  const [issuer, serial] = parts(sid, SEQUENCE, 2);
  if (!digestAlgorithm || !attributes || !signatureAlgorithm || !signature || !issuer) throw wrong();
  const given = parts(certificates, FIELD_0).map(readCertificate);
  const chain = given.filter((it) => it.serial === integer(serial) && equal(raw(it.issuer), raw(issuer))).slice(0, 1);
  for (let above: Certificate | undefined = chain[0]; above && chain.length < LONGEST_CHAIN; ) {
    const below = above;
    above = given.find((it) => isSameName(it.subject, below.issuer) && !chain.includes(it));
    if (above) chain.push(above);
  }
  const algorithm = algorithmIn(digestAlgorithm);
  const sorted = chain.filter((it) => !isSelfIssued(it)).map((it) => it.raw).sort(compare);
  const one = part(INTEGER, Uint8Array.of(1));
  const form = part(
    SEQUENCE,
    part(INTEGER, Uint8Array.of(3)),
    part(SET, part(SEQUENCE, raw(parts(digestAlgorithm)[0]!), Uint8Array.of(5, 0))),
    raw(encapsulated!),
    part(FIELD_0, ...sorted),
    part(SET, part(SEQUENCE, one, raw(sid!), raw(digestAlgorithm), raw(attributes), raw(signatureAlgorithm), raw(signature))),
  );
  const whole = part(SEQUENCE, part(SEQUENCE, part(INTEGER, Uint8Array.of(0))), part(SEQUENCE, raw(type!), part(FIELD_0, form)));
  if (!chain.length || !equal(whole, proof)) throw new InputError("it is not in its one form, or holds more than a token needs");
  const info = contents(parts(contentField, FIELD_0, 1)[0], OCTETS);
  const stated = readInfo(info, stamped);
  await checkSignature(chain[0]!, info, algorithm, attributes, signatureAlgorithm, contents(signature, OCTETS));
  chain.forEach(requireStrong);
  for (const [i, it] of chain.slice(0, -1).entries()) {
    if (!(await isIssued(it, chain[i + 1]!))) throw new InputError("one of its certificates did not issue the next");
  }
  return { signer: chain[0]!, chain, ...stated };
}

function readInfo(info: Uint8Array, stamped: string): Pick<Token, "policy" | "generated" | "accuracy" | "isOrdered"> {
  const [version, policy, imprint, serial, generated, ...left] = parts(read(info));
  const [algorithm, digest] = parts(imprint, SEQUENCE, 2);
  const hash = algorithmIn(algorithm);
  // each of these may be left out
  const next = (tag: number): AsnType | undefined => (tagOf(left[0]) === tag ? left.shift() : undefined);
  const [accuracy, ordering, nonce, own, extensions] = [next(SEQUENCE), next(BOOLEAN), next(INTEGER), next(FIELD_0), next(FIELD_1)];
  integer(serial);
  if (own) parts(own, FIELD_0, 1);
  if (integer(version) !== 1n || tagOf(generated) !== TIME || left.length || (nonce && integer(nonce) < 0n)) throw wrong();
  const isUnread = (extension: AsnType): boolean => parts(extension).some((it) => tagOf(it) === BOOLEAN && truth(it));
  if (extensions && parts(extensions, FIELD_1).some(isUnread)) throw new InputError("it has an extension that nobody may pass over, and that is not known");
  if (HASHES[hash] !== "SHA-256" || bytesToHex(contents(digest, OCTETS)) !== stamped) throw new InputError(`it is of another digest than the SHA-256 ${stamped}`);
  return { policy: oid(policy), generated: time(generated), accuracy: accuracy && secondsIn(accuracy), isOrdered: ordering !== undefined && truth(ordering) };
}

/** Read an accuracy: seconds, thousandths and millionths of a second, each of which may be left out. */
function secondsIn(accuracy: AsnType): number {
  const left = [...parts(accuracy)];
  const units = [[INTEGER, 0n, Number.MAX_SAFE_INTEGER, 1], [0x80, 1n, 999, 1e-3], [0x81, 1n, 999, 1e-6]] as const;
  const sum = units.reduce((sum, [tag, least, most, unit]) => {
    const value = tagOf(left[0]) === tag ? integer(left.shift(), tag) : undefined;
    if (value !== undefined && (value < least || value > most)) throw wrong();
    return sum + Number(value ?? 0n) * unit;
  }, 0);
  if (left.length) throw wrong();
  return sum;
}

async function checkSignature(signer: Certificate, info: Uint8Array, algorithm: string, attributes: AsnType, how: AsnType, signature: Uint8Array): Promise<void> {
  const hash = HASHES[algorithm];
  if (!hash) throw new InputError("it is signed over a digest that is refused");
  const listed = parts(attributes, FIELD_0);
  const named = new Map(listed.map((it) => [oid(parts(it)[0]), parts(parts(it)[1], SET)] as const));
  if (named.size !== listed.length || [...named.values()].some((values) => values.length !== 1)) throw new InputError("expected each signed attribute once");
  if (oid(named.get(CONTENT_TYPE)?.[0]) !== TST_INFO) throw new InputError("its signature is over something else than a time stamp");
  if (!equal(contents(named.get(MESSAGE_DIGEST)?.[0], OCTETS), await digestOf(hash, info))) throw new InputError("its signature is over another time stamp");
  const ids = named.get(CERTIFICATE_V2)?.[0];
  if (!ids) throw new InputError("its signature does not name its certificate (ESSCertIDv2)");
  const [first, second] = parts(parts(parts(ids)[0])[0]);
  // SHA-256 is left out
  const [by, value] = tagOf(first) === SEQUENCE ? [HASHES[algorithmIn(first)], second] : ["SHA-256", first];
  if (!by || !equal(contents(value, OCTETS), await digestOf(by, signer.raw))) throw new InputError("its signature names another certificate, or by a digest that is refused");
  const stated = algorithmIn(how);
  const scheme: Scheme | undefined = stated === RSA ? ["rsa", hash] : SIGNATURES[stated];
  // RFC 5758, 3.2: ECDSA has no parameters
  if (scheme?.[0] === "ecdsa") parts(how, SEQUENCE, 1);
  if (!scheme || scheme[1] !== hash) throw new InputError(`it is signed by ${stated}, which is not read here`);
  // signed is the set, not the field of the structure (RFC 5652, 5.4)
  if (!(await isSigned(signer, scheme, part(SET, contents(attributes, FIELD_0)), signature))) throw new InputError("its signature does not hold");
}

/** Whether a chain ends at a root: the certificates up to it, with the root; undefined if it does not. */
async function endsAt(chain: readonly Certificate[], root: Certificate): Promise<Certificate[] | undefined> {
  for (const [i, it] of chain.entries()) if (await isIssued(it, root)) return [...chain.slice(0, i + 1), root];
  return undefined;
}

/**
 * Judge the receipt of an authority by those that the verifier trusts.
 *
 * @throws InputError if a trusted root is no certificate in PEM.
 */
export async function judgeToken(receipt: WitnessReceipt, authorities: readonly TrustedAuthority[]): Promise<WitnessTime> {
  const trusted = authorities.map(({ roots, policies = [] }) => ({ roots: readPem(roots), policies }));
  let who = "an authority";
  const say = (standing: WitnessStanding, detail: string, notAfter: number | null = null): WitnessTime => ({ who, standing, detail, notAfter });
  try {
    if (receipt.kind !== "rfc3161") throw new InputError("expected the receipt of an authority (RFC 3161)");
    const token = await readToken(receipt.proof as Uint8Array, receipt.stamped);
    const names = pairsOf(token.signer.subject).flat();
    const [, name = ""] = names.find(([type]) => type === COMMON_NAME) ?? names[0] ?? [];
    who = `authority ${[...name].slice(0, 100).join("")}`;
    if (!trusted.length) return say("consistent", "you named no root certificate of an authority");
    const ways = await Promise.all(trusted.map(async ({ roots, policies }) => ({ policies, paths: (await Promise.all(roots.map((root) => endsAt(token.chain, root)))).flatMap((path) => (path ? [path] : [])) })));
    const reached = ways.filter(({ paths }) => paths.length);
    if (!reached.length) {
      const isNamed = trusted.some(({ roots }) => roots.some((root) => token.chain.some((it) => namesOf(it.issuer) === namesOf(root.subject))));
      if (isNamed) return say("refused", "a root that you chose has the name of its issuer, and did not issue its certificate");
      return say("consistent", "its certificates end at none of the roots that you chose");
    }
    const whys = reached.map(({ paths }) => whyNot(token, paths));
    if (whys[0] && whys.every(Boolean)) return say("refused", whys[0]);
    if (!reached.some(({ policies }, i) => !whys[i] && (!policies.length || policies.includes(token.policy)))) {
      return say("consistent", `it is under policy ${token.policy}, which is none that you accept for this authority`);
    }
    const seconds = token.generated / MICROS;
    const margin = token.accuracy === undefined ? "it states no accuracy" : `give or take ${token.accuracy} s`;
    const detail = `signed ${when(Math.floor(seconds))}, ${margin}, under policy ${token.policy}${token.isOrdered ? ", in order" : ""}`;
    return say("verified", detail, Math.ceil(seconds + (token.accuracy ?? 1)));
  } catch (error) {
    if (error instanceof Unread) return say("unknown", `${error.message}: not checked here. \`blockchaintracer verify --proof\` does`);
    if (error instanceof InputError) return say("refused", error.message);
    throw error;
  }
}

/** Say why a token does not count by any of these chains; undefined if it does. */
function whyNot({ signer, chain, generated }: Token, paths: readonly Certificate[][]): string | undefined {
  const purposes = purposesOf(signer);
  if (String(purposes) !== TIME_STAMPING || !signer.extensions.get(PURPOSES)!.isCritical) return "its certificate is not one for time stamps alone (extended key usage)";
  // as openssl and browsers read RFC 5280, 4.2.1.12
  const isLimited = chain.slice(1).some((it) => !(purposesOf(it) ?? [ANY_USAGE]).some((purpose) => purpose === TIME_STAMPING || purpose === ANY_USAGE));
  if (isLimited) return "a certificate of its chain may issue none for time stamps (extended key usage)";
  const late = chain.find((it) => it.start > generated || generated > it.end);
  if (late) return `a certificate of its chain is valid from ${when(late.start / MICROS)} to ${when(late.end / MICROS)}, and not then`;
  const problems = paths.map((path) => problemOf(path, generated));
  return problems.includes(undefined) ? undefined : problems[0];
}

/**
 * Judge the tokens in a bundle, for `trust.tokens` of `verifyBundle` and `verifyBundleOnChain`.
 *
 * @throws InputError if a trusted root is no certificate in PEM.
 */
export async function judgeTokens(bundle: ProvenBundle, authorities: readonly TrustedAuthority[]): Promise<Map<string, WitnessTime>> {
  const judged = new Map<string, WitnessTime>();
  for (const [what, item] of bundle.evidence.filter(isRead)) {
    if (what !== "witness" || item["type"] !== "urn:blockchaintracer:witness-rfc3161:v1") continue;
    try {
      const receipt = readReceiptOfWitness(item);
      judged.set(tokenName(receipt), await judgeToken(receipt, authorities));
    } catch (error) {
      // verifyBundle says what is wrong with it
      if (!(error instanceof InputError)) throw error;
    }
  }
  return judged;
}
