"""What is to be written to a chain, and has been: a journal that any later process can carry on."""

from blockchaintracer.outbox.journal import Entry, Outbox, State
from blockchaintracer.outbox.writes import (
    Attest,
    CreateGroup,
    Deploy,
    JoinGroup,
    Record,
    RemoveMember,
    Retract,
    Withdraw,
    Write,
)

__all__ = [
    "Attest",
    "CreateGroup",
    "Deploy",
    "Entry",
    "JoinGroup",
    "Outbox",
    "Record",
    "RemoveMember",
    "Retract",
    "State",
    "Withdraw",
    "Write",
]
