/**
 * Whether the blocks of a bundle stand, by what the verifier chose to trust, and what holds today. Each thing that a bundle
 * states, chain and registry included, is the word of a stranger until its blocks stand.
 */
import { readBundle } from "./bundle.ts";
import type { ProvenBundle, ProvenRecord } from "./bundle.ts";
import { keccakHex } from "./bytes.ts";
import type { Hex } from "./bytes.ts";
import type { Header } from "./chain-shapes.ts";
import { BundleRefused, InputError, Unavailable } from "./errors.ts";
import { checkIdentities, checkRenewals, isRead, Witnesses } from "./evidence.ts";
import type { RenewalFound } from "./evidence.ts";
import type { IdentityClaim } from "./identity.ts";
import { factoryRegistry, knownCode } from "./known-code.ts";
import type { KnownCode } from "./known-code.ts";
import { normalAddress, normalDigest, normalId } from "./record.ts";
import { Chain, openRegistry } from "./registry.ts";
import type { Client, Registry } from "./registry.ts";
import { disowned, when } from "./storage.ts";
import type { RecordStatus } from "./storage.ts";
import type { WitnessTime } from "./witness.ts";

/** How a verification ended. The words are those of every implementation. */
export type Outcome = "verified" | "not verified" | "wrong use" | "unavailable" | "consistent" | "inconclusive";
export type Verdict = "pass" | "fail" | "unknown";

/** One check, and the record that it is about if it is about one. */
export interface Check {
  name: string;
  verdict: Verdict;
  detail: string;
  record?: Hex;
  /** Of a check named witness: what one witness says. */
  time?: WitnessTime;
  /** Of a check named identity: what was signed. */
  claim?: IdentityClaim;
  /** Of a check named node: the time of its newest block (Unix seconds), if that is over an hour old on a public chain. */
  behind?: number;
  /** Of a check named renewal: how it fits, and by when it was there (Unix seconds). */
  renewal?: RenewalFound;
}

/** What a verification rests on. The verifier chooses it, never the author. */
export interface Trust {
  /** EIP-155 chain id. A node must be on this chain. */
  chainId?: bigint | number;
  /** Address of the registry. A bundle of a registry of the factory is verified without it. */
  registry?: string;
  /** Numbers of the groups whose records count; all, if left out. */
  groups?: readonly number[];
  /** Hashes of blocks that stand, for a bundle. */
  blocks?: readonly string[];
  /** Hashes of Bitcoin blocks that stand, for receipts of OpenTimestamps in a bundle. */
  bitcoinBlocks?: readonly string[];
  /** What was found of tokens of RFC 3161 in a bundle: `judgeTokens` of `@blockchaintracer/sdk/rfc3161`. */
  tokens?: ReadonlyMap<string, WitnessTime>;
}

/** What came of verifying a bundle. */
export interface BundleReport {
  outcome: Outcome;
  /** `null`: it is not decided. */
  verified: boolean | null;
  /** Whether it was checked on a private test chain, which proves nothing to others. */
  privateTestChain: boolean;
  bundle: ProvenBundle;
  checks: Check[];
  /** What the registry stores now, by record id; empty if no node was asked. */
  today: Record<Hex, RecordStatus>;
  /** What became of a record since the block of the bundle, by record id. */
  since: Record<Hex, string>;
  doesNotProve: string[];
}

export const NEVER_PROVEN =
  "It does not prove that a result is right, that data are honest, or that a key's holder is who they say.";
/** The chain id of BlockchainTracer's own devnets. */
const DEVNET = 77787n;
/** Checks that decide nothing by being unknown: what they leave open is unknown by a check of its own. */
const SEPARATE = new Set(["node", "forgotten", "not checked"]);

export const behindCheck = (behind: number): Check => ({
  name: "node",
  verdict: "unknown",
  detail: `the newest block of the node is of ${when(behind)}: what came since, it does not know`,
  behind,
});
export const isPrivate = (chainId: bigint): boolean => chainId === DEVNET;
export const counted = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;
export const decided = (outcome: Outcome): boolean | null =>
  outcome === "verified" ? true : outcome === "not verified" ? false : null;

interface NormalTrust {
  chainId: bigint;
  registry: Hex | undefined;
  groups: readonly number[];
  blocks: ReadonlySet<Hex>;
  bitcoinBlocks: ReadonlySet<string>;
  tokens: ReadonlyMap<string, WitnessTime>;
}

/** Read what was chosen. A chain, a block or a witness has to be among it. */
export function normalTrust(trust: Trust): NormalTrust {
  const made = {
    chainId: BigInt(trust.chainId ?? 0),
    registry: trust.registry === undefined ? undefined : normalAddress(trust.registry, "a registry's address"),
    groups: trust.groups ?? [],
    blocks: new Set((trust.blocks ?? []).map((block) => normalId(block, "hash of a block"))),
    bitcoinBlocks: new Set((trust.bitcoinBlocks ?? []).map((block) => normalDigest(block, "hash of a Bitcoin block"))),
    tokens: trust.tokens ?? new Map(),
  };
  // what witnesses are trusted for is asked of a bundle of any chain
  const isNone = !made.chainId && !made.blocks.size && !made.bitcoinBlocks.size && !trust.tokens;
  if (isNone) throw new InputError("expected a chain to trust, got none: give chainId or blocks");
  return made;
}

/**
 * Verify a proof bundle from its bytes alone: the outcome is "consistent" unless blocks are trusted.
 * An empty trust is as none.
 *
 * @throws BundleRefused if it does not fit together.
 * @throws UnknownVersion if it is of a version that this program does not read.
 */
export function verifyBundle(data: Uint8Array, trust?: Trust): BundleReport {
  const judged = new Standing(readBundle(data), trust);
  return judged.report([...judged.offline()]);
}

/**
 * Verify a proof bundle with a node of the chain in `trust`: its blocks must be canonical and final there, and today's
 * state is asked, too.
 */
export async function verifyBundleOnChain(data: Uint8Array, { client, trust }: { client: Client | Chain; trust: Trust }): Promise<BundleReport> {
  if (!trust.chainId) throw new InputError("expected the chain of the node, got none", "Give trust.chainId.");
  const judged = new Standing(readBundle(data), trust);
  return judged.report(await judged.online(client instanceof Chain ? client : new Chain(client)));
}

class Standing {
  readonly #bundle: ProvenBundle;
  readonly #trust: NormalTrust | undefined;
  readonly #genuine: KnownCode | undefined;
  readonly #forgotten = new Set<Hex>();
  readonly #today: Record<Hex, RecordStatus> = {};
  #unavailable = false;
  #behind: number | undefined;

  constructor(bundle: ProvenBundle, trust: Trust | undefined) {
    this.#bundle = bundle;
    this.#trust = trust && Object.values(trust).some((it) => it !== undefined) ? normalTrust(trust) : undefined;
    this.#genuine = genuineCode(bundle);
  }

  /** The checks without a node. */
  *offline(): Generator<Check> {
    const { checks, goesOn } = this.#begin();
    yield* checks;
    if (!goesOn) return;
    const blocks = this.#bundle.blocks.map((block) => this.#byTrust(block) ?? unknownBlock(block));
    yield* blocks;
    if (blocks.some((check) => check.verdict !== "pass")) yield this.#unknownRegistry();
    else yield this.#registry();
  }

  /** The checks with a node. */
  async online(chain: Chain): Promise<Check[]> {
    const { checks, goesOn } = this.#begin();
    if (!goesOn) return checks;
    let blocks: Check[];
    let asked: Chain | undefined = chain;
    try {
      const chainId = await chain.chainId();
      if (chainId !== this.#bundle.domain.chainId) {
        throw new InputError(`expected a node of chain ${this.#bundle.domain.chainId}, got one of ${chainId}`);
      }
      this.#behind = await chain.behind();
      blocks = await this.#byChain(chain);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      this.#lose();
      asked = undefined;
      checks.push({ name: "node", verdict: "unknown", detail: error.message });
      blocks = this.#bundle.blocks.map((block) => this.#byTrust(block) ?? unknownBlock(block));
    }
    checks.push(...blocks);
    if (asked && this.#behind !== undefined) checks.push(behindCheck(this.#behind));
    if (blocks.some((check) => check.verdict !== "pass" && check.name !== "forgotten")) {
      return [...checks, this.#unknownRegistry()];
    }
    try {
      if (asked && this.#forgotten.size && keccakHex(await asked.code(this.#bundle.domain.registry)) !== this.#bundle.codeHash) {
        const detail = `${this.#bundle.domain.registry} has other code today than in the bundle`;
        return [...checks, { name: "registry", verdict: "fail", detail }];
      }
      const registry = this.#registry();
      checks.push(registry);
      if (asked && registry.verdict === "pass") checks.push(...(await this.#now(openRegistry(asked, this.#bundle.domain.registry))));
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      const name = this.#forgotten.size ? "today's state" : "node";
      this.#lose();
      checks.push({ name, verdict: "unknown", detail: error.message });
    }
    return checks;
  }

  report(checks: Check[]): BundleReport {
    const isOpen = checks.some((check) => check.verdict === "unknown" && !SEPARATE.has(check.name));
    const failed = (): boolean => checks.some((check) => check.verdict === "fail");
    // other evidence can fail, and verifies nothing
    const witnesses = new Witnesses(this.#bundle, this.#trust?.bitcoinBlocks ?? new Set(), this.#trust?.tokens ?? new Map());
    checks.push(...witnesses.checks());
    checks.push(...checkRenewals(this.#bundle, !isOpen && !failed(), witnesses));
    checks.push(...checkIdentities(this.#bundle));
    const outcome = failed() ? "not verified" : !isOpen ? "verified" : this.#unavailable ? "unavailable" : "consistent";
    return {
      outcome,
      verified: decided(outcome),
      privateTestChain: isPrivate(this.#bundle.domain.chainId),
      bundle: this.#bundle,
      checks,
      today: this.#today,
      since: Object.fromEntries(this.#bundle.records.flatMap((record) => since(record, this.#today[record.id]))),
      doesNotProve: [NEVER_PROVEN],
    };
  }

  #begin(): { checks: Check[]; goesOn: boolean } {
    const { records, blocks, evidence } = this.#bundle;
    const count = `${counted(records.length, "record")} and ${counted(blocks.length, "block")}`;
    const detail = `${count}: everything fits together, by hashes that were computed here`;
    const checks: Check[] = [{ name: "bundle", verdict: "pass", detail }];
    const times = new Map<string, number>();
    for (const [what, { type }] of evidence.filter((it) => !isRead(it))) {
      times.set(`${what}, type ${type}`, (times.get(`${what}, type ${type}`) ?? 0) + 1);
    }
    for (const [named, number] of times) {
      const told = `${number} of ${named}: this version does not check it, and nothing rests on it`;
      checks.push({ name: "not checked", verdict: "unknown", detail: told });
    }
    const chosen = [...this.#chosen()];
    checks.push(...chosen);
    for (const record of records) {
      const why = record.stored === null && record.batch ? disowned(record.batch.batch, record.status) : undefined;
      if (why) checks.push({ name: "record", verdict: "fail", detail: why, record: record.id });
    }
    return { checks, goesOn: !chosen.some((check) => check.verdict === "fail") };
  }

  /** Compare what the bundle says of itself with what was chosen. */
  *#chosen(): Generator<Check> {
    const trust = this.#trust;
    const { chainId, registry } = this.#bundle.domain;
    if (!trust) return;
    if (trust.chainId && trust.chainId !== chainId) {
      yield { name: "chain", verdict: "fail", detail: `the bundle is of chain ${chainId}, not of ${trust.chainId}` };
    }
    if (trust.registry && trust.registry !== registry) {
      yield { name: "registry", verdict: "fail", detail: `the bundle is of ${registry}, not of ${trust.registry}` };
    }
    for (const record of this.#bundle.records) yield* wrongGroup(record.key.group, trust.groups, record.id);
  }

  #byTrust(block: Header): Check | undefined {
    if (!this.#trust?.blocks.has(block.hash)) return undefined;
    return { name: `block ${block.number}`, verdict: "pass", detail: `you trust the block with hash ${block.hash}${laterFields(block)}` };
  }

  /** Check each block that is not trusted: canonical and final by the node. */
  async #byChain(chain: Chain): Promise<Check[]> {
    const [head, final] = [await chain.block("latest"), await chain.block("finalized")];
    if (!head) throw new Unavailable("the node does not say its newest block");
    const checks: Check[] = [];
    for (const block of this.#bundle.blocks) checks.push(this.#byTrust(block) ?? (await this.#byNode(chain, block, head.number, final?.number)));
    return checks;
  }

  async #byNode(chain: Chain, block: Header, head: number, final: number | undefined): Promise<Check> {
    const said = (verdict: Verdict, detail: string, name = `block ${block.number}`): Check => ({
      name,
      verdict,
      detail: detail + laterFields(block),
    });
    if (block.number > head) {
      const isBehind = this.#behind !== undefined;
      this.#unavailable ||= isBehind;
      return said(isBehind ? "unknown" : "fail", `the node has no such block: its newest is ${head}`);
    }
    let found: { hash: Hex } | undefined;
    try {
      found = await chain.block(block.number);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      // a node that still tells its newest block refuses this one because it has forgotten it
      await chain.block("latest");
    }
    if (!found) {
      this.#forgotten.add(block.hash);
      return said("unknown", `the node has forgotten block ${block.number}: today's state is asked instead`, "forgotten");
    }
    if (found.hash !== block.hash) {
      return said("fail", `the node has ${found.hash} at this height, the bundle ${block.hash}`);
    }
    if (final === undefined) return said("unknown", "on the chain of a node that does not say which blocks are final");
    if (block.number > final) return said("unknown", `not final yet: final is up to block ${final}`);
    return said("pass", "final, by the node");
  }

  #unknownRegistry(): Check {
    return {
      name: "registry",
      verdict: "unknown",
      detail: "what it is stands with its blocks, and these do not stand yet",
    };
  }

  /** Check that the registry is one that the verifier chose, or that the factory made. Its blocks stand. */
  #registry(): Check {
    const trust = this.#trust;
    const { domain, codeHash } = this.#bundle;
    const { registry } = domain;
    if (this.#genuine) {
      const creators = this.#genuine.openGroupCreation ? "anyone" : "its owner alone";
      const detail = `${registry}, made by the factory, LabRegistry version ${this.#genuine.version}: ${creators} creates groups`;
      return { name: "registry", verdict: "pass", detail };
    }
    const code = knownCode(domain, codeHash);
    const knows = code ? "code of a LabRegistry" : `code that is not known here (Keccak-256 ${codeHash})`;
    if (trust?.registry && (trust.chainId || code)) {
      return { name: "registry", verdict: "pass", detail: `${registry}, which you chose, with ${knows}` };
    }
    const need = trust?.registry ? "its registry and its chain" : "its registry";
    const detail = `${registry} has ${knows}, and whoever made it could write anything into it: choose ${need}`;
    return { name: "registry", verdict: "unknown", detail };
  }

  /** Today's state must go on from the bundle's. */
  async #now(registry: Registry): Promise<Check[]> {
    const checks: Check[] = [];
    const isBehind = this.#behind !== undefined;
    try {
      for (const record of this.#bundle.records) {
        const now = await registry.statusOf(record.id);
        const problem = await contradiction(registry, record, now, isBehind);
        // what became of it since, this node does not know
        if (isBehind && !problem && !now.retractedAt && now.status !== "cancelled") continue;
        this.#today[record.id] = now;
        const detail = problem ?? `today's state goes on from the bundle's: it is ${now.status}`;
        checks.push({ name: "today", verdict: problem ? "fail" : "pass", detail, record: record.id });
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (!isBehind) checks.push({ name: "registry", verdict: "fail", detail: error.message });
    }
    if (isBehind && this.#forgotten.size && Object.keys(this.#today).length < this.#bundle.records.length) {
      this.#unavailable = true;
      checks.push({ ...behindCheck(this.#behind!), name: "today's state" });
    }
    return checks;
  }

  #lose(): void {
    this.#unavailable = true;
    this.#forgotten.clear();
    for (const id of Object.keys(this.#today)) delete this.#today[id as Hex];
  }
}

async function contradiction(registry: Registry, record: ProvenRecord, now: RecordStatus, isBehind: boolean): Promise<string | undefined> {
  const { stored: then, key, batch } = record;
  if (then) {
    if (isBehind && !now.recordedAt) return undefined;
    const kept =
      now.group === key.group && now.kind === key.kind && now.recordedAt === then.recordedAt && now.sealedAt === then.sealedAt;
    if (!kept) return "today's state has no such record of this time";
    if (then.retractedAt && then.retractedAt !== now.retractedAt && (now.retractedAt || !isBehind)) {
      return "it is retracted in the bundle and not in today's state";
    }
  } else if (batch) {
    const today = await registry.batchOf(key.group, key.author, batch.root);
    if (isBehind && !today.anchoredAt) return undefined;
    if (today.anchoredAt !== batch.batch.anchoredAt) return `today's state has no batch ${batch.root} of this time`;
    return now.recordedAt ? undefined : disowned(today, now.status);
  }
  return undefined;
}

/**
 * Return the known code of a registry that the factory of this version made. The address binds the code that made the
 * registry (EIP-1014); the code at an address says less: whoever deployed it otherwise could write records into it before.
 */
function genuineCode(bundle: ProvenBundle): KnownCode | undefined {
  const { deployment, domain, codeHash } = bundle;
  if (!deployment) return undefined;
  const code = knownCode(domain, codeHash);
  if (code?.openGroupCreation !== deployment.openGroupCreation || factoryRegistry(deployment) !== domain.registry) {
    throw new BundleRefused("deployment", `expected what this version's factory made ${domain.registry} of`);
  }
  return code;
}

/** The failed check of a record whose group is none of those that count. */
export function wrongGroup(group: number, groups: readonly number[], record: Hex): Check[] {
  if (!groups.length || groups.includes(group)) return [];
  return [{ name: "group", verdict: "fail", detail: `it is of group ${group}, and only ${groups.join(", ")} count`, record }];
}

function unknownBlock(block: Header): Check {
  const detail = `with hash ${block.hash}: nothing that you chose says that a chain has it${laterFields(block)}`;
  return { name: `block ${block.number}`, verdict: "unknown", detail };
}

const laterFields = (block: Header): string =>
  block.unknownFields ? `; its header has ${counted(block.unknownFields, "field")} of a later fork` : "";

function since(record: ProvenRecord, now: RecordStatus | undefined): [Hex, string][] {
  if (!now || now.status === record.status || now.status === "unknown") return [];
  if (now.status === "retracted") return [[record.id, `retracted since, on ${when(now.retractedAt)}`]];
  return [[record.id, `${now.status === "cancelled" ? "cancelled" : "stored"} since`]];
}
