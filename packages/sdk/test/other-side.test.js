// The other side of claims of identity, by a real server that stands for each host.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import * as sdk from "../src/index.ts";

const { cases } = JSON.parse(readFileSync(new URL("../../../conformance/identity-pages.json", import.meta.url), "utf8"));
const one = (name) => cases.find((item) => item.name === name);

/** Ask about a case, of a server that has these pages: a text, or how it answers. */
async function asked(item, pages, more = {}) {
  const server = createServer((request, response) => {
    const page = pages[decodeURIComponent(request.url.slice(1))];
    if (typeof page === "function") page(response);
    else response.writeHead(page === undefined ? 404 : 200).end(page);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const place = `http://127.0.0.1:${server.address().port}/`;
  const said = await sdk.confirmIdentity({ ...item, ...more }, { chainId: 1, registry: item.registry }, (url, options) => fetch(place + encodeURIComponent(url), options));
  server.closeAllConnections();
  server.close();
  return said;
}

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
