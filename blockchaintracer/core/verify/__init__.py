"""Checks what a registry says of records, files and transactions against what can be recomputed. Writes nothing."""

from blockchaintracer.core.verify.outcomes import Check as Check
from blockchaintracer.core.verify.outcomes import Outcome as Outcome
from blockchaintracer.core.verify.outcomes import Report as Report
