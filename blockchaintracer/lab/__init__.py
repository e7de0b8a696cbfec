"""Who records: folder, keys, store, outbox, devnet, capture, recording, batches, seals, groups and publishing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blockchaintracer.lab.drafts import Recorded
    from blockchaintracer.lab.lab import Lab

if sys.platform == "win32":
    raise ImportError("the lab needs Unix, whose file locks it takes: use WSL 2 (docs/platforms.md)")

after_run: list[Callable[[Lab, str], Recorded | None]] = []
"""What is made of a run once it is recorded, given its id. The lab names no extra: the package's top level adds it."""
