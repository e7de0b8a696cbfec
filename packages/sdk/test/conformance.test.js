// The vectors of conformance/: what every implementation has to compute and decide.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import * as sdk from "../src/index.ts";
import { judgeToken, judgeTokens } from "../src/rfc3161.ts";
import { told } from "./told.js";

const folder = new URL("../../../conformance/", import.meta.url);
const vectors = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
const hash = (data) => bytesToHex(sha256(typeof data === "string" ? utf8ToBytes(data) : data));
const refuses = (read, why) =>
  assert.throws(read, (error) => error instanceof (why === "version" ? sdk.UnknownVersion : sdk.InputError));

/** One test for each file, and every case in it is looked at. */
const each = (name, check) =>
  test(name, async (context) => {
    const { cases } = vectors(name);
    assert.ok(cases.length > 5);
    for (const item of cases) await context.test(item.name, (inner) => check(item, inner));
  });

each("ids", (item) => {
  if (item.refused) return refuses(() => sdk.readKey(item.given));
  const domain = { chainId: BigInt(item.chainId), registry: item.registry };
  assert.deepEqual(sdk.readKey(item.given), item.key);
  assert.equal(sdk.recordId(domain, item.given), item.id);
  assert.equal(sdk.globalId(domain, item.id), item.globalId);
  assert.deepEqual(sdk.parseGlobalId(item.globalId), { ...domain, id: item.id });
});

each("commitments", (item) => {
  if (item.of === "record") assert.equal(sdk.recordCommitment(item.record, item.salt), item.commitment);
  else if (item.of === "verdict") assert.equal(sdk.verdictCommitment({ ...item, recordId: item.record }), item.commitment);
  else if (item.of === "content") assert.equal(hash(item.opening), item.commitment);
  else {
    const { context, subject, field, salt } = item;
    const named = (type, more) => ({ type: `urn:blockchaintracer:${type}:v1`, ...context, subject, field, ...more });
    const leaf = sdk.canonical(named("private-field", { value: item.value, salt }));
    let place = BigInt(`0x${hash(sdk.canonical(named("private-place", {})))}`) % (1n << BigInt(item.path.length));
    let node = sha256(concatBytes(Uint8Array.of(0), leaf));
    for (const sibling of item.path.map(hexToBytes)) {
      node = sha256(concatBytes(Uint8Array.of(1), ...(place % 2n ? [sibling, node] : [node, sibling])));
      place /= 2n;
    }
    assert.equal(bytesToHex(node), item.root);
  }
});

each("digests", async (item) => {
  const pattern = hexToBytes(item.pattern);
  const data = new Uint8Array(item.size);
  for (let at = 0; at < data.length; at += pattern.length) data.set(pattern.subarray(0, data.length - at), at);
  for (const [profile, cid] of Object.entries(item.cids)) {
    const expected = { sha256: item.sha256, size: item.size, cid, cidProfile: profile };
    assert.deepEqual(await sdk.hashFile(new Blob([data]), { profile }), expected);
    // large ones take a second each
    if (item.size <= 1 << 20) assert.deepEqual(await sdk.hashFile(data, { profile }), expected);
  }
});

each("listings", (item) => {
  const listing = utf8ToBytes(item.listing);
  if (item.refused) return refuses(() => sdk.parseListing(listing));
  assert.deepEqual(sdk.formatListing(item.files), listing);
  assert.equal(hash(listing), item.sha256);
  const byPath = (files) => new Map(files.map((file) => [file.path, file.sha256]));
  assert.deepEqual(byPath(sdk.parseListing(listing)), byPath(item.files));
});

each("manifests", (item) => {
  const data = utf8ToBytes(item.text);
  if (item.refused) return refuses(() => sdk.parseManifest(data), item.refused);
  const { sha256: digest, cid, kind, subjectType, subject, parents } = sdk.parseManifest(data);
  const expected = Object.fromEntries(["sha256", "cid", "kind", "subjectType", "subject", "parents"].map((name) => [name, item[name]]));
  assert.deepEqual({ sha256: digest, cid, kind, subjectType, subject, parents }, expected);
});

each("trees", (item) => {
  const values = item.values ?? Array.from({ length: item.leaves }, (_, i) => `0x${hash(`leaf ${i}`)}`);
  const tree = new sdk.MerkleTree(values);
  assert.equal(tree.root, item.root);
  for (const { value, path } of item.paths) {
    assert.deepEqual(tree.proof(value), path);
    assert.equal(sdk.leadsTo(value, path), item.root);
  }
});

const whole = new Map(vectors("bundles").cases.filter((item) => item.bundle).map((item) => [item.name, item.bundle]));

function bundleIn(item) {
  if (item.base64) return Uint8Array.from(Buffer.from(item.base64, "base64"));
  const text = item.bundle ?? whole.get(item.same);
  if (!item.set) return utf8ToBytes(text);
  const plain = JSON.parse(text);
  const last = item.set.path.at(-1);
  const parent = item.set.path.slice(0, -1).reduce((value, part) => value[part], plain);
  if ("value" in item.set) parent[last] = item.set.value;
  else delete parent[last];
  return sdk.canonical(plain);
}

function judged(data, trust) {
  try {
    return { outcome: sdk.verifyBundle(data, trust ?? undefined).outcome };
  } catch (error) {
    if (error instanceof sdk.UnknownVersion) return { refused: "version" };
    if (error instanceof sdk.BundleRefused) return { refused: error.code };
    throw error;
  }
}

each("bundles", (item) => {
  const expected = item.refused ? { refused: item.refused } : { outcome: item.outcome };
  assert.deepEqual(judged(bundleIn(item), item.trust), expected);
});

const life = vectors("outcomes");
const plainly = (value) => JSON.stringify(value, (_, item) => (typeof item === "string" ? item.toLowerCase() : item));

/** A node that answers what its table has, and -32601 to anything else. */
const client = (name) => answering(life.nodes[name], life.answers);

function answering(rows, answers) {
  const table = new Map(rows.map((row) => [plainly([row.method, row.params].map(sorted)), answers[row.answer]]));
  return {
    async request({ method, params }) {
      const { result, error } = table.get(plainly([method, params].map(sorted))) ?? { error: { code: -32601, message: method } };
      if (error) throw Object.assign(new Error(error.message), { code: error.code });
      return result;
    },
  };
}

/** The same value with the fields of its objects in order. */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort().map(([key, item]) => [key, sorted(item)]));
}

const copies = {
  async read(digest) {
    const found = life.objects[digest];
    return found === undefined ? null : Uint8Array.from(Buffer.from(found, "base64"));
  },
  async keys() {
    return life.keys;
  },
};

each("outcomes", async (item) => {
  const { registry, chainId, groups } = item.trust;
  const trust = { chainId: BigInt(chainId), registry, ...(groups && { groups }) };
  const report = await sdk.verify(item.target, { client: client(item.node), trust, ...(item.copies !== false && { copies }) });
  const failed = report.checks.filter((check) => check.verdict === "fail").map((check) => check.name);
  const given = (groups ?? []).filter((group) => (report.records[0]?.verdicts[group]?.verdict ?? "none") !== "none");
  const names = ["author", "batch", "finality", "key", "role", "stored", "time", ...given.map((group) => `verdict of group ${group}`)];
  const compared = report.checks.filter((check) => names.includes(check.name));
  const checks = Object.fromEntries(compared.map((check) => [check.name, check.verdict]));
  const found = { outcome: report.outcome, failed: failed.sort(), records: report.records.map((record) => record.id) };
  assert.deepEqual(found, { outcome: item.outcome, failed: item.failed, records: item.records });
  if (item.checks) assert.deepEqual(checks, item.checks);
});

test("outcomes by a node that is behind", async () => {
  class Late extends sdk.Chain {
    behind = async () => 1;
  }
  const late = new Map();
  for (const { name, node, target, trust: { registry, chainId, groups }, copies: given, ...item } of life.cases) {
    const trust = { chainId: BigInt(chainId), registry, ...(groups && { groups }) };
    const { checks, outcome } = await sdk.verify(target, { client: new Late(client(node)), trust, ...(given !== false && { copies }) });
    // what it lacks, and only that, is unknown and no more missing
    const isMissing = !item.records.length && item.failed.length && !item.failed.includes("group");
    assert.equal(outcome, isMissing ? "unavailable" : item.outcome, name);
    assert.ok(checks.every((check) => check.verdict !== "pass" || !["retraction", "lineage"].includes(check.name)), name);
    assert.equal(checks.at(-1).behind, 1);
    late.set(`${item.outcome}, ${outcome}`, name);
  }
  assert.deepEqual([...late.keys()].sort(), ["not verified, not verified", "not verified, unavailable", "unavailable, unavailable", "verified, verified"]);
});

test("claims of identity by their registry", async (context) => {
  assert.ok(life.claims.length > 5);
  for (const item of life.claims) {
    await context.test(item.name, async () => {
      const { id, key, manifest } = item.record;
      const entry = { id, key: sdk.readKey(key), manifest: sdk.parseManifest(sdk.canonical(manifest)) };
      const trust = { chainId: BigInt(item.trust.chainId), registry: item.trust.registry };
      const { state, revokedAt, unknown } = await sdk.verifyClaim(entry, { client: client(item.node), trust, copies });
      assert.deepEqual({ state, revokedAt, isOpen: unknown !== "" }, { state: item.state, revokedAt: item.revokedAt, isOpen: item.isOpen });
    });
  }
});

const old = vectors("behind");

each("behind", async (item, context) => {
  context.mock.timers.enable({ apis: ["Date"], now: item.now * 1000 });
  const data = utf8ToBytes(old.bundles[item.bundle]);
  const report = await sdk.verifyBundleOnChain(data, { client: answering(item.node, old.answers), trust: item.trust });
  const today = Object.fromEntries(Object.entries(report.today).map(([id, { status }]) => [id, status]));
  const { outcome, checks } = told(report);
  assert.deepEqual({ outcome, checks, today }, { outcome: item.outcome, checks: item.checks, today: item.today });
});

each("key-files", (item) => {
  if (item.refused) return refuses(() => sdk.readKeyFile(item.file), item.refused);
  const { id, root, receipts } = sdk.readKeyFile(item.file);
  const senders = receipts.map((receipt) => receipt.sent?.sender ?? null);
  assert.deepEqual({ id, root, senders }, { id: item.id, root: item.root, senders: item.senders });
});

each("identities", (item) => {
  const domain = { chainId: BigInt(item.chainId), registry: item.registry };
  const check = () => sdk.checkIdentityClaim(sdk.parseManifest(sdk.canonical(item.manifest)), sdk.readKey(item.key), domain);
  if (item.refused) return refuses(check);
  const { claim, account, group } = check();
  assert.deepEqual({ claim, account, group }, { claim: item.claim, account: item.account, group: item.group });
});

each("identity-pages", (item) => {
  if (item.institution) return assert.equal(sdk.namesDomain(utf8ToBytes(item.page), item.institution, item.domain).says, item.says);
  const domain = { chainId: BigInt(item.chainId), registry: item.registry };
  const { says, by } = sdk.namesClaim(utf8ToBytes(item.page), item, domain, item.method, item.at);
  assert.deepEqual({ says, by }, { says: item.says, by: item.by });
});

each("witnesses", (item) => {
  if (item.refused) return refuses(() => sdk.readReceiptOfWitness(item.receipt), item.refused);
  const receipt = sdk.readReceiptOfWitness(item.receipt);
  assert.equal(receipt.stamped, item.stamped);
  const says = sdk.judgeReceipt(receipt, new Set(item.bitcoinBlocks)).map(({ standing, notAfter }) => ({ standing, notAfter }));
  says.sort((a, b) => (a.standing < b.standing ? -1 : 1));
  assert.deepEqual(says, item.says);
});

each("rfc3161", async (item) => {
  const receipt = sdk.readReceiptOfWitness(item.receipt);
  assert.equal(receipt.stamped, item.stamped);
  const authorities = [item, ...(item.also ?? [])].filter(({ roots }) => roots);
  const { standing, notAfter } = await judgeToken(receipt, authorities);
  // this package reads no name constraints, and says so
  assert.deepEqual({ standing, notAfter }, item.unread ? { standing: "unknown", notAfter: null } : { standing: item.standing, notAfter: item.notAfter });
  // without it nothing is said
  assert.equal(sdk.judgeReceipt(receipt)[0].standing, "unknown");
});

each("renewals", (item) => {
  if (item.refused) return refuses(() => sdk.readRenewal(item.file), item.refused);
  const { id, rootText, renews } = sdk.readRenewal(item.file);
  assert.deepEqual({ id, rootText, renews: [...renews].sort() }, { id: item.id, rootText: item.rootText, renews: item.renews });
});

each("evidence", async (item) => {
  const data = utf8ToBytes(item.bundle);
  const tokens = await judgeTokens(sdk.readBundle(data), item.trust?.authorities ?? []);
  const said = told(sdk.verifyBundle(data, { ...item.trust, tokens }));
  assert.deepEqual(said, Object.fromEntries(Object.keys(said).map((name) => [name, item[name]])));
});
