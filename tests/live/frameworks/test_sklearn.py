"""scikit-learn's own estimators and pipelines."""

import hashlib
import io
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.frameworks.sklearn import describe, digest_fitted, log_estimator

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


def fitted(make, y=Y):
    return digest_fitted(make().fit(X, y)).sha256


DEFINED = {
    "logistic": LogisticRegression,
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "tree": lambda: DecisionTreeClassifier(random_state=0),
    "forest": lambda: RandomForestClassifier(3, random_state=0),
    "svc": SVC,
    "kmeans": lambda: KMeans(2, random_state=0, n_init=1),
}


@pytest.mark.parametrize("name", DEFINED)
def test_the_same_fit_has_the_same_digest_and_another_has_another(name):
    make = DEFINED[name]
    digest = fitted(make)
    assert fitted(make) == digest
    file = io.BytesIO()
    joblib.dump(make().fit(X, Y), file)
    file.seek(0)
    assert digest_fitted(joblib.load(file)).sha256 == digest
    assert digest_fitted(make().fit(X * 1.7 + 0.1, Y)).sha256 != digest


def test_a_split_of_one_tree_of_a_forest_counts():
    model = RandomForestClassifier(3, random_state=0).fit(X, Y)
    before = digest_fitted(model).sha256
    model.estimators_[2].tree_.threshold[0] += 1e-9
    assert digest_fitted(model).sha256 != before


def test_columns_categories_and_functions():
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(Y, "x", "y")})

    def make():
        columns = ColumnTransformer([("n", StandardScaler(), ["a"]), ("c", OneHotEncoder(), ["b"])])
        return Pipeline(
            [("columns", columns), ("same", FunctionTransformer(np.asarray)), ("fit", LogisticRegression())]
        )

    model = make().fit(frame, Y)
    assert digest_fitted(model).sha256 == digest_fitted(make().fit(frame, Y)).sha256
    renamed = make().fit(frame.assign(b=frame["b"].replace("x", "z")), Y)
    assert digest_fitted(model).sha256 != digest_fitted(renamed).sha256
    told = describe(model)
    assert told["class"] == "sklearn.pipeline.Pipeline"
    [_, inner] = told["parameters"]["steps"][0]
    assert inner["parameters"]["transformers"][0][1]["class"].endswith("StandardScaler")
    assert told["parameters"]["steps"][1][1]["parameters"]["func"] == "numpy.asarray"
    assert "0x" not in str(told)


def test_parameters_that_are_arrays_are_told_by_digest():
    one = describe(KMeans(2, init=X[:2]))["parameters"]["init"]
    assert one["shape"] == [2, 3]
    assert one != describe(KMeans(2, init=X[1:3]))["parameters"]["init"]
    assert describe(LogisticRegression(C=float("inf")))["parameters"]["C"] == "inf"


def test_what_is_not_fitted_or_no_estimator_is_refused():
    for estimator in (LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())):
        with pytest.raises(InputError, match="fitted"):
            digest_fitted(estimator)
    with pytest.raises(InputError, match="expected one of scikit-learn"):
        describe(object())


def test_a_pipeline_in_a_run(traced):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(X, Y)
    with traced.tracer.start_run("fit") as run:
        digest = log_estimator(run, model)
    said, outputs = traced.said(run), traced.outputs(run)
    assert said.parameters["model"]["parameters"]["steps"][1][1]["parameters"]["C"] == 0.5
    assert hashlib.sha256(outputs["model.state.json"][1]).hexdigest() == digest.sha256
    role, file = outputs["model.joblib"]
    assert role == "model"
    assert digest_fitted(joblib.load(io.BytesIO(file))).sha256 == digest.sha256
    assert traced.lab.registry.find_subject(hashlib.sha256(file).hexdigest())


@pytest.mark.parametrize(
    "make",
    [
        lambda: GradientBoostingClassifier(n_estimators=2, random_state=0),
        lambda: HistGradientBoostingClassifier(max_iter=2, random_state=0),
        KNeighborsClassifier,
    ],
)
def test_ensembles_and_neighbours_have_a_state(make):
    assert digest_fitted(make().fit(X, Y)).sha256 == digest_fitted(make().fit(X, Y)).sha256


class Odd(BaseEstimator):
    """An estimator whose state is an object of no known kind."""

    def fit(self, *_):
        self.inner_ = Path("model")
        return self


def test_without_a_defined_state_the_file_alone_is_recorded(traced):
    with traced.tracer.start_run("fit") as run:
        assert log_estimator(run, Odd().fit(X, Y)) is None
    assert "state." in traced.said(run).parameters["model.stateNotDigested"]
    assert [*traced.outputs(run)] == ["model.joblib"]
