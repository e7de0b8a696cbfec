// Answers requests with viem and OpenZeppelin's merkle-tree: a JSON array of {call, ...} from standard input, their
// answers in order to standard output.
import { SimpleMerkleTree, StandardMerkleTree } from "@openzeppelin/merkle-tree";
import {
  createPublicClient,
  createWalletClient,
  encodeAbiParameters,
  encodePacked,
  hashDomain,
  hashStruct,
  hashTypedData,
  http,
  parseEventLogs,
  parseSignature,
  serializeCompactSignature,
  serializeSignature,
  signatureToCompactSignature,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { hashTypedData as hashNested } from "viem/experimental/erc7739";
import { types } from "./types.mjs";

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const LEAF = ["bytes32"];
const hex = (number) => `0x${number.toString(16).padStart(64, "0")}`;
const plain = (_, value) => (typeof value === "bigint" ? value.toString() : value);

const typed = ({ domain, primaryType, message }) => ({ domain, types, primaryType, message });
const standard = (ids, sortLeaves) => StandardMerkleTree.of(ids.map((id) => [id]), LEAF, { sortLeaves });
const grown = (tree, ids, index) => ({ root: tree.root, proofs: ids.map((id) => tree.getProof(index(id))) });

// ERC-7739 in its explicit mode. viem's own wrapping knows the implicit one, which has the primary type first and so can't
// name a type whose members come before it in EIP-712's alphabetical order, as Link and Record do.
function wrapped({ domain, primaryType, message }, signature) {
  const names = primaryType === "RecordAuthorization" ? ["Link", "Record", primaryType] : [primaryType];
  const fields = (name) => types[name].map((field) => `${field.type} ${field.name}`).join(",");
  const description = names.map((name) => `${name}(${fields(name)})`).join("") + primaryType;
  const EIP712Domain = [
    { name: "name", type: "string" },
    { name: "version", type: "string" },
    { name: "chainId", type: "uint256" },
    { name: "verifyingContract", type: "address" },
  ];
  const separator = hashDomain({ domain, types: { EIP712Domain } });
  const contents = hashStruct({ data: message, types, primaryType });
  return encodePacked(
    ["bytes", "bytes32", "bytes32", "string", "uint16"],
    [signature, separator, contents, description, description.length],
  );
}

const calls = {
  address: ({ key }) => privateKeyToAccount(key).address,

  async sign({ key, ...data }) {
    const signature = await privateKeyToAccount(key).signTypedData(typed(data));
    const { r, s, yParity } = parseSignature(signature);
    return {
      signature,
      highS: serializeSignature({ r, s: hex(ORDER - BigInt(s)), yParity: 1 - yParity }),
      compact: serializeCompactSignature(signatureToCompactSignature({ r, s, yParity })),
    };
  },

  hash: (data) => hashTypedData(typed(data)),

  // a commitment has no domain: its hashStruct is what is sealed
  commitment: ({ primaryType, message }) => hashStruct({ data: message, types, primaryType }),

  // ERC-7739: each owner of a wallet signs what only this wallet would sign for this application
  async nested({ keys, verifierDomain, ...data }) {
    const digest = hashNested({ ...typed(data), verifierDomain });
    const accounts = keys.map(privateKeyToAccount);
    const signatures = await Promise.all(accounts.map((account) => account.sign({ hash: digest })));
    const bytes = [{ type: "bytes[]" }, { type: "bytes[]" }];
    const all = encodeAbiParameters(bytes, [accounts.map((account) => account.address), signatures]);
    return wrapped(data, all);
  },

  tree({ ids, sortLeaves }) {
    const tree = standard(ids, sortLeaves);
    return grown(tree, ids, (id) => [id]);
  },

  // leaves that are not hashed
  simpleTree({ ids }) {
    return grown(SimpleMerkleTree.of(ids), ids, (id) => id);
  },

  verify: ({ root, id, proof }) => StandardMerkleTree.verify(root, LEAF, [id], proof),

  // records as an application does: estimated, signed and sent by viem, and read back from status and event
  async record({ rpc, key, address, abi, record }) {
    const transport = http(rpc);
    const account = privateKeyToAccount(key);
    const wallet = createWalletClient({ account, transport });
    const reader = createPublicClient({ transport });
    const id = await reader.readContract({ address, abi, functionName: "idOf", args: [record] });
    const { request } = await reader.simulateContract({ account, address, abi, functionName: "record", args: [record] });
    const hash = await wallet.writeContract({ ...request, chain: null });
    const { logs } = await reader.waitForTransactionReceipt({ hash, pollingInterval: 20 });
    const status = await reader.readContract({ address, abi, functionName: "statusOf", args: [id] });
    return { id, status, events: parseEventLogs({ abi, logs }).map(({ eventName, args }) => ({ eventName, args })) };
  },

  // what viem makes of a refusal
  async refused({ rpc, key, address, abi, record }) {
    const reader = createPublicClient({ transport: http(rpc) });
    const account = privateKeyToAccount(key);
    try {
      await reader.simulateContract({ account, address, abi, functionName: "record", args: [record] });
    } catch (error) {
      const { errorName, args } = error.walk((cause) => cause.name === "ContractFunctionRevertedError").data;
      return { errorName, args };
    }
  },
};

let input = "";
for await (const chunk of process.stdin) input += chunk;
const answers = [];
for (const { call, ...request } of JSON.parse(input)) answers.push((await calls[call](request)) ?? null);
process.stdout.write(JSON.stringify(answers, plain));
