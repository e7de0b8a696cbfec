"""The reproducibility score of a run: what its record documents, item by item, and how strong the evidence is.

`gather_evidence.score` gathers the evidence, and `assess` judges it by the rubric, which is data.

>>> from blockchaintracer.extras.score.score_report import load_rubric
>>> sum(item.weight for item in load_rubric(1).items)
100
"""

from blockchaintracer.extras.score.score_report import Score as Score
