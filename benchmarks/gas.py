"""What each operation costs beside EAS, Verax and Sign Protocol deployed in the same run, and beside what the protocol
alone charges for the same work.

    python -m benchmarks.gas             measure, compare with gas.json, exit 1 on drift or a missed target
    python -m benchmarks.gas --update    measure and rewrite gas.json

Gas comes from receipts of whole transactions (`benchmarks.chain`) and is the same in every run. gas.json holds
``{operation: {ours, eas, verax, floor, target}}``: gas for ``parent`` is that of each further parent, for ``batch_100``
that of one record of a hundred; null where a peer has no such operation; for peers the figure
with 128 bytes of content.
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
from benchmarks.chain import CODE_SIZE_LIMIT, HARDFORK, INITCODE_SIZE_LIMIT, ROOT, Chain
from benchmarks.peers import eas, sign, verax
from benchmarks.registry import Figure, Measured, measure
from blockchaintracer.errors import BlockchainTracerError

SNAPSHOT = ROOT / "benchmarks/gas.json"
TARGETS = {
    "record": 53_500,
    "parent": 4_500,
    "batch_100": 30_500,
    "by_sig": 61_500,
    "attest_reviewed": 56_500,
    "attest_reproduced": 62_500,
    "retract": 35_500,
}

T = TypeVar("T")
Snapshot = dict[str, dict[str, int | None]]


def on_fresh_chain(run: Callable[[Chain], T]) -> T:
    """Runs a measurement on a chain of its own: addresses, and so signatures and their zero bytes, depend on what was
    sent before."""
    with Chain() as chain:
        return run(chain)


def snapshot(ours: Measured, peers_eas: peers.Figures, peers_verax: peers.Figures) -> Snapshot:
    """The measurement as gas.json holds it."""
    return {
        name: {
            "ours": ours.operations[name].gas,
            "eas": peers_eas.get(name, [None])[0],
            "verax": peers_verax.get(name, [None])[0],
            "floor": ours.operations[name].floor,
            "target": target,
        }
        for name, target in TARGETS.items()
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
    return [name for name, figures in measured.items() if (figures["ours"] or 0) > (figures["target"] or 0)]


def table(ours: Measured, others: dict[str, peers.Figures]) -> Table:
    """The comparison for people; operations with a target first."""
    shown = Table(
        title=f"Gas of whole transactions ({HARDFORK})",
        caption="Peers: with 128 bytes of content / with a 32 byte commitment, without any check of roles. Floor: what "
        "the protocol charges for the calldata, logs and storage of this work.",
    )
    shown.add_column("operation")
    for column in ("ours", *others, "floor", "target"):
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("verdict", no_wrap=True)
    for name in [*TARGETS, *(name for name in ours.operations if name not in TARGETS)]:
        figure, target = ours.operations[name], TARGETS.get(name)
        shown.add_row(
            name,
            f"{figure.gas:,}",
            *(" / ".join(f"{gas:,}" for gas in other.get(name, [])) for other in others.values()),
            f"{figure.floor:,}",
            f"{target:,}" if target else "",
            _verdict(figure, target),
            end_section=name == [*TARGETS][-1],
        )
    return shown


def _verdict(figure: Figure, target: int | None) -> str:
    if target is None:
        return ""
    spare = target - figure.gas
    return f"[green]{spare:,} to spare[/]" if spare >= 0 else f"[red]missed by {-spare:,}[/]"


@click.command()
@click.option("--update", is_flag=True, help="Rewrite gas.json with what is measured.")
def main(update: bool) -> None:
    """Measure the gas of every operation beside that of other attestation contracts."""
    try:
        peers.install()
        ours = on_fresh_chain(measure)
        others = {
            name: on_fresh_chain(peer.measure) for name, peer in {"EAS": eas, "Verax": verax, "Sign": sign}.items()
        }
    except BlockchainTracerError as error:
        click.echo(error, err=True)
        sys.exit(error.exit_code)

    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table(ours, others))
    console.print(
        f"Deploying a registry: {ours.deployment:,} gas. Code: {ours.code:,} of {CODE_SIZE_LIMIT:,} bytes (EIP-170), "
        f"creation code: {ours.initcode:,} of {INITCODE_SIZE_LIMIT:,} bytes (EIP-3860).",
        highlight=False,
    )
    measured = snapshot(ours, others["EAS"], others["Verax"])
    problems = [f"{name} costs more than its target" for name in missed(measured)]
    if not ours.fits:
        problems.append("The registry is larger than a contract may be")
    if update:
        SNAPSHOT.write_text(json.dumps(measured, indent=2) + "\n")
        console.print(f"Wrote {SNAPSHOT.relative_to(ROOT)}.", highlight=False)
    else:
        committed = json.loads(SNAPSHOT.read_text()) if SNAPSHOT.exists() else {}
        moved = drift(measured, committed, ("ours", "eas", "verax", "floor", "target"))
        problems += [*moved, "If that is meant: python -m benchmarks.gas --update"] if moved else []
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
