"""The reproducibility score of a run: what its record documents, item by item, and what evidence there is.

Nothing is looked up here: `operations.score` gathers a `Case`, and `assess` judges it by the rubric, which is data.

>>> from blockchaintracer.extras.score import load_rubric
>>> sum(item.weight for item in load_rubric(1).items)
100
"""

from blockchaintracer.extras.score.evidence import Case, Finding, Input, Needed, Said, Seen
from blockchaintracer.extras.score.rubric import Cap, Item, Rubric, load_rubric
from blockchaintracer.extras.score.score_report import LEVELS, CapApplied, Evidence, ItemScore, Score, assess

__all__ = [
    "LEVELS",
    "Cap",
    "CapApplied",
    "Case",
    "Evidence",
    "Finding",
    "Input",
    "Item",
    "ItemScore",
    "Needed",
    "Rubric",
    "Said",
    "Score",
    "Seen",
    "assess",
    "load_rubric",
]
