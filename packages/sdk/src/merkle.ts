/** The Merkle tree of a batch: OpenZeppelin's StandardMerkleTree over single `bytes32` values, ascending. */
import { compare, concatBytes, fromHex, keccak, toHex } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import { InputError } from "./errors.ts";
import { normalId } from "./record.ts";

const leaf = (value: Uint8Array): Uint8Array => keccak(keccak(value));
const parentOf = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  keccak(compare(a, b) < 0 ? concatBytes(a, b) : concatBytes(b, a));

/** The tree over some ids. */
export class MerkleTree {
  readonly values: Hex[];
  readonly #nodes: Uint8Array[];

  constructor(values: Iterable<string>) {
    this.values = [...values].map((value) => normalId(value)).sort();
    const count = this.values.length;
    if (!count) throw new InputError("expected at least one record in a batch, got none");
    const twice = this.values.find((value, i) => value === this.values[i - 1]);
    if (twice) throw new InputError(`expected each record once in a batch, got ${twice} twice`);
    // node i has the children 2i + 1 and 2i + 2: filled from the end, both are there before it
    const nodes = new Array<Uint8Array>(2 * count - 1);
    this.values.forEach((value, i) => (nodes[nodes.length - 1 - i] = leaf(fromHex(value))));
    for (let i = count - 2; i >= 0; i--) nodes[i] = parentOf(nodes[2 * i + 1]!, nodes[2 * i + 2]!);
    this.#nodes = nodes;
  }

  get root(): Hex {
    return toHex(this.#nodes[0]!);
  }

  /** The siblings from a value to the root, the leaf's first. */
  proof(value: string): Hex[] {
    const index = this.values.indexOf(normalId(value));
    if (index < 0) throw new InputError(`record ${value} is not among the ${this.values.length} of this batch`);
    const siblings: Hex[] = [];
    for (let i = this.#nodes.length - 1 - index; i > 0; i = (i - 1) >> 1) {
      siblings.push(toHex(this.#nodes[i % 2 ? i + 1 : i - 1]!));
    }
    return siblings;
  }
}

/** Compute the root from a value and its siblings. */
export function leadsTo(value: string, path: readonly string[]): Hex {
  return toHex(path.reduce((node, sibling) => parentOf(node, fromHex(sibling)), leaf(fromHex(value))));
}
