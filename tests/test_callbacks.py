"""scikit-learn's callbacks: what they are told, what they may do, and what they cost."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd.schedules import Schedule

callback = pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")

MODELS = {
    "line": ThroughOriginRegressor(tol=None, max_iter=7),
    "step": PerceptronClassifier(tol=None, max_iter=7, random_state=0),
    "smooth": PerceptronClassifier(activation="tanh", tol=None, max_iter=7, random_state=0),
    "average": PerceptronClassifier(average=True, tol=None, max_iter=7, random_state=0),
    "net": FeedForwardRegressor(
        hidden_layer_sizes=5, learning_rate=0.01, tol=None, max_iter=7, random_state=0
    ),
    "lbfgs": FeedForwardRegressor(
        hidden_layer_sizes=5, tol=None, max_iter=7, random_state=0, solver="lbfgs"
    ),
}
EVERY = pytest.mark.parametrize("name", MODELS)


def data(name):
    if name in ("step", "smooth", "average"):
        X, y = load_breast_cancer(return_X_y=True, as_frame=True)
        return X.iloc[:150, :8], y.iloc[:150].map({0: "malignant", 1: "benign"})
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return X.iloc[:150], (y.iloc[:150] - 150) / 80


class Rising(Schedule):
    """A rate that is far too large from some epoch on."""

    def __init__(self, low=0.01, high=1.0, at=5):
        self.low, self.high, self.at = low, high, at

    def rate(self, epoch):
        return self.low if epoch < self.at else self.high


class Recorder:
    """Writes down every call, and does what it is asked to at a given epoch."""

    def __init__(self, stop_at=None, raise_at=None, interrupt_at=None):
        self.stop_at, self.raise_at, self.interrupt_at = stop_at, raise_at, interrupt_at
        self.calls, self.models, self.seen = [], [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.calls.append(f"end {context.task_name}")
        if context.task_name != "epoch":
            return None
        self.models.append(fitted_estimator)
        self.seen.append((X, y, metadata))
        if len(self.models) == self.raise_at:
            raise RuntimeError("the callback gave up")
        if len(self.models) == self.interrupt_at:
            raise KeyboardInterrupt
        return len(self.models) == self.stop_at

    def teardown(self, estimator, context):
        self.calls.append("teardown")


def fitted(name, recorder=None, **params):
    X, y = data(name)
    model = clone(MODELS[name]).set_params(**params)
    if recorder is not None:
        model.set_callbacks(recorder)
    return model.fit(X, y)


def weights_of(model):
    return model.coefs_ if hasattr(model, "coefs_") else [model.coef_]


@EVERY
def test_each_epoch_is_a_task_of_the_fit(name):
    recorder = Recorder()
    fitted(name, recorder)
    epochs = ["begin epoch", "end epoch"] * 7
    assert recorder.calls == ["setup", "begin fit", *epochs, "end fit", "teardown"]


@EVERY
def test_results_are_the_same_with_and_without(name):
    alone, watched = fitted(name), fitted(name, Recorder())
    for a, b in zip(weights_of(alone), weights_of(watched), strict=True):
        assert_array_equal(a, b)
    assert alone.loss_curve_ == watched.loss_curve_
    assert vars(alone).keys() == vars(watched).keys() - {"_skl_callbacks"}


@EVERY
def test_the_model_of_every_epoch_predicts_and_is_its_own(name):
    recorder = Recorder()
    model = fitted(name, recorder)
    X, y = data(name)
    assert len({weights_of(m)[0].tobytes() for m in recorder.models}) == 7
    assert_allclose(recorder.models[-1].score(X, y), model.score(X, y))
    for X_seen, y_seen, metadata in recorder.seen:
        assert X_seen is not None
        assert len(X_seen) == len(y_seen)
        assert metadata is None


@EVERY
@pytest.mark.filterwarnings("ignore:PerceptronClassifier learned nothing")
def test_a_callback_may_end_the_fit(name):
    model = fitted(name, Recorder(stop_at=3), tol=1e-4)
    assert model.n_iter_ == 3
    assert len(model.loss_curve_) == 3


@EVERY
def test_an_error_in_a_callback_leaves_no_half_state(name):
    recorder = Recorder(raise_at=3)
    model = clone(MODELS[name]).set_callbacks(recorder)
    before = dict(vars(model))
    with pytest.raises(RuntimeError, match="gave up"):
        model.fit(*data(name))
    assert vars(model) == before
    assert recorder.calls[-1] == "teardown"


@EVERY
@pytest.mark.filterwarnings("ignore:PerceptronClassifier learned nothing")
def test_an_interrupt_keeps_what_was_learned_and_warns(name):
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 3"):
        model = fitted(name, recorder := Recorder(interrupt_at=3))
    assert model.n_iter_ == 3
    until_then = fitted(name, max_iter=3)
    for a, b in zip(weights_of(model), weights_of(until_then), strict=True):
        assert_array_equal(a, b)
    assert recorder.calls[-1] == "teardown"


def test_an_interrupt_on_the_way_up_keeps_the_better_weights():
    params = {"learning_rate": Rising(0.01, 3.0, at=5), "max_iter": 20, "solver": "gd"}
    params |= {"activation": "relu", "standardize": False, "batch_size": 200}
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 8"):
        model = fitted("net", Recorder(interrupt_at=8), **params)
    assert model.loss_curve_[-1] > 1.5 * min(model.loss_curve_)
    assert model.loss_ < 1.2 * min(model.loss_curve_)


@EVERY
@pytest.mark.filterwarnings("ignore:PerceptronClassifier learned nothing")
def test_sample_weights_are_metadata(name):
    X, y = data(name)
    weights = np.linspace(0.5, 1, len(y))
    recorder = Recorder()
    clone(MODELS[name]).set_callbacks(recorder).fit(X, y, sample_weight=weights)
    assert_array_equal(recorder.seen[0][2]["sample_weight"], weights)


@pytest.mark.parametrize("name", ["step", "smooth", "net"])
def test_callbacks_see_the_rows_that_are_trained_on(name):
    X, y = data(name)
    weights = np.linspace(0.5, 1, len(y))
    recorder = Recorder()
    model = clone(MODELS[name]).set_params(early_stopping=True).set_callbacks(recorder)
    model.fit(X, y, sample_weight=weights)
    X_seen, y_seen, metadata = recorder.seen[0]
    assert list(X_seen.columns) == list(X.columns)
    assert len(X_seen) == len(y_seen) == len(metadata["sample_weight"]) == 135
    assert y_seen.equals(y.loc[X_seen.index])


@EVERY
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scoring_monitor_alone_and_in_a_search(name, n_jobs):
    X, y = data(name)
    scoring = "accuracy" if name in ("step", "smooth", "average") else "r2"
    monitor = callback.ScoringMonitor(scoring=scoring)
    model = clone(MODELS[name]).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs()
    assert len(log.data) >= 7
    monitor = callback.ScoringMonitor(scoring=scoring)
    model = clone(MODELS[name]).set_callbacks(monitor)
    pipe = make_pipeline(StandardScaler(), model)
    GridSearchCV(pipe, {}, cv=2, n_jobs=n_jobs).fit(X, y)
    # Two folds and the refit, seven epochs each.
    assert (
        sum(row["task_name"] == "epoch" for log in monitor.get_logs("all") for row in log.data)
        == 21
    )


@EVERY
def test_progress_bar_shows_and_goes(name, capsys):
    pytest.importorskip("rich")
    X, y = data(name)
    model = clone(MODELS[name]).set_callbacks(callback.ProgressBar())
    model.fit(X, y)
    assert "100%" in capsys.readouterr().out
    pipe = make_pipeline(StandardScaler(), clone(MODELS[name]))
    pipe.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    assert type(MODELS[name]).__name__ in capsys.readouterr().out


def test_long_fits_report_groups_of_epochs():
    recorder = Recorder()
    fitted("line", recorder, max_iter=2500)
    assert recorder.calls.count("end epoch") == 358  # groups of seven, and the last of one
    assert recorder.calls.count("begin epoch") == 358
    short = Recorder(stop_at=2)
    assert fitted("line", short, max_iter=2500).n_iter_ == 14


def test_divergence_tears_callbacks_down():
    recorder = Recorder()
    model = (
        clone(MODELS["line"]).set_params(solver="gd", learning_rate=1e6).set_callbacks(recorder)
    )
    with pytest.raises(ValueError, match="diverged"):
        model.fit(*data("line"))
    assert recorder.calls[-1] == "teardown"
    assert not {n for n in vars(model) if n.startswith("_callback")}


def test_partial_fit_is_silent():
    recorder = Recorder()
    X, y = data("net")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(MODELS["net"]).set_callbacks(recorder).partial_fit(X, y)
    assert recorder.calls == []
