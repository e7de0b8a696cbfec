/** What the other evidence in a bundle says of its records: receipts of witnesses, renewals and claims of identity. */
import type { ProvenBundle } from "./bundle.ts";
import type { Hex } from "./bytes.ts";
import { InputError, UnknownVersion } from "./errors.ts";
import { formatOf } from "./formats.ts";
import { checkIdentityClaim, holderName, identityTitle, NotSigned, readIdentities } from "./identity.ts";
import type { IdentityClaim } from "./identity.ts";
import type { JsonObject } from "./json.ts";
import type { Manifest } from "./manifest.ts";
import { globalId } from "./record.ts";
import type { Domain, RecordKey } from "./record.ts";
import { compareRenewal, readRenewal, ROOT_TEXT } from "./renewal.ts";
import type { Compared, Renewal } from "./renewal.ts";
import type { Check } from "./standing.ts";
import { when } from "./storage.ts";
import type { RecordStatus } from "./storage.ts";
import { judgeReceipt, readReceiptOfWitness } from "./witness.ts";
import type { WitnessReceipt, WitnessTime } from "./witness.ts";

/** A renewal of a record, compared with what is here. Times in Unix seconds; `retractedAt` is 0 if it stands. */
export interface RenewalFound extends Compared {
  id: Hex;
  times: number[];
  retractedAt: number;
}

const READ: Record<string, RegExp> = { witness: /^witness-/, identity: /^identities$/, renewal: /^renewal$/ };

/** Whether this version reads evidence of a type: of others nothing is said. */
export function isRead([what, item]: readonly [string, JsonObject]): boolean {
  try {
    return READ[what]!.test(formatOf(item) ?? "");
  } catch (error) {
    if (error instanceof UnknownVersion) return false;
    throw error;
  }
}

const ofKind = (bundle: ProvenBundle, kind: string): JsonObject[] =>
  bundle.evidence.filter((it) => it[0] === kind && isRead(it)).map(([, item]) => item);

/** Judge the claims of a bundle by themselves. Whether they stand or are confirmed needs a node, and the other side. */
export function* checkIdentities(bundle: ProvenBundle): Generator<Check> {
  const { domain } = bundle;
  const about = new Set(bundle.records.flatMap(({ key }) => [holderName(domain, { account: key.author }), holderName(domain, { group: key.group })]));
  for (const item of ofKind(bundle, "identity")) {
    try {
      const file = readIdentities(item);
      const isHere = file.domain.chainId === domain.chainId && file.domain.registry === domain.registry;
      if (!isHere || !about.has(file.holder)) throw new InputError("it is about no author or group of these records");
      for (const { key, manifest } of file.records) {
        if (manifest.predicate["statement"] === undefined) continue;
        const { claim, why } = claimed(manifest, key, domain);
        if (holderName(domain, claim.group ? { group: claim.group } : { account: claim.account }) !== file.holder) {
          throw new InputError("it is a claim about another account or group");
        }
        const detail = `${claim.account} ${why ? "is said" : "signed"} to be ${identityTitle(claim)}; ${why ?? claim.unknown ?? "nobody was asked whether it is so"}`;
        yield { name: "identity", verdict: why || claim.unknown ? "unknown" : "pass", detail, claim };
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      yield { name: "identity", verdict: "fail", detail: `a claim is refused: ${error.message}` };
    }
  }
}

/** A claim, and why it is open whether it is forged: the code of an account takes what bytes it likes, so no form of a signature shows it. */
function claimed(manifest: Manifest, key: RecordKey, domain: Domain): { claim: IdentityClaim; why?: string } {
  try {
    return { claim: checkIdentityClaim(manifest, key, domain) };
  } catch (error) {
    if (!(error instanceof NotSigned)) throw error;
    return { claim: error.claim, why: `${error.message}: it is forged, unless its code took the signature (ERC-1271). Ask a node` };
  }
}

/** The receipts in a bundle, each read once. */
export class Witnesses {
  readonly #bundle: ProvenBundle;
  readonly #trusted: ReadonlySet<string>;
  readonly #tokens: ReadonlyMap<string, WitnessTime>;
  readonly #receipts = new Map<string, WitnessReceipt[]>();
  readonly #told = new Map<string, WitnessTime[]>();
  readonly #problems: string[] = [];

  constructor(bundle: ProvenBundle, trusted: ReadonlySet<string>, tokens: ReadonlyMap<string, WitnessTime>) {
    this.#bundle = bundle;
    this.#trusted = trusted;
    this.#tokens = tokens;
    for (const item of ofKind(bundle, "witness")) {
      try {
        const receipt = readReceiptOfWitness(item);
        const others = this.#receipts.get(receipt.subject);
        if (others) others.push(receipt);
        else this.#receipts.set(receipt.subject, [receipt]);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        this.#problems.push(error.message);
      }
    }
  }

  /** What is said of a text that witnesses stamp. */
  of(subject: string): WitnessTime[] {
    // once: each record of a bundle asks for those of each of its renewals
    const told = this.#told.get(subject) ?? (this.#receipts.get(subject) ?? []).flatMap((receipt) => judgeReceipt(receipt, this.#trusted, this.#tokens));
    this.#told.set(subject, told);
    return told;
  }

  *checks(): Generator<Check> {
    const { domain, records } = this.#bundle;
    const used = new Set<string>();
    for (const { id, batch } of records) {
      const root = batch && `eip155:${domain.chainId}:${domain.registry}/root/${batch.root}`;
      for (const subject of [globalId(domain, id), ...(root ? [root] : [])]) {
        used.add(subject);
        for (const time of this.of(subject)) yield { ...witnessCheck(time), record: id };
      }
    }
    // those of renewals are judged with them
    const others = [...this.#receipts].filter(([subject]) => !used.has(subject) && !subject.startsWith(ROOT_TEXT));
    const wrong = others.flatMap(([subject, receipts]) => receipts.map(() => `a receipt is of ${subject}, which is no record of the bundle`));
    for (const detail of [...wrong, ...this.#problems]) yield { name: "witness", verdict: "fail", detail };
  }
}

function witnessCheck(time: WitnessTime): Check {
  const { who, standing, detail, notAfter } = time;
  const verdict = standing === "verified" ? "pass" : standing === "refused" ? "fail" : "unknown";
  return { name: "witness", verdict, detail: `${notAfter === null ? standing : `not after ${when(notAfter)}`}: ${who}, ${detail}`, time };
}

/**
 * Compare the renewals in a bundle with its records.
 *
 * @param stands whether the blocks of the bundle stand: then the record of a renewal says when it was made.
 */
export function* checkRenewals(bundle: ProvenBundle, stands: boolean, witnesses: Witnesses): Generator<Check> {
  const ids = new Set<string>(bundle.records.map((record) => record.id));
  const renewals: Renewal[] = [];
  for (const item of ofKind(bundle, "renewal")) {
    try {
      const renewal = readRenewal(item);
      const isHere = renewal.domain.chainId === bundle.domain.chainId && renewal.domain.registry === bundle.domain.registry;
      if (!isHere || ![...renewal.renews].some((id) => ids.has(id))) throw new InputError("a renewal in the bundle is of none of its records");
      renewals.push(renewal);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      yield { name: "renewal", verdict: "fail", detail: error.message };
    }
  }
  const objects = new Map(bundle.records.flatMap(({ manifest }) => (manifest ? [[manifest.sha256, manifest.bytes] as const] : [])));
  const made = new Set<string>(renewals.map((renewal) => renewal.id));
  const stored = new Map<string, RecordStatus | null>(stands ? bundle.records.map((record) => [record.id, record.stored]) : []);
  for (const { id, key } of bundle.records) {
    if (made.has(id)) continue; // it is there to show when the renewal was
    for (const renewal of renewals.filter((it) => it.renews.has(id))) {
      const own = stored.get(renewal.id);
      const times = witnesses.of(renewal.rootText).flatMap((time) => (time.standing === "verified" ? [time.notAfter!] : []));
      if (own) times.push(own.recordedAt);
      const { same, different, leftOut } = compareRenewal(renewal, bundle.domain, key, objects);
      const retractedAt = own?.retractedAt ?? 0;
      const isWrong = different.length > 0 && !retractedAt;
      const told = retractedAt
        ? `it was retracted on ${when(retractedAt)}`
        : isWrong
          ? `another content has the same SHA-256 in it: ${different.slice(0, 5).join(", ")}`
          : `${same.length} compared, all the same${leftOut.length ? `; it leaves out ${leftOut.slice(0, 5).join(", ")}` : ""}`;
      // what another group says of a record's content decides nothing
      const isComplete = !different.length && !leftOut.length && !retractedAt && times.length > 0;
      const verdict = isWrong && renewal.key.group === key.group ? "fail" : isComplete ? "pass" : "unknown";
      const since = times.length ? `it was there by ${when(Math.min(...times))}` : "nothing here shows when it was there";
      yield { name: "renewal", verdict, detail: `by ${renewal.id}: ${told}; ${since}`, record: id, renewal: { id: renewal.id, times, same, different, leftOut, retractedAt } };
    }
  }
}
