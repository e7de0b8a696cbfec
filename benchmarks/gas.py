"""What each operation costs beside EAS, Verax and Sign Protocol deployed in the same run, and beside what the protocol
alone charges for the same work.

    python -m benchmarks.gas             measure, compare with gas.json, exit 1 on drift or a missed target
    python -m benchmarks.gas --update    measure and rewrite gas.json and the table in docs/gas.md

Gas comes from receipts of whole transactions (`benchmarks.chain`) and is the same in every run. gas.json names its
``fork``; ``figures`` holds ``{operation: {ours, eas, verax, floor, target}}``, and ``repriced`` ``{operation: {ours,
eas}}`` under the announced price of a new slot. Gas for ``parent`` is that of each further parent, for ``batch_100``
and ``leaves_1024`` that of one record of a hundred or 1,024, for ``verify_leaf_20``, ``lineage_10`` and each of the ids
of ``lens_100`` what their code uses when a contract asks; for peers the figure with 128 bytes of content. null: the
peer has no such operation or was not compared, or there is no target. What deploying costs is printed only: a comment
in a contract moves it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table

from benchmarks import peers
from benchmarks.chain import (
    CODE_SIZE_LIMIT,
    HARDFORK,
    INITCODE_SIZE_LIMIT,
    ROOT,
    SLOT_BYTES,
    SLOT_SET,
    SLOT_SET_REPRICED,
    STATE_BYTE,
    Chain,
)
from benchmarks.peers import eas, leaves, sign, verax
from benchmarks.registry import MILLION, SIZES, Measured, measure
from blockchaintracer.core.errors import BlockchainTracerError

SNAPSHOT = ROOT / "benchmarks/gas.json"
DOCUMENT = ROOT / "docs/gas.md"
COLUMNS = ("ours", "eas", "verax", "floor", "target")
TARGETS = {
    "record": 53_590,
    "parent": 4_250,
    "batch_100": 30_290,
    # 31 of it for a call of a function that four operations share
    "by_sig": 59_000,
    # the next, seal, retract and materialize: 22 for each function that sorts before theirs, by natural names and the
    # order of arguments; attest has 32, retract 24, seal 38, materialize 39 (docs/decisions/0003)
    "attest_reviewed": 56_350,
    "attest_reproduced": 62_580,
    # 2,100 of it for one cold read: a retracted Reference is refused
    "attest_foreign_reproduced": 88_900,
    "seal": 49_200,
    "anchor_root": 50_550,
    "leaves_1024": 1_312,
    "retract": 35_400,
    "verify_leaf_20": 6_450,
    # 8 of it: a batch that was ended is refused
    "materialize_20": 70_110,
    "lineage_10": 46_000,
}
PEERS = {"EAS": eas, "Verax": verax, "Sign": sign}
BY_SIZE = ("batch", "leaves", "anchor")
VIEWS = ("verify_leaf_20", "lineage_10", "lens_100")
"""What writes nothing."""

T = TypeVar("T")
Snapshot = dict[str, dict[str, int | None]]


def on_fresh_chain(run: Callable[[Chain], T], *, repriced: bool = False) -> T:
    """Runs a measurement on a chain of its own: addresses, and so signatures and their zero bytes, depend on what was
    sent before."""
    with Chain(repriced=repriced) as chain:
        return run(chain)


def repricing(ours: Measured, peers_eas: peers.Figures) -> Snapshot:
    """Each operation and EAS's as measured on a repriced chain."""
    return {
        name: {"ours": figure.gas, "eas": peers_eas.get(name, [None])[0]}
        for name, figure in ours.operations.items()
        if name not in VIEWS
    }


def snapshot(
    ours: Measured, peers_eas: peers.Figures, peers_verax: peers.Figures, libraries: peers.Figures
) -> Snapshot:
    """The measurement as gas.json holds it: operations with a target first.

    Args:
        libraries: the floor of what Solady does nothing else than, its figure first.
    """
    return {
        name: {
            "ours": ours.operations[name].gas,
            "eas": peers_eas.get(name, [None])[0],
            "verax": peers_verax.get(name, [None])[0],
            "floor": libraries.get(name, [ours.operations[name].floor])[0],
            "target": TARGETS.get(name),
        }
        for name in sorted(ours.operations, key=lambda name: [*TARGETS, name].index(name))
    }


def drift(measured: Snapshot, committed: Snapshot, columns: Sequence[str]) -> list[str]:
    """What differs between a measurement and the committed one, one line a figure."""
    return [
        f"{name} {column}: {before} committed, {now} measured"
        for name in sorted(measured.keys() | committed.keys())
        for column in columns
        for before, now in [(committed.get(name, {}).get(column), measured.get(name, {}).get(column))]
        if before != now
    ]


def missed(measured: Snapshot) -> list[str]:
    """The operations that cost more than their target."""
    return [
        f"{name} costs {ours:,}, {ours - target:,} more than its target"
        for name, figures in measured.items()
        if (target := figures["target"]) is not None and (ours := figures["ours"] or 0) > target
    ]


def document(text: str, measured: Snapshot, repriced: Snapshot) -> str:
    """The text of docs/gas.md with its last two tables, those of the figures, as measured."""
    rows = [
        f"| `{name}` | "
        + " | ".join("" if figures[column] is None else f"{figures[column]:,}" for column in COLUMNS)
        + " |"
        for name, figures in measured.items()
    ]
    head = "| operation | ours | EAS | Verax | floor | target |\n|---|---|---|---|---|---|\n"
    dear = [
        f"| `{name}` | {figures['ours']:,} | {'' if figures['eas'] is None else format(figures['eas'], ',')} |"
        for name, figures in repriced.items()
        if name in TARGETS
    ]
    second = "| repriced operation | ours | EAS |\n|---|---|---|\n"
    start = text[: text.index("| operation |")] + head + "\n".join(rows) + "\n"
    between = text[text.index("\n## Figures after the announced repricing") : text.index("| repriced operation |")]
    return start + between + second + "\n".join(dear) + "\n"


def table(measured: Snapshot, others: dict[str, peers.Figures]) -> Table:
    """The comparison for people; operations with a target first; what `by_size` shows is left out."""
    shown = Table(
        title=f"Gas of whole transactions ({HARDFORK})",
        caption="Peers: with 128 bytes of content / with a 32 byte commitment, without any check of roles; none: no "
        "such operation. Floor: what the protocol charges for the calldata, logs and storage of this work. "
        "verify_leaf_20, lineage_10 and lens_100: what their code uses when a contract asks, storage cold; floor of "
        "the first: Solady's MerkleProofLib in a contract that does nothing else.",
    )
    shown.add_column("operation", no_wrap=True)
    for column in ("ours", *others, "floor", "target"):
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("verdict", no_wrap=True)
    for name, figures in measured.items():
        if name not in TARGETS and name.partition("_")[0] in BY_SIZE:
            continue
        ours, target = figures["ours"] or 0, figures["target"]
        shown.add_row(
            name,
            f"{ours:,}",
            *(_peer(other.get(name), "none" if target else "") for other in others.values()),
            f"{figures['floor']:,}",
            f"{target:,}" if target else "",
            _verdict(ours, target),
            end_section=name == [*TARGETS][-1],
        )
    return shown


def repriced_table(repriced: Snapshot, measured: Snapshot) -> Table:
    """The comparison under the announced price of a new slot."""
    shown = Table(
        title=f"The same if a new slot has its announced price ({STATE_BYTE:,} gas a byte, {SLOT_BYTES} bytes a slot)",
        caption=f"Measured under {HARDFORK}, with {SLOT_SET_REPRICED:,} in place of {SLOT_SET:,} for each slot that a "
        "transaction fills from zero. Nothing else of the repricing is counted.",
    )
    for title in ("operation", "ours", "times today", "EAS", "times ours"):
        shown.add_column(title, justify="left" if title == "operation" else "right", no_wrap=True)
    for name, figures in repriced.items():
        if name not in TARGETS and name.partition("_")[0] in BY_SIZE:
            continue
        ours, eas, today = figures["ours"] or 0, figures["eas"], measured[name]["ours"] or 1
        peer = ("none", "") if eas is None else (f"{eas:,}", f"{eas / ours:.1f}")
        shown.add_row(name, f"{ours:,}", f"{ours / today:.1f}", *peer)
    return shown


def by_size(ours: Measured, others: dict[str, peers.Figures]) -> Table:
    """Gas of one record by how many are recorded at once, and of a root, which is the same for all."""
    shown = Table(
        title="Gas a record, by how many at once",
        caption="Stored: every record has its slot (peers with 128 bytes of content). Leaves: 32 bytes of calldata a "
        "record (EAS: timestamps; Sign: off-chain attestations; both take a slot each). Root: all of it, however many. "
        "Largest: as many as one transaction takes in gas (EIP-7825) and in geth's pool (128 KiB), ours stored by gas "
        "alone. 1,024 are sent in as few transactions as it takes.",
    )
    shown.add_column("records", justify="right")
    stored, leaves_ = others, {name: other for name, other in others.items() if "leaves_1" in other}
    for title in ("stored: ours", *stored, "leaves: ours", *leaves_, "root"):
        shown.add_column(title, justify="right", no_wrap=True)

    def cells(kind: str, size: int | str, peers_: dict[str, peers.Figures]) -> list[str]:
        largest = size == "largest"
        name = f"{kind}_{size}"
        own = f"{ours.operations[name].gas:,}" + (f" x {ours.most[name]:,}" if largest else "")
        return [own] + [
            f"{other[name][0]:,}" + (f" x {other[f'{kind}_most'][0]:,}" if largest else "") for other in peers_.values()
        ]

    for size in (*SIZES, "largest"):
        shown.add_row(
            f"{size:,}" if isinstance(size, int) else size,
            *cells("batch", size, stored),
            *cells("leaves", size, leaves_),
            f"{ours.operations[f'anchor_{size}'].gas:,}" if isinstance(size, int) else "no end",
        )
    blank = [""] * (2 + len(stored) + len(leaves_))
    shown.add_row(f"{MILLION:,}", *blank, f"{ours.operations[f'anchor_{MILLION}'].gas:,}")
    return shown


def _peer(figures: list[int] | None, missing: str) -> str:
    return f"[dim]{missing}[/]" if figures is None else " / ".join(f"{gas:,}" for gas in figures)


def _verdict(gas: int, target: int | None) -> str:
    if target is None:
        return ""
    spare = target - gas
    return f"[green]{spare:,} to spare[/]" if spare >= 0 else f"[red]missed by {-spare:,}[/]"


@click.command()
@click.option("--update", is_flag=True, help="Rewrite gas.json and docs/gas.md with what is measured.")
def main(update: bool) -> None:
    """Measure the gas of every operation beside that of other attestation contracts."""
    try:
        peers.install()
        ours = on_fresh_chain(measure)
        others = {name: on_fresh_chain(peer.measure) for name, peer in PEERS.items()}
        libraries = on_fresh_chain(leaves.measure)
    except BlockchainTracerError as error:
        click.echo(error, err=True)
        sys.exit(error.exit_code)

    measured = snapshot(ours, others["EAS"], others["Verax"], libraries)
    dear = repricing(on_fresh_chain(measure, repriced=True), on_fresh_chain(eas.measure, repriced=True))
    dear = {name: dear[name] for name in measured if name in dear}
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(table(measured, others))
    console.print(repriced_table(dear, measured))
    console.print(by_size(ours, others))
    solady, openzeppelin = libraries["verify_leaf_20"]
    deployments = ", ".join(f"{name} {gas:,}" for name, gas in ours.deployments.items())
    console.print(
        f"Verifying a leaf at depth 20 by itself: Solady {solady:,}, OpenZeppelin {openzeppelin:,}.\n"
        f"geth's pool takes {ours.most['batch_pool']:,} stored records a transaction.\n"
        f"Deploying: {deployments} gas. Code of a registry: {ours.code:,} of {CODE_SIZE_LIMIT:,} bytes (EIP-170), "
        f"creation code: {ours.initcode:,} of {INITCODE_SIZE_LIMIT:,} bytes (EIP-3860).",
        highlight=False,
    )
    problems = missed(measured)
    if not ours.fits:
        problems.append("The registry is larger than a contract may be")
    if update:
        whole = {"fork": HARDFORK, "figures": measured, "repriced": dear}
        SNAPSHOT.write_text(json.dumps(whole, indent=2) + "\n")
        DOCUMENT.write_text(document(DOCUMENT.read_text(), measured, dear))
        console.print(f"Wrote {SNAPSHOT.relative_to(ROOT)} and {DOCUMENT.relative_to(ROOT)}.", highlight=False)
    else:
        committed = json.loads(SNAPSHOT.read_text())
        moved = drift(measured, committed["figures"], COLUMNS) + drift(dear, committed["repriced"], ("ours", "eas"))
        problems += [*moved, "If that is meant: python -m benchmarks.gas --update"] if moved else []
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
