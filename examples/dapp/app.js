// A page that asks of a file: was it recorded, is it not retracted, and was it reproduced by a group that I trust?
// The visitor names node, chain, registry and groups. The file is hashed here and never sent.
import { InputError, nodeClient, openRegistry, verify } from "@blockchaintracer/sdk";

const field = (id) => document.getElementById(id);
const say = (text, kind) => {
  const line = document.createElement("p");
  // text, never markup: names and messages are written by strangers
  line.textContent = text;
  line.className = kind;
  field("answer").append(line);
};

/** Who of the trusted groups reproduced a record now. */
async function reproducedBy(registry, id, groups) {
  const verdicts = await Promise.all(groups.map((group) => registry.verdictOf(group, id)));
  return groups.filter((_, i) => verdicts[i].verdict === "reproduced");
}

async function ask() {
  const client = nodeClient(field("node").value);
  const address = field("registry").value;
  const groups = field("groups").value.split(/[\s,]+/).filter(Boolean).map(Number);
  const [file] = field("file").files;
  const report = await verify(file, { client, trust: { chainId: BigInt(field("chain").value), registry: address } });
  for (const check of report.checks) if (check.verdict === "fail") say(check.detail, "fail");
  if (report.outcome === "unavailable") say("The node does not say enough to decide: ask another.", "unknown");
  const registry = openRegistry(client, address);
  for (const { id, key, status } of report.records) {
    say(`Record ${id} of group ${key.group}, by ${key.author}`, "record");
    if (status.status === "retracted") continue;
    const others = groups.filter((group) => group !== key.group);
    const found = await reproducedBy(registry, id, others);
    if (found.length) say(`Reproduced by group ${found.join(", ")}, and not retracted.`, "pass");
    else say(`Not retracted; none of the groups that you trust says that it reproduced it.`, "unknown");
  }
  for (const limit of report.doesNotProve) say(limit, "limit");
}

field("question").addEventListener("submit", async (event) => {
  event.preventDefault();
  field("answer").replaceChildren();
  field("answer").ariaBusy = "true";
  try {
    await ask();
  } catch (error) {
    say(error instanceof InputError ? error.message : `It can't be asked: ${error.message}`, "unknown");
  }
  field("answer").ariaBusy = "false";
});
