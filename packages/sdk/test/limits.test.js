// Files of strangers that are as large as they may be: read or refused, and never an error of the engine.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
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

/** The places of all values in a value. */
function* placesIn(value, path = []) {
  if (typeof value !== "object" || value === null) return;
  for (const name of Object.keys(value)) {
    yield [...path, name];
    yield* placesIn(value[name], [...path, name]);
  }
}

test("an object that no text can be made of, and nothing, in any place", async (context) => {
  const odd = JSON.parse('{"__proto__":1,"constructor":1,"toString":1,"valueOf":1}');
  const cases = (name) => read(`../../../conformance/${name}.json`).cases;
  const bytes = (value) => sdk.canonical(value, false);
  const readers = [
    ["a bundle", [{ ...JSON.parse(cases("bundles")[0].bundle), nodes: [] }], (value) => sdk.verifyBundle(bytes(value))],
    ["key files", cases("key-files").slice(0, 3).map((item) => item.file), sdk.readKeyFile],
    ["receipts", cases("witnesses").slice(0, 12).map((item) => item.receipt), (value) => sdk.judgeReceipt(sdk.readReceiptOfWitness(value))],
    ["keys", [cases("ids")[0].given], sdk.readKey],
    ["renewals", [cases("renewals")[0].file], sdk.readRenewal],
    ["manifests", cases("manifests").slice(0, 5).map((item) => JSON.parse(item.text)), (value) => sdk.parseManifest(bytes(value))],
    ...cases("identity-pages").filter(({ institution, page }) => !institution && page.startsWith("{")).slice(0, 20).map((item) => [
      item.name, [JSON.parse(item.page)], (value) => sdk.namesClaim(bytes(value), item, { chainId: 1n, registry: item.registry }, item.method, item.at)]),
  ];
  for (const [name, values, reader] of readers) {
    await context.test(name, () => {
      for (const value of values) {
        for (const path of placesIn(value)) {
          for (const other of [odd, [odd], null]) {
            const changed = structuredClone(value);
            path.slice(0, -1).reduce((inner, part) => inner[part], changed)[path.at(-1)] = other;
            try {
              reader(changed);
            } catch (error) {
              assert.ok(error instanceof sdk.InputError || error instanceof sdk.BundleRefused, `${path.join(".")}: ${error.stack}`);
            }
          }
        }
      }
    });
  }
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

const FORGOT = "; the node forgot all but its head";
const caseOf = (name) => life.cases.find((it) => it.name === name);

/** The node of a case, by default one that remembers the state alone, and what it is asked. `keys` gives what each source has of the target. */
async function askedAbout(name, ...keys) {
  const item = caseOf(name.includes(";") ? name : `${name}${FORGOT} (4444)`);
  const plain = (value) => Buffer.from(sdk.canonical(value)).toString().toLowerCase();
  const table = new Map(life.nodes[item.node].map((row) => [plain([row.method, row.params]), life.answers[row.answer]]));
  const asked = [];
  const client = {
    async request({ method, params }) {
      asked.push([method, params]);
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
  const copies = keys.map((ofSource) => {
    const given = ofSource(item.target);
    given.catch?.(() => undefined);
    return { read: async () => null, keys: async () => await given };
  });
  const report = await sdk.verify(item.target, { client, trust, copies: copies.length > 1 ? copies : copies[0] });
  return { asked, count: asked.length, report };
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
  // what one source has hides nothing of another
  for (const sources of [[plain, [proof]], [[proof], plain]]) {
    const { report } = await askedAbout("only in a batch", ...sources.map((source) => () => source));
    assert.equal(report.outcome, "verified");
    assert.match(report.checks.find((it) => it.name === "proof").detail, /more than 64 files/);
  }
  const { count, report } = await askedAbout("only in a batch", () => [...plain, proof]);
  assert.equal(report.outcome, "unavailable");
  assert.deepEqual(report.checks.filter((it) => it.name === "node"), []);
  assert.ok(count < 200, `${count} questions`);
});

test("a source that does not answer hides nothing of another, and leaves open what it may have", async () => {
  const name = "only in a batch; the node remembers all";
  const { target } = caseOf(name);
  const proofs = life.keys.filter((file) => "type" in file && idOf(file) === target);
  const fails = () => Promise.reject(new Error("out of order"));
  const [alone, both, here] = await Promise.all([[fails], [fails, () => proofs], [() => proofs]].map((sources) => askedAbout(name, ...sources)));
  assert.equal(alone.report.outcome, "unavailable");
  assert.match(alone.report.checks.find((it) => it.name === "proof").detail, /did not answer about .*: out of order/);
  assert.equal(both.report.outcome, here.report.outcome);
  assert.deepEqual(both.report.records.map(({ id }) => id), [target]);
});

test("code is asked in a block that the chain has, and not in one that a receipt alone names", async () => {
  // sent through another account: if its author had code, that code let it
  const name = `with a stranger's transaction${FORGOT}, and each account has code`;
  const { asked } = await askedAbout(name, (target) => life.keys.filter((file) => "type" in file && idOf(file) === target));
  assert.ok(asked.some(([method]) => method === "eth_getTransactionByHash"));
  const blocks = asked.filter(([method]) => method === "eth_getCode").map(([, [, block]]) => block);
  assert.deepEqual(new Set(blocks), new Set(["latest"]));
});

test("a node's redirect is not followed", async () => {
  const reached = [];
  const server = createServer((request, response) => {
    reached.push(request.url);
    if (request.url === "/node") response.writeHead(307, { Location: "/elsewhere" }).end();
    else response.end('{"jsonrpc":"2.0","id":1,"result":"0x1"}');
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  try {
    const ask = (path) => sdk.nodeClient(`http://127.0.0.1:${server.address().port}/${path}`).request({ method: "eth_chainId" });
    assert.equal(await ask("other"), "0x1");
    await assert.rejects(ask("node"));
    assert.deepEqual(reached, ["/other", "/node"]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
