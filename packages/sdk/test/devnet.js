// What wallets do in a registry on a devnet, and what its verifier says then. Started by tests/node/test_sdk.py.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createPublicClient, createWalletClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { labRegistryAbi, roles } from "@blockchaintracer/contracts";
import * as sdk from "../src/index.ts";

const { RPC_URL, REGISTRY, ALICE, BOB, BUNDLE, RECORD, SIGNED } = process.env;
const transport = http(RPC_URL);
const client = createPublicClient({ transport, pollingInterval: 50 });
const [alice, bob] = [ALICE, BOB].map((key) => createWalletClient({ account: privateKeyToAccount(key), transport }));
const registry = sdk.openRegistry(client, REGISTRY);
const chainId = await client.getChainId();
const trust = { chainId, registry: REGISTRY };
const mined = async ({ transaction }) => {
  const receipt = await client.waitForTransactionReceipt({ hash: transaction });
  assert.equal(receipt.status, "success");
};
const refused = (name) => (error) => error instanceof sdk.Refused && error.errorName === name;
const checksOf = (report, verdict) => report.checks.filter((check) => check.verdict === verdict).map((check) => check.name);

// two groups; numbers are given in order
const group = async (wallet) => {
  const call = { address: REGISTRY, abi: labRegistryAbi, functionName: "createGroup", chain: null };
  const all = roles.maintainer | roles.recorder | roles.reviewer;
  const args = [all, `0x${"00".repeat(32)}`];
  const { result, request } = await client.simulateContract({ ...call, account: wallet.account, args });
  await mined({ transaction: await wallet.writeContract({ ...request, chain: null }) });
  return result;
};
const [first, second] = [await group(alice), await group(bob)];
assert.equal((await registry.groupOf(second)).owner, bob.account.address.toLowerCase());
assert.equal(await registry.groupOf(4_000_000), null);

const file = new Blob(["bytes that nobody else has"]);
const { sha256 } = await sdk.hashFile(file);
const key = {
  group: first,
  author: alice.account.address,
  subjectType: 1,
  subject: sha256,
  kind: 2,
  manifest: "ab".repeat(32),
  parents: [],
};

// recorded once; a stranger is refused before anything is sent
assert.equal((await sdk.verify(file, { client, trust })).outcome, "not verified");
await assert.rejects(sdk.record(bob, registry, { ...key, author: bob.account.address }), refused("MissingRole"));
const sent = await sdk.record(alice, registry, key);
await mined(sent);
assert.deepEqual(await sdk.record(alice, registry, key), { id: sent.id, transaction: null });
assert.equal(sent.id, await registry.read("idOf", [{ ...key, subject: `0x${sha256}`, manifest: `0x${key.manifest}` }]));

// the file and the id are verified by the chain alone, with the key from its event
for (const target of [file, sent.id, `eip155:${chainId}:${REGISTRY.toLowerCase()}/${sent.id}`]) {
  const report = await sdk.verify(target, { client, trust });
  assert.equal(report.outcome, "verified");
  assert.deepEqual(report.records.map((record) => record.id), [sent.id]);
  assert.ok(checksOf(report, "unknown").includes("manifest"));
}
await assert.rejects(sdk.verify(sent.id, { client, trust: { ...trust, chainId: 1 } }), sdk.InputError);
const gone = { request: () => Promise.reject(new Error("connection refused")) };
assert.equal((await sdk.verify(sent.id, { client: gone, trust })).outcome, "unavailable");

// a verdict needs its evidence
const run = { ...key, group: second, author: bob.account.address, subjectType: 4, subject: "cd".repeat(32), kind: 3 };
run.parents = [{ parent: sent.id, relation: 8 }];
const said = { group: second, recordId: sent.id, verdict: "reproduced", evidence: run };
await assert.rejects(sdk.attest(bob, registry, said), sdk.Refused);
await mined(await sdk.record(bob, registry, run));
await mined(await sdk.attest(bob, registry, said));
const both = await sdk.verify(sent.id, { client, trust: { ...trust, groups: [first, second] } });
assert.equal(both.records[0].verdicts[second].verdict, "reproduced");
assert.equal((await sdk.verify(sent.id, { client, trust: { ...trust, groups: [second] } })).outcome, "not verified");

// signed by one, sent and paid by another
const deadline = Math.floor(Date.now() / 1000) + 86_400;
const other = { ...key, subject: "ef".repeat(32) };
const writes = [await sdk.signRecord(alice, registry, other, deadline)];
const request = await sdk.signedWrites(registry, alice.account.address, deadline, writes);
const text = new TextEncoder().encode(JSON.stringify(request));
writeFileSync(SIGNED, text);
assert.deepEqual(sdk.readSignedWrites(text), request);
const forged = structuredClone(request);
forged.writes[0].key.subject = "00".repeat(32);
await assert.rejects(sdk.relay(bob, registry, forged), sdk.Refused);
const [relayed] = await sdk.relay(bob, registry, sdk.readSignedWrites(text));
await mined(relayed);
assert.equal((await registry.statusOf(relayed.id)).status, "recorded");
assert.deepEqual(await sdk.relay(bob, registry, request), [{ id: relayed.id, transaction: null }]);
// the registry judges the deadline, of each write
const late = await sdk.signedWrites(registry, alice.account.address, 1, [await sdk.signRecord(alice, registry, { ...key, subject: "ab".repeat(32) }, 1)]);
await assert.rejects(sdk.relay(bob, registry, late), refused("SignatureExpired"));
assert.deepEqual(await sdk.relay(bob, registry, { ...late, writes: [] }), []);
const verdict = { group: first, recordId: await registry.idOf(run), verdict: "reviewed" };
const review = [await sdk.signAttestation(alice, registry, verdict, deadline)];
const [reviewed] = await sdk.relay(bob, registry, await sdk.signedWrites(registry, alice.account.address, deadline, review));
await mined(reviewed);
assert.equal((await registry.verdictOf(first, verdict.recordId)).verdict, "reviewed");

// a bundle of another record, by the node; a chain that was not chosen says nothing
const bundle = new Uint8Array(readFileSync(BUNDLE));
assert.equal(sdk.verifyBundle(bundle).outcome, "consistent");
const chain = new sdk.Chain(client);
const proven = await sdk.verifyBundleOnChain(bundle, { client: chain, trust: { chainId } });
assert.equal(proven.outcome, "verified");
assert.equal(proven.privateTestChain, true);
assert.equal(proven.today[RECORD].status, "retracted");
assert.match(proven.since[RECORD], /^retracted since/);
assert.equal((await sdk.verifyBundleOnChain(bundle, { client: chain, trust: { chainId: 1 } })).outcome, "not verified");
assert.equal((await sdk.verifyBundleOnChain(bundle, { client: gone, trust: { chainId } })).outcome, "unavailable");

// what is retracted is not verified any more
await mined(await sdk.retract(alice, registry, key));
const after = await sdk.verify(sent.id, { client, trust });
assert.equal(after.outcome, "not verified");
assert.deepEqual(checksOf(after, "fail"), ["retraction"]);

// the same by a client of our own; answers that are too long or too late, or of another question, are no answers
const own = sdk.nodeClient(RPC_URL);
assert.equal((await sdk.verify(relayed.id, { client: own, trust })).outcome, "verified");
await assert.rejects(sdk.record(bob, sdk.openRegistry(own, REGISTRY), { ...key, author: bob.account.address }), refused("MissingRole"));
assert.equal((await sdk.verify(relayed.id, { client: sdk.nodeClient(RPC_URL, { limit: 20 }), trust })).outcome, "unavailable");
const answering = async (body, check) => {
  const server = createServer((request, response) => request.on("data", () => undefined).on("end", () => response.end(body)));
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  await check(sdk.nodeClient(`http://127.0.0.1:${server.address().port}`, { timeout: 300 }));
  server.closeAllConnections();
  server.close();
};
for (const body of ["", "[]", "{", '{"id":7,"result":"0x1"}', '{"id":1}', '{"id":1,"result":"0x12fzz"}', '{"id":1,"error":{"message":3}}']) {
  await answering(body, async (bad) => assert.equal((await sdk.verify(sent.id, { client: bad, trust })).outcome, "unavailable"));
}

// of groups that do not count, said so for a file as well
assert.deepEqual(checksOf(await sdk.verify(file, { client, trust: { ...trust, groups: [second] } }), "fail"), ["retraction", "group"]);
