"""Judges random bundles, manifests, keys and tokens by Python and by the TypeScript SDK, and shows where they differ.

`make fuzz` runs it; `python -m tools.differ --cases 100000` too. Each case is new, or one or more changes away from
something valid: a field, a byte, or a part that was forged with all hashes right. What differs is written to
`.build/differ/`, and ends the run with code 1. Rounds in which nothing differs are kept in tests/results, and count as
long as the code that judges is the same.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any

import rfc8785

from blockchaintracer import Trust
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.record import Domain, Kind, Link, RecordKey
from blockchaintracer.core.verify.bundle import BundleRefused
from blockchaintracer.extras.witness.authority_token import TrustedAuthority, read_certificates
from blockchaintracer.extras.witness.stamping import check_receipt
from blockchaintracer.extras.witness.witness_receipt import WitnessReceipt
from blockchaintracer.extras.witness.witness_settings import WitnessTrust
from tests.support.bundle_evidence import AUTHOR, MINED_HASH, told, with_evidence, with_mined
from tests.support.forged_bundles import SHAPES, TIME, Forged, blocks_of
from tests.support.mutations import random_change
from tools.npm import NODE, ROOT
from tools.results import Results, digest

SDK = ROOT / "packages" / "sdk"
DIFFERENT = ROOT / ".build" / "differ"
REGISTRY = "0x" + "12" * 20
Question = dict[str, Any]
Answer = str | dict[str, Any]
"""A digest, an id or how something is refused; of a bundle all that is said of it."""
ROUND = 1_000
"""Cases of a seed."""
_AT_ONCE = 100
"""Questions that wait for their answers: few enough that neither process fills a pipe that the other does not read."""


class Judge:
    """The SDK in one process of Node, which answers lines of JSON."""

    def __enter__(self) -> Judge:
        command = [NODE, SDK / "test" / "judge.js"]
        self._node = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._node.communicate()

    def ask(self, questions: list[Question]) -> Callable[[], list[Answer]]:
        """Ask and return what waits for the answers."""
        given, answered = self._node.stdin, self._node.stdout
        assert given is not None
        assert answered is not None
        given.write("".join(f"{json.dumps(question)}\n" for question in questions))
        given.flush()
        return lambda: [json.loads(answered.readline()) for _ in questions]


def judged(question: Question) -> Answer:
    """Return what Python says to a question."""
    try:
        if data := question.get("bundle"):
            trust = question["trust"]
            return told(base64.b64decode(data), trust_of(trust), trust.get("bitcoinBlocks", ()) if trust else ())
        if data := question.get("manifest"):
            return parse_manifest(base64.b64decode(data)).digest()
        if receipt := question.get("token"):
            authority = TrustedAuthority(read_certificates(question["roots"].encode(), "roots"))
            [time] = check_receipt(WitnessReceipt.from_json(receipt), WitnessTrust(authorities=(authority,)))
            return f"{time.standing}: {time.not_after or 0}"
        domain = Domain(int(question["domain"]["chainId"]), question["domain"]["registry"])
        return domain.record_id(RecordKey.from_json(question["key"]))
    except UnknownVersion:
        return "version"
    except BundleRefused as error:
        return f"refused: {error.code}"
    except InputError:
        return "refused"


def outcome_of(answer: Answer) -> str:
    """Return the word of an answer: how a bundle ends, or how something is refused, or `accepted`."""
    if isinstance(answer, dict):
        return str(answer["outcome"])
    return "accepted" if len(answer) > 60 else answer.split(":")[0]


def trust_of(given: dict[str, Any] | None) -> Trust | None:
    if given is None:
        return None
    chosen = {"chain_id": int(given.get("chainId", 0)), "registry": given.get("registry")}
    return Trust(**chosen, groups=tuple(given.get("groups", ())), blocks=tuple(given.get("blocks", ())))


def encoded(data: bytes) -> str:
    """Return bytes as a question has them."""
    return base64.b64encode(data).decode()


def written(plain: Any) -> bytes:
    """Return the RFC 8785 form; of what has none, any other."""
    try:
        return rfc8785.dumps(plain)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        return json.dumps(plain).encode()


class Cases:
    """Questions without end that follow from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._manifests = [
            json.loads(file.read_bytes()) for file in sorted((SDK / "test" / "manifests").glob("*.json"))
        ]
        self._bundles: list[bytes] = []
        self._small = Forged(manifest=False).data()
        self._mined = [rfc8785.dumps(plain) for plain in with_mined()]
        self._place = count()
        tokens = json.loads((ROOT / "conformance" / "rfc3161.json").read_text())["cases"]
        self._tokens = [case for case in tokens if case["roots"]]

    def __iter__(self) -> Iterator[Question]:
        makers = [self._new_bundle, self._changed_bundle, self._corrupted, self._manifest, self._key, self._token]
        while True:
            [make] = self._random.choices(makers, (2, 6, 4, 6, 2, 2))
            # what has no RFC 8785 form can't be hashed into a bundle
            with suppress(rfc8785.CanonicalizationError, UnicodeEncodeError):
                yield make()

    def _new_bundle(self) -> Question:
        random, shape = self._random, dict[str, Any]()
        if random.random() < 0.2:
            shape |= random.choice([*SHAPES.values()])
        shape |= {"chain_id": random.choice((1, 5, 77787, 2**64)), "count": random.randint(1, 4)}
        shape |= {"fields": random.choice((0, 1, 2, 5, 6, 8, random.randint(0, 8))), "later": random.randint(-1, 90)}
        shape |= {"time": TIME + random.randint(0, 10**9), "number": random.randint(1, 10**9)}
        shape |= {"author": AUTHOR if random.random() < 0.5 else f"0x{random.getrandbits(160):040x}"}
        shape |= {"manifest": random.random() < 0.7, "is_genuine": random.random() < 0.6}
        if random.random() < 0.4:
            shape |= {"batched": True, "cancelled": random.random() < 0.2, "batch_word": random.choice((0, 0, 1 << 96))}
        elif random.random() < 0.3:
            shape |= {"word": random.choice((1 << 40, 1 << 80, 1 << 160, 2 << 160, 1 << 168, random.getrandbits(256)))}
        elif random.random() < 0.3:
            shape |= {"of_manifest": lambda plain: random_change(plain, random)}
        elif random.random() < 0.3:
            links = {(random.choice((1, 2, 3)), random.randint(1, 9)) for _ in range(3)}
            shape |= {"parents": tuple(Link(f"0x{parent:064x}", relation) for parent, relation in sorted(links))}
            shape |= {"kind": random.choice((Kind.DATASET, Kind.MODEL, Kind.RUN))}
        with suppress(ValueError, OverflowError):  # a word of more than 256 bits
            plain = Forged(**shape).plain()
            data = rfc8785.dumps(with_evidence(plain) if shape["author"] == AUTHOR else plain)
            self._bundles = [*self._bundles[-40:], data]
            return self._of_bundle(data)
        return self._corrupted()

    def _of_bundle(self, data: bytes, origin: bytes | None = None) -> Question:
        random, whole = self._random, origin or data
        blocks, registry = [*blocks_of(whole)], json.loads(whole)["registry"]
        trusts: list[dict[str, Any] | None] = [None, {"blocks": blocks}, {"blocks": blocks[:1]}]
        trusts += [{"blocks": blocks, "registry": registry}, {"blocks": blocks, "groups": random.choice(([7], [8]))}]
        trusts += [{"blocks": blocks, "chainId": "1"}, {"blocks": blocks, "registry": registry, "chainId": "1"}]
        trust = random.choice(trusts)
        if trust and random.random() < 0.7:
            trust |= {"bitcoinBlocks": [MINED_HASH]}
        return {"bundle": encoded(data), "trust": trust}

    def _changed_bundle(self) -> Question:
        whole = self._random.choice([self._small, *self._mined, *self._bundles])
        plain = json.loads(whole)
        # evidence is most of a bundle that has some: the rest is as often changed
        if evidence := [*plain.keys() & {"identities", "renewals", "witnesses"}]:
            name = self._random.choice([*evidence, *plain])
            plain = plain | {name: random_change(plain[name], self._random)}
        else:
            for _ in range(self._random.choice((1, 1, 1, 2))):
                plain = random_change(plain, self._random)
        return self._of_bundle(written(plain), whole)

    def _corrupted(self) -> Question:
        """Change the next byte of the small bundle: after 255 rounds, each into every other."""
        data, turn = self._small, next(self._place)
        at, other = turn % len(data), 1 + turn // len(data) % 255
        return self._of_bundle(data[:at] + bytes([data[at] ^ other]) + data[at + 1 :], data)

    def _manifest(self) -> Question:
        random = self._random
        plain = random.choice(self._manifests)
        for _ in range(random.choice((1, 1, 2))):
            plain = random_change(plain, random)
        data = written(plain)
        if random.random() < 0.2:
            at = random.randrange(len(data))
            data = data[:at] + bytes([random.randrange(256)]) + data[at + random.randrange(2) :]
        return {"manifest": encoded(data)}

    def _key(self) -> Question:
        random = self._random
        links = [{"parent": f"0x{random.getrandbits(256):064x}", "relation": random.randint(0, 255)} for _ in range(3)]
        key = {"group": random.getrandbits(32), "author": f"0x{random.getrandbits(160):040x}", "parents": links}
        key |= {"subjectType": random.randint(0, 255), "subject": f"{random.getrandbits(256):064x}"}
        key |= {"kind": random.randint(0, 255), "manifest": f"{random.getrandbits(256):064x}"}
        domain = {"chainId": str(random.getrandbits(64)), "registry": f"0x{random.getrandbits(160):040x}"}
        return {"domain": domain, "key": random_change(key, random) if random.random() < 0.8 else key}

    def _token(self) -> Question:
        """Change a byte of a token, or put the end of another one in its place."""
        random = self._random
        case, other = random.choice(self._tokens), random.choice(self._tokens)
        data, more = (base64.b64decode(it["receipt"]["proof"]) for it in (case, other))
        at = random.randrange(len(data))
        if random.random() < 0.2:
            data = data[:at] + more[at:]
        else:
            byte = random.choice((data[at] ^ 1 << random.randrange(8), random.randrange(256)))
            data = data[:at] + bytes([byte]) * random.choice((0, 1, 1, 1, 2)) + data[at + 1 :]
        return {"token": case["receipt"] | {"proof": encoded(data)}, "roots": case["roots"]}


def agree(ours: Answer, theirs: Answer) -> bool:
    """Return whether two answers are one: of a token the SDK may say that it does not read it."""
    return theirs in (ours, "unknown: 0")


def _shown(answer: Answer, other: Answer) -> str:
    """Return what of an answer the other has not."""
    if isinstance(answer, str) or isinstance(other, str):
        return str(answer)[:300]
    return str({name: value for name, value in answer.items() if other.get(name) != value})[:1000]


def answers(cases: int, seed: int) -> Iterator[tuple[Question, Answer, Answer]]:
    """Yield questions with what Python and the SDK say."""
    with Judge() as judge:
        made = islice(Cases(seed), cases)
        while questions := [*islice(made, _AT_ONCE)]:
            theirs = judge.ask(questions)
            ours = [judged(question) for question in questions]
            yield from zip(questions, ours, theirs(), strict=True)


def code() -> str:
    """Return a digest of what judges, and of what makes the cases."""
    judging = ("core", "extras/identity", "extras/renewal", "extras/witness")
    folders = [ROOT / "blockchaintracer" / name for name in judging]
    files = [path for folder in folders for path in folder.rglob("*.py")] + [*(SDK / "src").glob("*.ts")]
    support = ROOT / "tests" / "support"
    files += [support / f"{name}.py" for name in ("bundle_evidence", "forged_bundles", "mutations")]
    files += [SDK / "test" / "judge.js", SDK / "test" / "told.js", ROOT / "conformance" / "rfc3161.json"]
    return digest([*files, Path(__file__)])


def play(seed: int, cases: int) -> Counter[str]:
    """Judge the cases of a seed, write and print what differs, and return how many ended how."""
    ends = Counter[str]()
    for number, (question, ours, theirs) in enumerate(answers(cases, seed)):
        [kind] = question.keys() & {"bundle", "manifest", "key", "token"}
        ends[f"{kind}: {outcome_of(ours)}"] += 1
        if agree(ours, theirs):
            continue
        ends["differ"] += 1
        DIFFERENT.mkdir(parents=True, exist_ok=True)
        (DIFFERENT / f"{seed}-{number}.json").write_text(json.dumps(question))
        told = f"Python says {_shown(ours, theirs)}, the SDK {_shown(theirs, ours)}"
        print(f"{kind} {seed}-{number}: {told}", flush=True)
    return ends


def main() -> int:
    """Play the rounds that were not played with today's code, and print how many cases ended how."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--known", action="store_true", help="only report what was played before")
    given = parser.parse_args()
    kept, of = Results("differ"), code()
    rounds = {f"round {seed:04}": seed for seed in range(1, -(-given.cases // ROUND) + 1)}
    played = kept.of_today(dict.fromkeys(rounds, of))
    for name, seed in rounds.items():
        if given.known or name in played:
            continue
        ends = play(seed, ROUND)
        if not ends["differ"]:
            kept.add(name, ends, of)
        played[name] = [ends]
        print(f"differ: {name}, {len(played)} of {len(rounds)} rounds", flush=True)
    total = sum((Counter(ends) for [ends] in played.values()), Counter[str]())
    different = total.pop("differ", 0)
    print(f"differ: {total.total():,} of {given.cases:,} cases, {different} differ: {dict(sorted(total.items()))}")
    return int(different > 0 or total.total() < given.cases)


if __name__ == "__main__":
    sys.exit(main())
