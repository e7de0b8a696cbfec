"""`verify --from FOLDER --trust-block HASH`: no node is asked, and no home of the user is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from blockchaintracer.cli.render import progress_bar
from blockchaintracer.cli.shown_times import witnessed_by
from blockchaintracer.cli.used_extras import extra
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.trust import Trust, read_checkpoints
from blockchaintracer.core.verify import Report
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home


def verified_offline(
    ctx: click.Context, target: str, sources: Sequence[str], options: dict[str, Any]
) -> tuple[Report, dict[str, Any], Lab]:
    """Verify a record, a file or a folder by archives and published stores alone. Returns the report, what stands
    beside its checks, and a lab whose chain is never asked."""
    if not sources:
        raise InputError(
            "expected a folder to verify from beside the blocks that you trust, got none",
            hint="Name an archive or a published folder: --from FOLDER. A proof bundle is given by --proof FILE.",
        )
    offline, judge = extra("archive", "offline"), extra("renewal", "judge")
    broken, date = judge.parse_broken(options["broken"]), options["as_of"]
    time = extra("renewal", "as_of").read_date(date) if date else None
    trust = Trust(
        network=options.get("network"),
        chain_id=options.get("chain_id") or 0,
        registry=options.get("registry"),
        groups=() if options["of_group"] is None else (options["of_group"],),
        blocks=options["trusted_blocks"],
        checkpoints=read_checkpoints(options["checkpoints"]) if options["checkpoints"] else (),
    )
    domain = offline.domain_of(target, sources, trust)
    with progress_bar("hashing", [path for path in (Path(target),) if path.exists()]) as progress:
        report, files = offline.verify_offline(domain, target, sources, trust, path=options["path"], progress=progress)
    home = ctx.with_resource(TemporaryDirectory(prefix="blockchaintracer-"))
    lab = Lab(Home(home), registry_address=domain.registry).without_chain(domain.chain_id)
    renewing = extra("renewal", "verify_renewals")
    evidence = {file.id: judge.Evidence.of_file(file) for file in files}
    standing = offline.standing_of(domain, sources, trust)

    def known(renewal: Any) -> Any:
        if (found := standing(renewal.id)) is None:
            return None
        stored_at, block, file = found
        return judge.Standing(stored_at, 0, block, judge.Evidence.of_file(file).leaves())

    report, renewals = renewing.with_renewals(
        report,
        domain,
        renewing.folders_of(sources),
        offline.copies_of(sources, progress),
        known,
        renewing.Question(broken, time, witnessed_by(lab, sources, options)),
        evidence,
    )
    more: dict[str, Any] = {"renewals": renewals} if renewals else {}
    if time is not None:
        report, more["asOf"] = offline.as_of(report, time), time
    return report, more, lab
