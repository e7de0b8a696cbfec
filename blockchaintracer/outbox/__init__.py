"""What is to be written to a chain, and has been: a journal that any later process can carry on."""

from blockchaintracer.outbox.journal import Entry, Outbox, State
from blockchaintracer.outbox.writes import (
    Anchor,
    AnchorLeaves,
    Attest,
    AttestForeign,
    CreateGroup,
    Deploy,
    JoinGroup,
    Materialize,
    Record,
    RemoveMember,
    Retract,
    Reveal,
    RevealVerdict,
    Seal,
    Withdraw,
    Write,
)

__all__ = [
    "Anchor",
    "AnchorLeaves",
    "Attest",
    "AttestForeign",
    "CreateGroup",
    "Deploy",
    "Entry",
    "JoinGroup",
    "Materialize",
    "Outbox",
    "Record",
    "RemoveMember",
    "Retract",
    "Reveal",
    "RevealVerdict",
    "Seal",
    "State",
    "Withdraw",
    "Write",
]
