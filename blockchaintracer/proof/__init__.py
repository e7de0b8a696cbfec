"""Proof bundles: one file that proves records to somebody who has nothing else (docs/proof-bundle.md).

>>> proven = verify_bundle(open("record.proof", "rb").read())               # doctest: +SKIP
>>> proven.records[0].id, proven.blocks[0].hash                             # doctest: +SKIP
"""

from blockchaintracer.proof.exporter import export_bundle
from blockchaintracer.proof.verifier import BundleRefused, ProvenBundle, ProvenRecord, verify_bundle

__all__ = ["BundleRefused", "ProvenBundle", "ProvenRecord", "export_bundle", "verify_bundle"]
