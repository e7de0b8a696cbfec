"""Checks what a registry says of records, files and transactions against what can be recomputed. Writes nothing."""

from blockchaintracer.core.verify.outcomes import Check, Outcome, Report
from blockchaintracer.core.verify.verifier import Verifier

__all__ = ["Check", "Outcome", "Report", "Verifier"]
