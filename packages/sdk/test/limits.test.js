// Files of strangers that are as large as they may be: read or refused, and never an error of the engine.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { keccak_256 } from "@noble/hashes/sha3.js";
import * as sdk from "../src/index.ts";
import { decodeRlp, Malformed, TrieNodes } from "../src/chain-shapes.ts";

const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));

test("a manifest of many values", () => {
  const result = read("manifests/result.json");
  const withValues = (count) => {
    result.predicate.values = { a: new Array(count).fill(0) };
    return sdk.canonical(result);
  };
  assert.equal(sdk.parseManifest(withValues(200_000)).kind, 4);
  assert.throws(() => sdk.parseManifest(withValues(300_000)), sdk.InputError);
  assert.throws(() => sdk.parseManifest(withValues(600_000)), sdk.InputError);
});

test("a bundle of many nodes, all but a few of which nothing needs", () => {
  const { cases } = read("../../../conformance/bundles.json");
  const bundle = JSON.parse(cases[0].bundle);
  const more = Array.from({ length: 150_000 }, (_, i) => `0x${i.toString(16).padStart(8, "0")}`);
  bundle.nodes = [...more, ...bundle.nodes];
  const refused = (error) => error instanceof sdk.BundleRefused && error.place === "nodes[0]";
  assert.throws(() => sdk.verifyBundle(sdk.canonical(bundle)), refused);
});

test("a bundle with evidence of many types", () => {
  const { cases } = read("../../../conformance/bundles.json");
  const bundle = JSON.parse(cases[0].bundle);
  bundle.witnesses = Array.from({ length: 200_000 }, (_, i) => ({ type: `t${i >> 1}` }));
  const data = sdk.canonical(bundle);
  const start = performance.now();
  const told = sdk.verifyBundle(data).checks.filter((check) => check.name === "not checked");
  assert.equal(told.length, 100_000);
  assert.match(told[0].detail, /^2 of witness, type t0: /);
  // it grew with the square of their number: minutes
  assert.ok(performance.now() - start < 20_000);
});

test("an empty trust is as none, and half of one is told what it lacks", () => {
  const { cases } = read("../../../conformance/bundles.json");
  const data = new TextEncoder().encode(cases[0].bundle);
  assert.equal(sdk.verifyBundle(data).outcome, "consistent");
  assert.equal(sdk.verifyBundle(data, {}).outcome, "consistent");
  assert.equal(sdk.verifyBundle(data, { blocks: undefined }).outcome, "consistent");
  assert.throws(() => sdk.verifyBundle(data, { groups: [1] }), (error) => error instanceof sdk.InputError && /chainId or blocks/.test(error.message));
});

test("nesting that would fill the stack", () => {
  const deep = new TextEncoder().encode("[".repeat(1 << 19) + "]".repeat(1 << 19));
  assert.throws(() => sdk.parseManifest(deep), sdk.InputError);
  assert.throws(() => sdk.verifyBundle(deep), sdk.BundleRefused);
});

test("a key of many parents", () => {
  const parents = Array.from({ length: 1024 }, (_, i) => ({ parent: `0x${i.toString(16).padStart(64, "0")}`, relation: 1 }));
  const key = { group: 1, author: `0x${"11".repeat(20)}`, subjectType: 1, subject: "aa".repeat(32), kind: 1, manifest: "bb".repeat(32), parents };
  assert.equal(sdk.readKey({ ...key, parents: [...parents].reverse() }).parents[5].parent, parents[5].parent);
  assert.throws(() => sdk.readKey({ ...key, parents: [...parents, { parent: `0x${"ff".repeat(32)}`, relation: 1 }] }), sdk.InputError);
});

test("a trie in which one key is the beginning of another", () => {
  // a branch of 16 empty children and a value
  const branch = (value) => Uint8Array.from([0xc0 + 16 + value.length, ...new Array(16).fill(0x80), ...value]);
  const valueIn = (node) => {
    const root = `0x${Buffer.from(keccak_256(node)).toString("hex")}`;
    return new TrieNodes([node]).value(root, Uint8Array.of(1));
  };
  assert.equal(valueIn(branch([0x80])), undefined);
  assert.throws(() => valueIn(branch([0x05])), Malformed);
});

test("RLP of many items", () => {
  // a list of so many empty lists
  const listOf = (count) => Uint8Array.from([0xfa, count >> 16, count >> 8, count, ...new Array(count).fill(0xc0)].map((it) => it & 255));
  assert.equal(decodeRlp(listOf((1 << 20) - 1), 2).length, (1 << 20) - 1);
  assert.throws(() => decodeRlp(listOf(1 << 20), 2), Malformed);
});

const life = read("../../../conformance/outcomes.json");

/** A node that remembers the state alone and has forgotten all else, and counts what it is asked. */
async function askedAbout(name, keys) {
  const item = life.cases.find((it) => it.name === `${name}; the node forgot all but its head (4444)`);
  const plain = (value) => Buffer.from(sdk.canonical(value)).toString().toLowerCase();
  const table = new Map(life.nodes[item.node].map((row) => [plain([row.method, row.params]), life.answers[row.answer]]));
  let count = 0;
  const client = {
    async request({ method, params }) {
      count++;
      // of batches that the table lacks (three words are asked) none is anchored
      const isBatch = method === "eth_call" && params[0].data.length === 2 + 2 * (4 + 96);
      // any other transaction is in another block
      const elsewhere = method === "eth_getTransactionByHash" && [...table].find(([asked, it]) => asked.includes("eth_gettransactionbyhash") && it.result)[1];
      const other = isBatch ? { result: `0x${"00".repeat(128)}` } : elsewhere || { error: { message: method } };
      const { result, error } = table.get(plain([method, params])) ?? other;
      if (error) throw new Error(error.message);
      return result;
    },
  };
  const trust = { chainId: BigInt(item.trust.chainId), registry: item.trust.registry };
  const given = keys(item.target);
  const copies = { read: async () => null, keys: async () => given };
  const report = await sdk.verify(item.target, { client, trust, copies });
  return { count, report };
}

const NAME = "with a receipt of another transaction";
const idOf = (file) => sdk.readKeyFile(file).id;

test("many files about one record, and many receipts", async () => {
  const about = (target) => life.keys.filter((file) => "type" in file && idOf(file) === target);
  const once = await askedAbout(NAME, about);
  const many = await askedAbout(NAME, (target) => {
    const [one] = about(target);
    return Array.from({ length: 100 }, (_, i) => {
      const file = structuredClone(one);
      for (const receipt of file.receipts) Object.assign(receipt, { transaction: `0x${i.toString(16).padStart(64, "0")}`, raw: "" });
      return file;
    });
  });
  assert.deepEqual([once.report.outcome, many.report.outcome], ["verified", "verified"]);
  assert.ok(many.count < once.count + 40, `${many.count} questions`);
  assert.match(many.report.checks.find((it) => it.name === "proof").detail, /more than 64 files/);
});

test("what is hidden among many files is not said to be missing", async () => {
  const target = life.cases.find((it) => it.name === "only in a batch; the node remembers all").target;
  const [proof] = life.keys.filter((file) => "type" in file && idOf(file) === target && file.root);
  const strangers = Array.from({ length: 100 }, (_, i) => {
    const step = `0x${i.toString(16).padStart(64, "0")}`;
    return { ...proof, receipts: undefined, proof: [step], root: sdk.leadsTo(target, [step]) };
  });
  const plain = JSON.parse(JSON.stringify(strangers));
  const { count, report } = await askedAbout("only in a batch", () => [...plain, proof]);
  assert.equal(report.outcome, "unavailable");
  assert.deepEqual(report.checks.filter((it) => it.name === "node"), []);
  assert.ok(count < 200, `${count} questions`);
});
