"""Recordings of a descent against the fit itself."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd.inspection import DescentDisplay, FitDisplay, LearningRateDisplay
from sklearn_gd.inspection._recording import (
    Recording,
    fit_quietly,
    like,
    split,
    spread_out,
)

X = np.random.default_rng(0).normal(size=(30, 2))
Y = X[:, 0] + 0.1 * np.sin(X[:, 1])
NET = FeedForwardRegressor(hidden_layer_sizes=(3,), max_iter=4, tol=None, random_state=0)


def test_a_recording_has_the_start_and_every_epoch():
    recording = Recording.of(NET, X, Y)
    assert len(recording.layers) == 5
    fitted = NET.set_params(max_iter=4).fit(X, Y)
    assert_allclose(recording.predict(4, X)[:, 0], fitted.predict(X))
    assert not hasattr(fitted, "_skl_callbacks") or not fitted._skl_callbacks


def test_what_stands_before_the_model_is_applied():
    pipe = make_pipeline(StandardScaler(), ThroughOriginRegressor()).fit(X, Y)
    before, model = split(pipe)
    assert model is pipe[-1]
    recording = Recording.of_fitted(pipe, X, Y)
    assert_allclose(recording.predict(0, X)[:, 0], pipe.predict(X))
    assert before is not None
    assert split(ThroughOriginRegressor())[0] is None


def test_a_fit_that_diverges_is_said_to():
    assert fit_quietly(ThroughOriginRegressor(max_iter=1), X, Y, None)  # without a warning
    assert not fit_quietly(ThroughOriginRegressor(solver="gd", learning_rate=1e9), X, Y, None)


@pytest.mark.parametrize(("n_steps", "many"), [(3, 10), (1000, 20), (50, 49)])
def test_steps_are_spread_out(n_steps, many):
    chosen = spread_out(n_steps, many)
    assert len(chosen) <= many
    assert chosen == sorted(set(chosen))
    assert (chosen[0], chosen[-1]) == (0, n_steps - 1)
    gaps = np.diff(chosen)
    assert gaps[0] == 1
    assert gaps[-1] >= gaps[0]


def test_values_are_like_the_rows():
    frame = pd.DataFrame(X, columns=["a", "b"])
    assert list(like(frame, X).columns) == ["a", "b"]
    assert like(X, X) is X


@pytest.mark.parametrize("standardize", ["robust", "standard"])
def test_columns_in_a_scale_go_through_it(standardize):
    far = X * [1.0, 1e4] + [5.0, 1e6]
    net = clone(NET).set_params(standardize=standardize, max_iter=4)
    recording, fitted = Recording.of(net, far, 1e3 * Y), clone(net).fit(far, 1e3 * Y)
    assert_allclose(recording.predict(4, far)[:, 0], fitted.predict(far))
    assert_allclose(recording.predict(0, far)[:, 0], np.mean(1e3 * Y))
    assert_allclose(recording.loss(recording.path([4])[0]), fitted.loss_)
    assert_allclose(
        Recording.of_fitted(fitted, far, 1e3 * Y).predict(0, far), recording.predict(4, far)
    )
    pipe = make_pipeline(StandardScaler(), clone(net)).fit(far, Y)
    assert_allclose(Recording.of_fitted(pipe, far, Y).predict(0, far)[:, 0], pipe.predict(far))


def test_sparse_rows_go_through_the_scale():
    rows = sparse.csr_array(np.where(X > 0, 1e4 * X, 0.0))
    net = clone(NET).set_params(standardize="robust")
    recording, fitted = Recording.of(net, rows, Y), clone(net).fit(rows, Y)
    assert_allclose(recording.loss(recording.path([4])[0]), fitted.loss_)


def test_a_fit_in_a_scale_that_diverges_is_recorded():
    net = clone(NET).set_params(standardize="robust", solver="gd", learning_rate=1e200)
    recording = Recording.of(net, X * 1e5, Y)
    assert recording.diverged
    assert_allclose(recording.predict(0, X * 1e5)[:, 0], np.mean(Y))


LABELS = np.digitize(X[:, 0], [-0.5, 0.5])
KINDS = {
    "classes": LABELS,
    "two classes": np.array(["no", "yes"])[(LABELS > 0).astype(int)],
    "indicators": np.column_stack([LABELS > 0, X[:, 1] > 0]).astype(int),
}


@pytest.mark.parametrize(
    ("kind", "class_weight"),
    [*((kind, None) for kind in KINDS), ("classes", "balanced"), ("two classes", "balanced")],
)
@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
def test_a_network_that_classifies_is_recorded(kind, loss, class_weight):
    weights = 1.0 + np.arange(len(X)) % 3
    net = FeedForwardClassifier(
        hidden_layer_sizes=(3,), loss=loss, class_weight=class_weight, max_iter=4, tol=None,
        random_state=0,
    )  # fmt: skip
    recording = Recording.of(net, X, KINDS[kind], weights)
    fitted = net.fit(X, KINDS[kind], sample_weight=weights)
    assert_allclose(recording.loss(recording.path([4])[0]), fitted.loss_)
    p, outputs = fitted.predict_proba(X), recording.predict(4, X)
    if loss == "squared_error" and kind == "classes":
        outputs = outputs / outputs.sum(axis=1, keepdims=True)
    assert_allclose(outputs, p[:, 1:] if kind == "two classes" else p)
    again = Recording.of_fitted(fitted, X, KINDS[kind], weights)
    assert_allclose(again.loss(again.path([0])[0]), fitted.loss_)


def test_a_column_of_labels_is_recorded_as_a_vector_is():
    net = FeedForwardClassifier(hidden_layer_sizes=(3,), max_iter=2, tol=None).fit(X, LABELS)
    one, other = (Recording.of_fitted(net, X, y) for y in (LABELS, LABELS[:, None]))
    np.testing.assert_array_equal(one.Y, other.Y)


@pytest.mark.parametrize("kind", ["classes", "two classes"])
def test_logistic_neurons_are_recorded(kind):
    neuron = PerceptronClassifier(activation="sigmoid", loss="log_loss", max_iter=4, tol=None)
    recording = Recording.of(neuron, X, KINDS[kind])
    assert_allclose(recording.loss(recording.path([4])[0]), neuron.fit(X, KINDS[kind]).loss_)


def test_a_loss_of_counts_is_recorded():
    net = clone(NET).set_params(loss="poisson", max_iter=4)
    recording = Recording.of(net, X, LABELS)
    assert_allclose(recording.loss(recording.path([4])[0]), net.fit(X, LABELS).loss_)
    assert_allclose(recording.predict(4, X)[:, 0], net.predict(X))


@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier_that_diverges_is_recorded(kind):
    net = FeedForwardClassifier(
        hidden_layer_sizes=(3,), activation="relu", solver="gd", learning_rate=1e200
    )
    recording = Recording.of(net, X, KINDS[kind])
    assert recording.diverged
    assert np.isfinite(recording.loss(recording.path([0])[0]))


def test_labels_that_do_not_fit_the_classifier_are_refused():
    net = FeedForwardClassifier(hidden_layer_sizes=(3,), max_iter=1, tol=None)
    with pytest.raises(ValueError, match=r"y has labels \[7\] that are none of the classes"):
        Recording.of_fitted(net.fit(X, LABELS), X, np.where(LABELS == 2, 7, LABELS))
    net.fit(X, KINDS["indicators"])
    for wrong in (LABELS > 0, np.ones((len(X), 3))):
        with pytest.raises(ValueError, match=r"y must hold indicators of 2 labels\. Got shape"):
            Recording.of_fitted(net, X, wrong)


# Inside a TransformedTargetRegressor.


TARGETS = {
    "a transformer": {"transformer": StandardScaler()},
    "functions": {"func": np.log, "inverse_func": np.exp},
}


def wrapped(where, how):
    around = TransformedTargetRegressor(clone(NET), **TARGETS[how])
    return {
        "alone": around,
        "last step": make_pipeline(StandardScaler(), around),
        "around a pipeline": TransformedTargetRegressor(
            make_pipeline(StandardScaler(), clone(NET)), **TARGETS[how]
        ),
        "both": make_pipeline(
            StandardScaler(),
            TransformedTargetRegressor(
                make_pipeline(StandardScaler(), clone(NET)), **TARGETS[how]
            ),
        ),
    }[where]


@pytest.mark.parametrize("how", TARGETS)
@pytest.mark.parametrize("where", ["alone", "last step", "around a pipeline", "both"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_displays_that_fit_accept_transformed_targets(where, how):
    plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
    x = np.linspace(0, 3, 40)[:, None]
    y = np.exp(x[:, 0]) + 1
    model = wrapped(where, how).fit(x, y)
    whole = model[-1] if where in ("last step", "both") else model
    net = whole.regressor_
    net = net[-1] if where in ("around a pipeline", "both") else net
    fitted = FitDisplay.from_estimator(model, x, y)
    assert_allclose(fitted.y, y)
    assert_allclose(fitted.y_pred, model.predict(x), rtol=1e-6)
    again = FitDisplay.from_estimator(wrapped(where, how), x, y, iterations=[0, -1])
    assert_allclose(again.y, y)
    assert_allclose(again.y_pred, model.predict(x), rtol=1e-6)
    descent = DescentDisplay.from_estimator(wrapped(where, how), x, y)
    assert_allclose(descent.path[-1], net_weights(net), rtol=1e-6)
    pickle.loads(pickle.dumps(descent.recording))
    rates = LearningRateDisplay.from_estimator(
        wrapped(where, how), x, y, rates=[0.01, 0.02], max_iter=4
    )
    params = {"learning_rate": 0.02, "early_stopping": False}
    name = next(name for name in model.get_params() if name.endswith("hidden_layer_sizes"))
    prefix = name.removesuffix("hidden_layer_sizes")
    other = clone(model).set_params(**{prefix + key: each for key, each in params.items()})
    other = other.fit(x, y)
    other = other[-1] if isinstance(other, Pipeline) else other
    inner = other.regressor_
    inner = inner[-1] if isinstance(inner, Pipeline) else inner
    assert_allclose(rates.values[1], inner.loss_)
    plt.close("all")


def net_weights(net):
    return np.concatenate(
        [part.ravel() for pair in zip(net.coefs_, net.intercepts_, strict=True) for part in pair]
    )


def test_what_is_inside_must_be_of_this_package():
    around = TransformedTargetRegressor(LinearRegression(), transformer=StandardScaler())
    with pytest.raises(TypeError, match="must be one of ThroughOriginRegressor"):
        LearningRateDisplay.from_estimator(around, [[1.0], [2.0]], [1.0, 2.0])
    with pytest.raises(TypeError, match="must be one of ThroughOriginRegressor"):
        FitDisplay.from_estimator(around, [[1.0], [2.0]], [1.0, 2.0])
