"""Fixes a search's threshold before the data are looked at, and shows it afterwards: python examples/seal/analysis.py

Needs a registry and a group: blockchaintracer deploy --open; blockchaintracer group create "My lab"
"""

import json
import random
from pathlib import Path

from blockchaintracer import MLTracer

plan = Path("plan.json")
plan.write_text(json.dumps({"statistic": "largest of 1000 samples", "threshold": 4.0}) + "\n")
tracer = MLTracer()
seal = tracer.seal(plan, kind="plan", name="search with a threshold of 4")
print(f"sealed    {seal.commitment}")

# only now does anybody look
random.seed(20150914)
loudest = max(random.gauss(0, 1) for _ in range(1000))
found = loudest > json.loads(plan.read_text())["threshold"]

shown = tracer.reveal(seal.commitment)
print(f"revealed  {shown.record_id}, fixed {shown.revealed_at - shown.sealed_at} s before it was shown")
print(f"seals     {shown.seals} by {shown.author} for group {shown.group}, {shown.unrevealed} unrevealed")
print(f"result    {loudest:.2f}: {'a candidate' if found else 'nothing'}")
