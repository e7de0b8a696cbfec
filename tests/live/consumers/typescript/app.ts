// A page or a program that asks: is this reproduced by a group that I trust, and not retracted?
import { hashFile, openRegistry, parseManifest, recordId, verifyBundle, type Outcome, type RecordKey } from "@blockchaintracer/sdk";
import { labRegistryAbi, verdicts } from "@blockchaintracer/contracts";
import { createPublicClient, http } from "viem";

const { registry: address, questions } = JSON.parse(process.env["CASE"]!) as { registry: `0x${string}`; questions: [number, RecordKey][] };
const client = createPublicClient({ transport: http(process.env["RPC_URL"]) });
const registry = openRegistry(client, address);
const chainId = BigInt(await client.getChainId());

async function ask(group: number, key: RecordKey): Promise<string> {
  const id = recordId({ chainId, registry: address }, key);
  const { status } = await registry.statusOf(id);
  if (status !== "recorded") return "RecordNotStanding";
  const said = await registry.verdictOf(group, id);
  // viem knows the same from the constants, with literal types
  const raw = await client.readContract({ address, abi: labRegistryAbi, functionName: "verdictOf", args: [group, id] });
  if (raw.verdict !== verdicts[said.verdict]) throw new Error("two answers to one question");
  return said.verdict === "reproduced" ? id : "TooFewReproductions";
}

const answers: string[] = [];
for (const question of questions) answers.push(await ask(...question));
const { cid } = await hashFile(new Uint8Array());
const outcomes: Outcome[] = [];
try {
  outcomes.push(verifyBundle(new Uint8Array()).outcome);
} catch (error) {
  if (!(error instanceof Error) || error.name !== "BundleRefused") throw error;
}
if (!cid || outcomes.length || typeof parseManifest !== "function") throw new Error("expected a CID and a refusal");
console.log("ANSWERS " + JSON.stringify(answers));
