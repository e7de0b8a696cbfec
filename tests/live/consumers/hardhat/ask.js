// Deploys the gate and asks it; prints the answers as JSON.
import hre from "hardhat";
import { BaseError, ContractFunctionRevertedError, createWalletClient, http, publicActions } from "viem";
import { iProvenanceConsumerAbi, labRegistryAbi, statuses } from "@blockchaintracer/contracts";

const { registry, questions } = JSON.parse(process.env.CASE);
const node = createWalletClient({ transport: http(process.env.RPC_URL) });
const [account] = await node.getAddresses();
const client = createWalletClient({ account, transport: http(process.env.RPC_URL) }).extend(publicActions);
const { abi: own, bytecode } = await hre.artifacts.readArtifact("ModelGate");
const abi = [...own, ...iProvenanceConsumerAbi.filter((entry) => entry.type === "error")];

async function ask(trusted, key) {
  const hash = await client.deployContract({ abi, bytecode, args: [registry, [trusted]], chain: null });
  const { contractAddress: address } = await client.waitForTransactionReceipt({ hash, pollingInterval: 50 });
  try {
    const { request } = await client.simulateContract({ account, address, abi, functionName: "deploy", args: [key] });
    await client.waitForTransactionReceipt({ hash: await client.writeContract({ ...request, chain: null }), pollingInterval: 50 });
  } catch (error) {
    if (!(error instanceof BaseError)) throw error;
    const refused = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
    if (!refused) throw error;
    return refused.data.errorName;
  }
  const id = await client.readContract({ address, abi, functionName: "model" });
  // the registry says the same through the typed constants
  const status = await client.readContract({ address: registry, abi: labRegistryAbi, functionName: "statusOf", args: [id] });
  if (status.status !== statuses.recorded) throw new Error(`expected a record that stands, got ${status.status}`);
  return id;
}

const answers = [];
for (const question of questions) answers.push(await ask(...question));
console.log("ANSWERS " + JSON.stringify(answers));
