"""Tests of a model whose results CI records: pytest --record examples/ci"""

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score


def test_the_model_beats_chance(record_result):
    features, labels = load_iris(return_X_y=True)
    scores = cross_val_score(LogisticRegression(max_iter=1000), features, labels, cv=5)
    record_result("accuracy", scores.mean())
    record_result("accuracy_worst_fold", scores.min())
    assert scores.min() > 0.5
