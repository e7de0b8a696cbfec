"""Verifies a record without the lab's folder or keys: python examples/verify/check_record.py ID REGISTRY NODE PUBLISHED

PUBLISHED is the folder that `blockchaintracer publish ID --to PUBLISHED` made.
"""

import sys

from blockchaintracer import Trust, verify

record, registry, node, published = sys.argv[1:]
trust = Trust(registry=registry, network="devnet", rpc=node, groups=(1,))  # yours to choose, not the author's
report = verify(record, trust, copies=published)
for check in report.checks:
    print(f"{check.verdict:8} {check.name:12} {check.detail}")
print(*report.proves, *report.does_not_prove, sep="\n")
sys.exit(0 if report.verified else 1)
