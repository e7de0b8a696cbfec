// The other side of claims of identity, by a real server that stands for each host.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import * as sdk from "../src/index.ts";

const { cases } = JSON.parse(readFileSync(new URL("../../../conformance/identity-pages.json", import.meta.url), "utf8"));
const one = (name) => cases.find((item) => item.name === name);

/** Ask by a server that has these pages: a text, or how it answers. */
async function served(pages, ask) {
  const server = createServer((request, response) => {
    const page = pages[decodeURIComponent(request.url.slice(1))];
    if (typeof page === "function") page(response);
    else response.writeHead(page === undefined ? 404 : 200).end(page);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const place = `http://127.0.0.1:${server.address().port}/`;
  try {
    return await ask((url, options) => fetch(place + encodeURIComponent(url), options));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Ask about a case. */
const asked = (item, pages, more = {}) => served(pages, (fetcher) => sdk.confirmIdentity({ ...item, ...more }, { chainId: 1, registry: item.registry }, fetcher));

const FILE = "https://raw.githubusercontent.com/octo-cat/octo-cat/HEAD/blockchaintracer.json";
const USER = "https://api.github.com/users/octo-cat";
const RECORD = "https://pub.orcid.org/v3.0/0000-0002-1825-0097/person";
const SITE = "https://physics.example.org/.well-known/blockchaintracer.json";

test("what names a claim confirms it", async () => {
  const { page } = one("github, the claim");
  const found = await asked(one("github, the claim"), { [FILE]: page, [USER]: '{"login":"Octo-Cat","id":1}' });
  assert.deepEqual(found, { confirmed: true, reason: "it names the claim", by: "claim", address: FILE });
  assert.equal((await asked(one("orcid, the holder"), { [RECORD]: one("orcid, the holder").page })).confirmed, true);
  assert.equal((await asked(one("domain, both"), { [SITE]: one("domain, both").page })).by, "claim");
});

test("what does not name it denies it, and a domain may say it by DNS", async () => {
  assert.equal((await asked(one("orcid, nothing"), { [RECORD]: one("orcid, nothing").page })).confirmed, false);
  assert.equal((await asked(one("orcid, nothing"), {})).confirmed, false);
  const renamed = await asked(one("github, the claim"), { [FILE]: one("github, the claim").page, [USER]: '{"login":"someone"}' });
  assert.match(renamed.reason, /renamed/);
  assert.equal(renamed.confirmed, false);
  assert.equal((await asked(one("domain, nothing"), {})).confirmed, null);
});

test("a domain names an account by its DID configuration", async () => {
  const [item, place] = [one("DID, no beginning"), SITE.replace("blockchaintracer", "did-configuration")];
  const lasting = item.page.replace("2027-01-01T00:00:00.5+01:00", "2999-01-01T00:00:00Z");
  assert.deepEqual(await asked(item, { [place]: lasting }), { confirmed: true, reason: "it names the account as did:pkh", by: "account", address: place });
  const both = await asked(item, { [place]: item.page.replace("2027", "2020"), [SITE]: "{}" });
  assert.equal(both.confirmed, null);
  assert.match(both.reason, /well-known: .*did-configuration: no credential.*DNS was not asked, which takes a resolver/);
});

test("ROR has the domains of an institution", async () => {
  const { institution, domain, page } = one("ROR, whole");
  const place = "https://api.ror.org/v2/organizations/05dxps055";
  const ask = (pages, id = institution) => served(pages, (fetcher) => sdk.confirmInstitution(id, domain, fetcher));
  assert.equal((await ask({ [place]: page })).confirmed, true);
  assert.equal((await ask({ [place]: one("ROR, withdrawn").page }, "05dxps055")).confirmed, false);
  assert.equal((await ask({})).confirmed, false);
  assert.equal((await ask({ [place]: (response) => response.writeHead(503).end() })).confirmed, null);
  await assert.rejects(ask({}, "05dxps056"), sdk.InputError);
});

/** A simulator of a node of Ethereum with ENS: the text of lab.eth, and when the name expires. */
function ens(text, expires, more = {}) {
  const [registry, resolver, registrar] = ["00000000000c2e074ec69a0dfb2997ba6c7d2e1e", "22".repeat(20), "33".repeat(20)];
  const word = (hex) => hex.padStart(64, "0");
  const bytes = Buffer.from(text).toString("hex");
  const answers = {
    "0178b8bf": word(resolver),
    "59d1d43c": word("20") + word((bytes.length / 2).toString(16)) + bytes.padEnd(Math.ceil(bytes.length / 64) * 64, "0"),
    "02571be3": word(registrar),
    d6e4fa86: word(expires.toString(16)),
    ...more,
  };
  return {
    async request({ method, params }) {
      if (method === "eth_chainId") return "0x1";
      if (method === "eth_getCode") return [registry, resolver].includes(params[0].slice(2).toLowerCase()) ? "0x60" : "0x";
      if (method === "eth_getBlockByNumber") return { hash: `0x${"44".repeat(32)}`, number: "0x9", timestamp: "0x64" };
      const answer = method === "eth_call" && answers[params[0].data.slice(2, 10)];
      if (answer) return `0x${answer}`;
      throw new Error(`no answer to ${method}`);
    },
  };
}

test("an ENS name is asked on its chain", async () => {
  const item = one("ENS, for ever");
  const [own] = JSON.parse(item.page).names;
  const ask = (client, more = {}) => sdk.confirmIdentity(item, { chainId: 1, registry: item.registry, ...more }, fetch, client);
  assert.deepEqual(await ask(ens(`other ${own}`, 100)), { confirmed: true, reason: "it names the claim", by: "claim", address: "the text record of lab.eth, ENS of chain 1" });
  assert.match((await ask(ens(own, 99))).reason, /expired/);
  assert.equal((await ask(ens("other", 100))).confirmed, false);
  assert.equal((await ask(ens(own, 100, { "0178b8bf": "00".repeat(32) }))).confirmed, false);
  // a resolver that looks it up off chain answers nothing that is read here
  assert.equal((await ask(ens(own, 100, { "59d1d43c": "00" }))).confirmed, null);
  assert.equal((await ask(ens(own, 100), { chainId: 11155111 })).confirmed, null);
  assert.equal((await ask(undefined)).confirmed, null);
});

test("what can't be asked is unknown", async () => {
  const item = one("orcid, the claim");
  const answers = {
    "another page": (response) => response.writeHead(302, { Location: "/elsewhere" }).end(),
    "an error": (response) => response.writeHead(503).end(),
    "too much": (response) => response.end(`"${"a".repeat(1 << 21)}"`),
    "no UTF-8": (response) => response.end(Buffer.from([0xff])),
    "half of it": (response) => response.writeHead(200, { "Content-Length": "1000" }).write(item.page, () => response.destroy()),
  };
  for (const [name, answer] of Object.entries(answers)) assert.equal((await asked(item, { [RECORD]: answer })).confirmed, null, name);
  assert.equal((await asked(item, {}, { scheme: "ens" })).confirmed, null);
  assert.equal((await asked(item, {}, { unknown: "an international name" })).confirmed, null);
});
