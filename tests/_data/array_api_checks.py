"""Fits on arrays of other libraries: they say, step for step, what NumPy's fits say.

scikit-learn dispatches to the array API only where SCIPY_ARRAY_API=1 was set before the import of
SciPy. So these tests run in a process of their own, which `test_array_api.py` starts.
"""

import re
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import sklearn_gd.onnx
from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
    activations,
    losses,
    solvers,
)
from sklearn_gd._pieces import namespace
from sklearn_gd.activations import LeakyReLU
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.losses import BinaryLogLoss, Loss
from sklearn_gd.schedules import Adaptive, Constant, Cosine, Exponential, InverseScaling, StepDecay
from sklearn_gd.solvers import Nesterov, Solver

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
StrictArray = type(strict.asarray(0))


def torch():
    return pytest.importorskip("torch", reason="torch is not installed")


def jax():
    library = pytest.importorskip("jax", reason="JAX is not installed")
    library.config.update("jax_enable_x64", True)
    return library


def put(library, array):
    """Return an array of the library; of array-api-strict, one on a device that is no CPU."""
    if library == "torch":
        return torch().asarray(np.array(array))
    if library == "jax":
        return jax().numpy.asarray(np.array(array))
    return strict.asarray(np.array(array), device=strict.Device("device1"))


def host(array):
    if isinstance(array, StrictArray):
        return np.asarray(strict.asarray(array, device=strict.Device("CPU_DEVICE")))
    return array.cpu().numpy() if hasattr(array, "cpu") else np.asarray(array)


def dispatched():
    return sklearn.config_context(array_api_dispatch=True)


LIBRARIES = pytest.mark.parametrize("library", ["strict", "torch"])
SHORT = {"max_iter": 6, "tol": None, "random_state": 3}

generator = np.random.default_rng(0)
X = generator.normal(size=(90, 4))
Y = np.stack([np.sin(X[:, 0]) * X[:, 1], X[:, 2] - 0.3 * X[:, 3] ** 2], axis=1)
y = Y[:, 0]
WEIGHTS = generator.integers(0, 4, size=90) * 0.5
WEIGHTS[:7] = 0.0
CODES = np.digitize(y, [-0.2, 0.3])


def fitted_there(library, estimator, X, y, *args, **kwargs):
    """Return the estimator, fitted on arrays of the library."""
    args = [None if a is None else put(library, a) for a in args]
    kwargs = {name: put(library, value) for name, value in kwargs.items()}
    with dispatched():
        return clone(estimator).fit(put(library, X), put(library, y), *args, **kwargs)


def assert_same_fit(library, estimator, X, y, *args, rtol=1e-8, **kwargs):
    """Check a fit there against NumPy's: history, weights, and where and what these are."""
    there = fitted_there(library, estimator, X, y, *args, **kwargs)
    here = clone(estimator).fit(X, y, *args, **kwargs)
    assert there.n_iter_ == here.n_iter_
    assert_allclose(there.loss_curve_, here.loss_curve_, rtol=rtol)
    assert_allclose(there.loss_, here.loss_, rtol=rtol, atol=1e-12)
    kind = type(put(library, X))
    if hasattr(here, "coefs_"):
        pairs = zip(
            [*there.coefs_, *there.intercepts_], [*here.coefs_, *here.intercepts_], strict=True
        )
    else:
        pairs = [(there.coef_, here.coef_)]
    for got, expected in pairs:
        assert type(got) is kind
        assert got.device == put(library, X).device
        assert host(got).dtype == expected.dtype == X.dtype
        assert_allclose(host(got), expected, rtol=rtol, atol=rtol)
    with dispatched():
        y_pred = there.predict(put(library, X))
        # R² of scikit-learn 1.9 changes arrays in place, which JAX does not allow.
        score = 1.0 if library == "jax" else there.score(put(library, X), put(library, y))
    assert type(y_pred) is kind
    assert y_pred.device == put(library, X).device
    assert_allclose(host(y_pred), here.predict(X), rtol=rtol, atol=rtol)
    assert isinstance(score, float)
    return there, here


def network(**parameters):
    given = {"hidden_layer_sizes": (9, 7), "activation": "tanh", "learning_rate": 0.01}
    return FeedForwardRegressor(
        **{**given, "batch_size": 16, "alpha": 0.01, **SHORT, **parameters}
    )


def line(**parameters):
    return ThroughOriginRegressor(**{"alpha": 0.01, "max_iter": 25, "tol": None, **parameters})


def classifier(**parameters):
    given = {"hidden_layer_sizes": (9, 7), "batch_size": 16, **SHORT}
    return FeedForwardClassifier(**{**given, **parameters})


def assert_same_classifier(library, estimator, y, *args, rtol=1e-8, X=X, **kwargs):
    """Check a fit there against NumPy's, by all that it predicts."""
    given = [put(library, X), y if y.dtype.kind == "U" else put(library, y)]
    given += [None if a is None else put(library, a) for a in args]
    with dispatched():
        lazy = {n: v if v.dtype.kind == "U" else put(library, v) for n, v in kwargs.items()}
        there = clone(estimator).fit(*given, **lazy)
    here = clone(estimator).fit(X, y, *args, **kwargs)
    assert_allclose(there.loss_curve_, here.loss_curve_, rtol=rtol)
    assert_allclose(there.loss_, here.loss_, rtol=rtol)
    assert_array_equal(there.classes_, here.classes_)
    methods = ["predict", "decision_function"]
    for name in ("predict_proba", "predict_log_proba"):
        assert hasattr(there, name) == hasattr(here, name)
        methods += [name] if hasattr(here, name) else []
    for method in methods:
        with dispatched():
            got = getattr(there, method)(given[0])
        expected = getattr(here, method)(X)
        if method == "predict" and y.dtype.kind == "U":
            assert_array_equal(got, expected)
            continue
        assert type(got) is type(given[0])
        assert got.device == given[0].device
        assert host(got).dtype == expected.dtype
        assert_allclose(host(got), expected, rtol=rtol, atol=rtol)
    with dispatched():
        assert there.score(given[0], given[1]) == pytest.approx(here.score(X, y))
    return there, here


def far(array, scale=1e3):
    """Return columns of various units, the first one with values far off."""
    array = array * np.geomspace(1e-3, scale, array.shape[1]) + np.linspace(5, 1e3, array.shape[1])
    array[:3, 0] *= 1e6
    return array


@pytest.mark.parametrize("library", ["strict", "torch", "jax"])
@pytest.mark.parametrize("standardize", ["robust", "standard"])
@pytest.mark.parametrize(
    ("targets", "weights"), [(y, WEIGHTS), (Y, None)], ids=["weighted", "two outputs"]
)
def test_scales_are_numpys(library, standardize, targets, weights):
    estimator = network(standardize=standardize, alpha=1e-3, max_iter=3)
    there, here = assert_same_fit(library, estimator, far(X), 50 * targets + 200, weights)
    assert_same_scale(library, there, here)
    for parameters in (
        {"loss": "huber", "output_activation": "softplus"},
        {"hidden_layer_sizes": (), "batch_size": None, "solver": Nesterov(0.8)},
    ):
        there, here = assert_same_fit(
            library, clone(estimator).set_params(**parameters), far(X), targets**2, weights
        )
        assert_same_scale(library, there, here)


def assert_same_scale(library, there, here):
    assert hasattr(there, "center_") == hasattr(here, "center_") == (here.standardize == "robust")
    assert_allclose(there._scaling.packed(), here._scaling.packed(), rtol=1e-12)
    for name in ("center_", "scale_") if hasattr(here, "center_") else ():
        got = getattr(there, name)
        assert type(got) is type(there.coefs_[0])
        assert got.device == there.coefs_[0].device
        assert got.dtype == there.coefs_[0].dtype
        assert_allclose(host(got), getattr(here, name), rtol=1e-12)


@LIBRARIES
@pytest.mark.parametrize("standardize", ["robust", "standard"])
@pytest.mark.filterwarnings("ignore:.*learned nothing")  # few epochs
def test_validation_sets_warm_starts_and_precision_in_a_scale(library, standardize, monkeypatch):
    estimator = network(standardize=standardize, early_stopping=True, warm_start=True)
    there, here = assert_same_fit(library, estimator, far(X), Y, WEIGHTS)
    assert_allclose(there.validation_loss_curve_, here.validation_loss_curve_, rtol=1e-8)
    with dispatched():
        there.fit(put(library, X), put(library, Y))
    here.fit(X, Y)
    assert_same_scale(library, there, here)
    assert_allclose(there.loss_, here.loss_, rtol=1e-8)
    assert_same_fit(
        library, estimator, far(X).astype(np.float32), Y.astype(np.float32), WEIGHTS, rtol=1e-3
    )
    monkeypatch.setattr("sklearn_gd._models.scaling.SAMPLE", 20)
    monkeypatch.setattr("sklearn_gd._models.array_rows._CHUNK", 100)
    there, here = assert_same_fit(library, estimator, far(X), Y, WEIGHTS)
    assert_same_scale(library, there, here)


@LIBRARIES
@pytest.mark.parametrize("standardize", ["robust", "standard"])
def test_a_model_in_a_scale_is_moved_and_exported(library, standardize):
    estimator = network(standardize=standardize)
    there = fitted_there(library, estimator, far(X), Y)
    expected = clone(estimator).fit(far(X), Y).predict(far(X))
    helpers = pytest.importorskip("sklearn.utils._array_api")
    if hasattr(helpers, "move_estimator_to") and library == "torch":
        here = helpers.move_estimator_to(there, np, "cpu")
        assert_allclose(here.predict(far(X)), expected, rtol=1e-8)
    to_onnx = pytest.importorskip("skl2onnx", reason="ONNX export needs skl2onnx").to_onnx
    runtime = pytest.importorskip("onnxruntime", reason="exported models run in onnxruntime")
    sklearn_gd.onnx.register()
    exported = to_onnx(there, X[:1]).SerializeToString()
    session = runtime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    assert_allclose(session.run(None, {"X": far(X)})[0], expected, rtol=1e-8)


@LIBRARIES
@pytest.mark.parametrize("solver", sorted(solvers._BUILT_IN))
def test_every_solver_makes_numpys_steps(library, solver):
    estimator = network(solver=solver, max_iter=4)
    assert_same_fit(library, estimator, X, y, WEIGHTS)
    assert_same_fit(library, line(solver=solver, loss="huber", learning_rate=0.05), X, Y, WEIGHTS)


@LIBRARIES
@pytest.mark.parametrize("name", sorted(set(activations._BUILT_IN) - {"step"}))
@pytest.mark.filterwarnings("ignore:.*learned nothing")  # few epochs
def test_every_activation_is_numpys(library, name):
    assert_same_fit(library, network(activation=name, output_activation=name), X, y)
    if activations._BUILT_IN[name]().zero_at_origin:
        assert_same_fit(library, line(activation=name), X, y, WEIGHTS)


@LIBRARIES
@pytest.mark.parametrize("name", sorted(set(losses._BUILT_IN) - {"log_loss"}))
def test_every_loss_is_numpys(library, name):
    targets = np.abs(Y) if name == "poisson" else Y
    assert_same_fit(library, network(loss=name), 3 * X, 3 * targets, WEIGHTS)
    if name == "poisson":
        return
    assert_same_classifier(library, classifier(loss=name), CODES, WEIGHTS)
    rate = 0.05 if losses._BUILT_IN[name].curvature is None else "auto"
    assert_same_fit(library, line(loss=name, learning_rate=rate), X, 9 * Y, WEIGHTS)


@pytest.mark.parametrize("library", ["strict", "torch", "jax"])
@pytest.mark.parametrize(
    "labels",
    [
        CODES,
        CODES - 7.0,
        np.array(["bee", "ant", "cat"])[CODES],
        y > 0,
        np.where(y > 0, "ant", "bee"),
        np.stack([y > 0, y > 0.3, y < -0.1], axis=1).astype(int),
    ],
    ids=["integers", "floats", "strings", "booleans", "two strings", "indicators"],
)
def test_labels_of_every_kind(library, labels):
    there, here = assert_same_classifier(library, classifier(), labels, WEIGHTS)
    for got, expected in zip(there.coefs_, here.coefs_, strict=True):
        assert type(got) is type(put(library, X))
        assert got.device == put(library, X).device
        assert_allclose(host(got), expected, rtol=1e-8, atol=1e-8)
    assert_same_scale(library, there, here)


@pytest.mark.parametrize("library", ["strict", "torch", "jax"])
@pytest.mark.parametrize("labels", [CODES, CODES > 1], ids=["three", "two"])
@pytest.mark.filterwarnings("ignore:.*reached max_iter")
def test_a_classifier_at_default_settings_is_numpys(library, labels):
    rtol = 1e-6  # after twenty epochs of the default network
    assert_same_classifier(library, FeedForwardClassifier(random_state=0), labels, rtol=rtol)


@pytest.mark.parametrize("library", ["strict", "torch", "jax"])
@pytest.mark.filterwarnings("ignore:.*reached max_iter")
def test_counts_at_default_settings_are_numpys(library):
    counts = np.random.default_rng(0).poisson(np.exp(X[:, 0]))
    estimator = FeedForwardRegressor(loss="poisson", random_state=0)
    assert_same_fit(library, estimator, X, counts.astype(float), rtol=1e-6)
    message = r"needs targets y >= 0\. Got -1"
    with pytest.raises(ValueError, match=message):
        fitted_there(library, estimator, X, counts - 1.0)
    with pytest.raises(ValueError, match=r"needs targets y_val >= 0\. Got -1"):
        fitted_there(library, estimator, X, counts + 0.0, X_val=X, y_val=counts - 1.0)


@LIBRARIES
@pytest.mark.parametrize(
    "parameters",
    [
        {"class_weight": "balanced"},
        {"class_weight": {0: 2.0, 2: 0.5}, "standardize": "standard"},
        {"class_weight": {1: 0.0}, "alpha": 0.1},
        {"loss": "squared_error", "output_activation": "identity"},
        {"loss": BinaryLogLoss()},
        {"standardize": False, "learning_rate": 0.01, "dropout": 0.3},
        {"early_stopping": True, "max_iter": 12, "tol": 1e-2, "n_iter_no_change": 2},
        {"early_stopping": True, "class_weight": "balanced", "batch_size": None},
        {"hidden_layer_sizes": (), "solver": "momentum"},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:.*learned nothing")  # few epochs
def test_the_loop_of_a_classifier_is_numpys(library, parameters, monkeypatch):
    monkeypatch.setattr("sklearn_gd._models.array_rows._CHUNK", 100)
    for labels in (CODES, np.where(y > 0, 2, 0)):
        if not set(parameters.get("class_weight", ())) - {*"balanced"} <= set(labels):
            continue  # weights of classes that are not there are refused
        there, here = assert_same_classifier(library, classifier(**parameters), labels, WEIGHTS)
        if "early_stopping" in parameters:
            assert there.best_iter_ == here.best_iter_
            assert_allclose(there.validation_loss_curve_, here.validation_loss_curve_, rtol=1e-8)


@LIBRARIES
def test_a_validation_set_of_classes_is_watched(library):
    labels = np.array(["bee", "ant", "cat"])[CODES]
    indicators = np.stack([y > 0, y > 0.3], axis=1).astype(int)
    for targets in (CODES, labels, indicators):
        held = {"X_val": X[60:], "y_val": targets[60:], "sample_weight_val": WEIGHTS[60:]}
        there, here = assert_same_classifier(library, classifier(), targets[:60], X=X[:60], **held)
        assert_allclose(there.validation_loss_curve_, here.validation_loss_curve_, rtol=1e-8)
    with dispatched():
        fit, given = classifier().fit, (put(library, X), put(library, CODES))
        with pytest.raises(ValueError, match=r"y_val has labels \[3\] that are none of"):
            fit(*given, X_val=given[0], y_val=put(library, CODES + 1))
        with pytest.raises(ValueError, match="such as X and y"):
            fit(*given, X_val=given[0], y_val=put(library, CODES[1:]))
        with pytest.raises(ValueError, match="y_val must hold one label per row"):
            fit(*given, X_val=given[0], y_val=put(library, indicators))
        with pytest.raises(ValueError, match="y_val must have the columns of y"):
            fit(given[0], put(library, indicators), X_val=given[0], y_val=given[1])


@LIBRARIES
def test_the_precision_of_a_classifier_is_kept(library):
    assert_same_classifier(library, classifier(), CODES, WEIGHTS, X=X.astype("f"), rtol=1e-3)


@LIBRARIES
def test_labels_and_weights_follow_the_rows(library):
    other = "strict" if library == "torch" else "torch"
    expected = classifier().fit(X, CODES, WEIGHTS).loss_curve_
    with dispatched():
        for labels, weights in [
            (put(other, CODES), put(other, WEIGHTS)),
            (CODES.tolist(), WEIGHTS.tolist()),
            (CODES[:, None], WEIGHTS),
        ]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a column of labels
                got = classifier().fit(put(library, X), labels, weights)
            assert_allclose(got.loss_curve_, expected, rtol=1e-8)
            assert type(got.predict(put(library, X))) is type(put(library, X))
        held = put(library, X), put(library, CODES), put(library, WEIGHTS)
        got = classifier().fit(X, *held[1:], X_val=held[0], y_val=held[1])
        assert isinstance(got.predict(X), np.ndarray)
        assert_array_equal(got.loss_curve_, expected)


@LIBRARIES
def test_a_classifier_goes_on_wherever_its_weights_lie(library):
    estimator = classifier(warm_start=True)
    expected = clone(estimator).fit(X, CODES).fit(X, CODES)
    moving = clone(estimator).fit(X, CODES)
    with dispatched():
        moving.fit(put(library, X), put(library, CODES))
        with pytest.raises(ValueError, match="warm_start needs the classes"):
            moving.fit(put(library, X), put(library, CODES > 1))
    assert_allclose(moving.loss_, expected.loss_, rtol=1e-8)
    back = fitted_there(library, estimator, X, CODES).fit(X, CODES)
    assert_allclose(back.predict_proba(X), expected.predict_proba(X), rtol=1e-8)


@LIBRARIES
def test_what_a_classifier_does_not_do_there_it_says(library):
    there = put(library, X), put(library, CODES)
    with dispatched():
        with pytest.raises(
            ValueError, match="FeedForwardClassifier: solver='lbfgs' runs on NumPy"
        ):
            classifier(solver="lbfgs").fit(*there)
        with pytest.raises(
            ValueError, match=r"Classifier.partial_fit\(\) takes NumPy arrays only"
        ):
            classifier().partial_fit(*there, classes=[0, 1, 2])
        fitted = classifier().fit(*there)
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            message = rf"FeedForwardClassifier\.{method}\(\) must use the same namespace"
            with pytest.raises(ValueError, match=message):
                getattr(fitted, method)(X)
        with pytest.raises(ValueError, match=r"at least two classes\. Got one class: 1"):
            classifier().fit(there[0], put(library, np.ones(90, int)))
        with pytest.raises(ValueError, match="Unknown label type: continuous"):
            classifier().fit(there[0], put(library, y))
        with pytest.raises(ValueError, match="zero for all rows"):
            classifier().fit(*there, put(library, np.zeros(90)))
        with pytest.raises(ValueError, match="leaves no row any weight"):
            classifier(class_weight=dict.fromkeys([0, 1, 2], 0.0)).fit(*there)
        if library == "torch":
            with pytest.raises(ValueError, match="X must be dense"):
                classifier().fit(there[0].to_sparse(), there[1])
        with pytest.raises(ValueError, match=r"'loss' parameter.*array API standard"):
            classifier(loss=NumpyCauchy()).fit(put("strict", X), put("strict", CODES))
    with pytest.raises(ValueError, match="array_api_dispatch=True, which is not set"):
        fitted.predict(X)


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(0.01),
        InverseScaling(0.01),
        Exponential(0.01),
        StepDecay(0.01, every=2),
        Cosine(0.01, epochs=6),
        Adaptive(0.01, patience=1),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_every_schedule_hears_what_numpys_hears(schedule):
    assert_same_fit("strict", network(learning_rate=schedule), X, y)
    assert_same_fit("strict", line(learning_rate=schedule, solver="gd"), X, y)


@LIBRARIES
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_precision_of_the_rows_is_kept(library, dtype):
    rtol = 1e-8 if dtype == "float64" else 1e-4
    data = X.astype(dtype), Y.astype(dtype)
    assert_same_fit(library, network(), *data, WEIGHTS, rtol=rtol)
    assert_same_fit(library, line(), *data, WEIGHTS, rtol=rtol)
    assert_same_fit(library, line(loss="huber"), *data, WEIGHTS, rtol=rtol)


@LIBRARIES
def test_a_line_ends_where_numpys_does(library):
    there, here = assert_same_fit(library, ThroughOriginRegressor(), X, y)
    assert there.max_learning_rate_ == pytest.approx(here.max_learning_rate_)
    assert type(there.learning_rate_) is type(there.coef_)
    assert_allclose(host(there.learning_rate_), here.learning_rate_)
    exact = X @ [1.0, 2.0, 3.0, 4.0]  # the moments' loss is all rounding here
    there = fitted_there(library, ThroughOriginRegressor(), X, exact)
    assert there.loss_ == pytest.approx(np.mean((X @ host(there.coef_) - exact) ** 2), rel=1e-6)
    # More columns than rows: X'X is not made.
    wide = np.random.default_rng(1).normal(size=(20, 120))
    assert_same_fit(library, line(), wide, wide[:, 0])
    for solver in ("gd", "momentum", "nesterov", Nesterov(0.8)):
        for loss in ("squared_error", "huber"):
            lasso = ThroughOriginRegressor(loss=loss, solver=solver, alpha=0.2, l1_ratio=0.9)
            there, here = assert_same_fit(library, lasso, X, Y)
            assert_array_equal(host(there.coef_) == 0, here.coef_ == 0)
            assert 0 < np.count_nonzero(here.coef_) < 8
    start = np.full((2, 4), 0.5)
    assert_same_fit(library, line(), X, Y, coef_init=start)


@LIBRARIES
def test_targets_of_one_column_keep_their_axis(library):
    assert_same_fit(library, line(), X, Y[:, :1])
    there, _ = assert_same_fit(library, network(), X, Y[:, :1])
    with dispatched():
        assert tuple(there.predict(put(library, X[:3])).shape) == (3, 1)


@LIBRARIES
@pytest.mark.parametrize(
    "parameters",
    [
        {"batch_size": None},
        {"shuffle": False},
        {"hidden_layer_sizes": ()},
        {"activation": ["gelu", LeakyReLU(0.2)], "init": "he"},
        {"early_stopping": True, "max_iter": 12, "tol": 1e-2, "n_iter_no_change": 2},
        {"early_stopping": True, "batch_size": None, "solver": Nesterov(0.8)},
    ],
    ids=str,
)
def test_the_loop_is_numpys(library, parameters, monkeypatch):
    monkeypatch.setattr(
        "sklearn_gd._models.array_rows._CHUNK", 100
    )  # chunks of eleven rows or fewer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        there, here = assert_same_fit(library, network(**parameters), X, Y, WEIGHTS)
    if "early_stopping" in parameters:
        assert_allclose(there.validation_loss_curve_, here.validation_loss_curve_, rtol=1e-8)
        assert there.best_iter_ == here.best_iter_


@LIBRARIES
def test_a_validation_set_is_watched(library):
    estimator = network(learning_rate=0.5, max_iter=12)  # too fast for its last weights to be best
    validation = {"X_val": X[60:], "y_val": y[60:], "sample_weight_val": WEIGHTS[60:]}
    there, here = assert_same_fit(library, estimator, X[:60], y[:60], **validation)
    assert there.best_iter_ == here.best_iter_ < 11
    assert_allclose(there.validation_loss_curve_, here.validation_loss_curve_, rtol=1e-8)


@LIBRARIES
def test_warm_starts_go_on_wherever_the_weights_lie(library):
    for estimator in (network(warm_start=True), line(warm_start=True, solver="gd")):
        expected = clone(estimator).fit(X, y).fit(X, y)
        moving = clone(estimator).fit(X, y)
        with dispatched():
            moving.fit(put(library, X), put(library, y))
        assert_allclose(moving.loss_, expected.loss_, rtol=1e-8)
        back = fitted_there(library, estimator, X, y).fit(X, y)
        assert_allclose(back.predict(X), expected.predict(X), rtol=1e-8, atol=1e-10)


@LIBRARIES
def test_targets_and_weights_follow_the_rows(library):
    other = "strict" if library == "torch" else "torch"
    for estimator in (network(), line()):
        expected = clone(estimator).fit(X, y, WEIGHTS).loss_curve_
        with dispatched():
            for targets, weights in [
                (put(other, y), put(other, WEIGHTS)),
                (y.tolist(), WEIGHTS.tolist()),
                (y, WEIGHTS),
            ]:
                got = clone(estimator).fit(put(library, X), targets, weights)
                assert type(got.predict(put(library, X))) is type(put(library, X))
                assert_allclose(got.loss_curve_, expected, rtol=1e-8)
            got = clone(estimator).fit(X, put(library, y), put(library, WEIGHTS))
            assert isinstance(got.predict(X), np.ndarray)
            assert_array_equal(got.loss_curve_, expected)
            got = clone(estimator).fit(put(library, X), put(library, 10 * y).__gt__(1), 2.0)
            assert_allclose(got.loss_, clone(estimator).fit(X, 10 * y > 1).loss_, rtol=1e-8)


def test_per_epoch_one_number_is_read_back(monkeypatch):
    read = []
    for name in ("__float__", "__bool__", "__int__"):
        method = getattr(StrictArray, name)
        monkeypatch.setattr(
            StrictArray, name, lambda self, m=method: read.append(1) or m(self), raising=True
        )
    for make, targets in ((network, y), (classifier, CODES)):
        counts = []
        for max_iter in (2, 7):
            read.clear()
            fitted_there("strict", make(max_iter=max_iter), X, targets)
            counts.append(len(read))
        assert counts[1] - counts[0] == 5


@LIBRARIES
def test_a_divergence_is_numpys_and_leaves_the_fit_before(library):
    estimator = ThroughOriginRegressor(solver="gd", learning_rate=9.0)
    with pytest.raises(DivergenceError, match="the largest stable one is") as here:
        clone(estimator).fit(X, y)
    fitted = fitted_there(library, ThroughOriginRegressor(), X, y)
    before = host(fitted.coef_).copy()
    fitted.set_params(**estimator.get_params())
    with dispatched(), pytest.raises(DivergenceError) as there:
        fitted.fit(put(library, X), put(library, y))
    assert str(there.value)[:60] == str(here.value)[:60]
    assert_allclose(there.value.loss_curve, here.value.loss_curve, rtol=1e-8)
    assert_array_equal(host(fitted.coef_), before)
    with pytest.raises(DivergenceError, match="FeedForwardRegressor diverged in epoch"):
        fitted_there(library, network(solver="gd", learning_rate=1e6, activation="relu"), X, y)


def bent(z):
    xp = namespace(z)
    return xp.where(z > 0, z, 0.1 * xp.expm1(z)) + 0.1 * xp.where(z > 1, xp.atan(z - 1), 0 * z)


def bent_slope(z):
    xp = namespace(z)
    return xp.where(z > 0, 0 * z + 1, 0.1 * xp.exp(z)) + xp.where(
        z > 1, 0.1 / (1 + (z - 1) ** 2), 0 * z
    )


class Cauchy(Loss):
    curvature = 1.0

    def value(self, y_true, y_pred):
        return 0.5 * namespace(y_pred).log1p((y_pred - y_true) ** 2)

    def gradient(self, y_true, y_pred):
        return (y_pred - y_true) / (1 + (y_pred - y_true) ** 2)


class SmoothSigns(Solver):
    def start(self, size, dtype):
        self.mean_ = np.zeros(size, dtype)

    def step(self, parameters, gradient, rate):
        self.mean_ *= 0.9
        self.mean_ += 0.1 * gradient
        parameters -= rate * namespace(gradient).clip(5 * self.mean_, -1, 1)
        return parameters


@LIBRARIES
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_own_pieces_of_the_standards_functions_train_there(library, dtype):
    data, rtol = (X.astype(dtype), y.astype(dtype)), 1e-8 if dtype == "float64" else 1e-4
    own = {"loss": Cauchy(), "solver": SmoothSigns()}
    assert_same_fit(library, network(activation=(bent, bent_slope), **own), *data, rtol=rtol)
    assert_same_fit(library, line(activation=(bent, bent_slope), **own), *data, rtol=rtol)


def test_a_library_whose_arrays_never_change_trains(monkeypatch):
    for name in ("add", "sub", "mul", "truediv"):  # `a += b` is `a = a + b` then, as with JAX
        monkeypatch.delattr(StrictArray, f"__i{name}__")
    for solver in [*sorted(solvers._BUILT_IN), SmoothSigns()]:
        assert_same_fit("strict", network(solver=solver, max_iter=4), X, y, WEIGHTS)
        assert_same_fit(
            "strict", line(solver=solver, loss="huber", learning_rate=0.05), X, Y, WEIGHTS
        )
    assert_same_fit("strict", line(activation="silu", learning_rate=0.1), X, Y)
    stopped = network(learning_rate=0.5, max_iter=12)
    there, _ = assert_same_fit("strict", stopped, X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert there.best_iter_ < 11

    class InPlaceOnly(SmoothSigns):
        def step(self, parameters, gradient, rate):
            parameters -= rate * gradient

    with pytest.raises(ValueError, match=r"'solver' parameter.*must move `parameters`.*return"):
        fitted_there("strict", network(solver=InPlaceOnly()), X, y)


class NumpyCauchy(Cauchy):
    curvature = 1.0

    def value(self, y_true, y_pred):
        return 0.5 * np.log1p((y_pred - y_true) ** 2)


class NumpySigns(SmoothSigns):
    def step(self, parameters, gradient, rate):
        parameters -= rate * np.sign(gradient)


@pytest.mark.parametrize(
    ("parameter", "piece", "what"),
    [
        ("activation", (np.arctan, bent_slope), r"__call__\(z\) (raised|must return)"),
        ("activation", (bent, np.cos), r"derivative\(z, a\) (raised|must return)"),
        ("activation", [(np.arctan, bent_slope), "tanh"], r"__call__\(z\) (raised|must return)"),
        ("output_activation", (np.arctan, bent_slope), r"__call__\(z\) (raised|must return)"),
        ("loss", NumpyCauchy(), r"value\(y_true, y_pred\) (raised|must return)"),
        ("solver", NumpySigns(), r"step\(parameters, gradient, rate\) (raised|must return)"),
    ],
)
@pytest.mark.parametrize("device", ["CPU_DEVICE", "device1"])
@pytest.mark.filterwarnings("ignore:.*learned nothing")  # few epochs
def test_own_pieces_of_numpys_functions_are_refused_there(parameter, piece, what, device):
    there = [strict.asarray(a, device=strict.Device(device)) for a in (X, y)]
    message = (
        rf"The '{parameter}' parameter, .*, must be written with functions of the array API "
        rf"standard for arrays of array_api_strict on device .*{device}.*\. {what}"
    )
    for estimator in (network(), line(learning_rate=0.05)):
        if parameter not in estimator.get_params() or (
            isinstance(piece, list) and isinstance(estimator, ThroughOriginRegressor)
        ):
            continue
        estimator.set_params(**{parameter: piece})
        with dispatched(), pytest.raises(ValueError, match=message):
            estimator.fit(*there)
        estimator.fit(X, y)


def test_what_came_of_a_piece_is_said():
    def first_column(z):
        return z if isinstance(z, np.ndarray) else z[:, :1]

    def number(z):
        return z if isinstance(z, np.ndarray) else 1.0

    for f, what in ((first_column, r"array_api_strict.*of shape \(2, 1\)"), (number, "float")):
        with pytest.raises(ValueError, match=rf"of shape \(2, 3\). It returned .*{what}"):
            fitted_there("strict", network(activation=(f, f)), X, y)


@LIBRARIES
def test_what_does_not_train_there_says_so(library):
    there = put(library, X), put(library, y)
    name = "torch" if library == "torch" else "array_api_strict"
    with dispatched():
        with pytest.raises(ValueError, match=rf"solver='lbfgs' runs on NumPy.*X is of {name}"):
            network(solver="lbfgs").fit(*there)
        for estimator in (network(), line()):
            with pytest.raises(ValueError, match=r"partial_fit\(\) takes NumPy arrays only"):
                estimator.partial_fit(*there)
            fitted = estimator.fit(*there)
            with pytest.raises(ValueError, match=r"current weights.*another library's"):
                fitted.partial_fit(X, y)
            with pytest.raises(ValueError, match=r"predict\(\) must use the same namespace"):
                fitted.predict(X)
            with pytest.raises(ValueError, match=r"same device as those passed to fit.*NumPy"):
                clone(estimator).fit(X, y).predict(there[0])
            with pytest.raises(ValueError, match="must not be negative"):
                estimator.fit(*there, put(library, -np.ones(90)))
            with pytest.raises(ValueError, match="zero for all rows"):
                estimator.fit(*there, put(library, np.zeros(90)))
            with pytest.raises(ValueError, match=r"(NaN|infinity)"):
                estimator.fit(put(library, np.where(X > 2, np.nan, X)), there[1])
            with pytest.raises(ValueError, match="real numbers"):
                estimator.fit(there[0], ["a"] * 90)
        with pytest.raises(ValueError, match="squares overflow"):
            line().fit(put(library, X * 1e200), there[1])
        with pytest.raises(ValueError, match="targets y overflow"):
            line().fit(put(library, X.astype(np.float32)), put(library, y * 1e200))
        with pytest.raises(ValueError, match="must have the columns of y"):
            network().fit(*there, X_val=there[0], y_val=put(library, Y))
        with pytest.raises(ValueError, match=r"X_val and y_val must be .* y contains inf"):
            network().fit(*there, X_val=there[0], y_val=put(library, np.where(y > 1, np.inf, y)))
        with pytest.raises(ValueError, match="such as X and y"):
            network().fit(*there, X_val=there[0], y_val=put(library, y[1:]))
    with pytest.raises(ValueError, match="array_api_dispatch=True, which is not set"):
        fitted.predict(X)


@LIBRARIES
@pytest.mark.parametrize("estimator", [network(), line()], ids=["network", "line"])
def test_rows_are_real_numbers_and_dense(library, estimator):
    there, targets = put(library, X), put(library, y)
    wrong = [("dense", csr_array(X)), ("real numbers", X + 1j)]
    if library == "torch":
        tensors = [("dense", there.to_sparse()), ("real numbers", put(library, X + 0j))]
        for message, rows in tensors:
            with dispatched():
                fitted = clone(estimator).fit(there, targets)
                with pytest.raises(ValueError, match=f"X must be {message}"):
                    clone(estimator).fit(rows, targets)
                with pytest.raises(ValueError, match=f"X must be {message}"):
                    fitted.predict(rows)
                with pytest.raises(ValueError, match=f"targets y must be {message}"):
                    clone(estimator).fit(there, rows[:, 0])
        wrong += tensors
    if isinstance(estimator, FeedForwardRegressor):
        for message, rows in wrong:
            with dispatched(), pytest.raises(ValueError, match=f"X_val must be {message}"):
                clone(estimator).fit(there, targets, X_val=rows, y_val=targets)


@LIBRARIES
@pytest.mark.filterwarnings("ignore:.*learned nothing")  # few epochs
def test_neurons_want_rows_of_numpys(library):
    neuron, labels = PerceptronClassifier(), y > 0
    message = "PerceptronClassifier takes NumPy arrays only. Got {} of"
    with dispatched():
        for fit in (neuron.fit, neuron.partial_fit):
            with pytest.raises(ValueError, match=message.format("X")):
                fit(put(library, X), labels)
        with pytest.raises(ValueError, match="X_val and y_val .*: " + message.format("X")):
            neuron.fit(X, labels, X_val=put(library, X), y_val=labels)
        with pytest.raises(ValueError, match=message.format("X")):
            neuron.fit(X, labels).predict(put(library, X))


def test_tensors_bring_no_graph_along():
    rows = put("torch", X).requires_grad_()
    with dispatched():
        fitted = network().fit(rows, put("torch", y))
        assert not fitted.coefs_[0].requires_grad
        assert not fitted.predict(rows).requires_grad
        assert not line().fit(rows, put("torch", y)).coef_.requires_grad
    assert rows.grad is None


def test_the_given_arrays_are_not_changed_and_not_shared():
    rows, targets = put("torch", X), put("torch", y)
    with dispatched():
        fitted = network(hidden_layer_sizes=()).fit(rows, targets)
    assert_array_equal(rows.numpy(), X)
    assert_array_equal(targets.numpy(), y)
    storage = {coef.untyped_storage().data_ptr() for coef in (*fitted.coefs_, *fitted.intercepts_)}
    assert len(storage) == 2  # each array has its own: it pickles alone


def test_a_device_without_double_precision():
    devices = strict.__array_namespace_info__().devices()
    device = next((d for d in devices if "no_float64" in str(d)), None)
    if device is None:
        pytest.skip("this array-api-strict has no such device")
    data = [strict.asarray(a.astype(np.float32), device=device) for a in (X, y)]
    with dispatched():
        for estimator, rtol in ((network(), 1e-4), (line(tol=1e-4, max_iter=200), 1e-3)):
            there = clone(estimator).fit(*data)
            here = clone(estimator).fit(X.astype(np.float32), y.astype(np.float32))
            assert_allclose(there.loss_, here.loss_, rtol=rtol)


@LIBRARIES
def test_callbacks_hear_of_every_epoch_and_end_the_fit(library):
    pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")

    class Watcher:
        requires_fitted_estimator = True

        def setup(self, estimator, context):
            self.seen = []

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
            if context.parent is None:
                return False
            self.seen.append((type(X), host(fitted_estimator.predict(X[:1, ...])).shape))
            return len(self.seen) == 3

        def teardown(self, estimator, context):
            pass

    for estimator, y in (
        (network(early_stopping=True), Y[:, 0]),
        (line(solver="gd"), Y[:, 0]),
        (classifier(early_stopping=True), CODES),
    ):
        watcher = Watcher()
        with dispatched():
            fitted = clone(estimator).set_callbacks(watcher).fit(put(library, X), put(library, y))
        assert fitted.n_iter_ == 3
        assert watcher.seen == [(type(put(library, X)), (1,))] * 3


def test_a_checkpoint_is_refused():
    pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")
    pytest.importorskip("skops", reason="skops is not installed")
    from sklearn_gd.callbacks import Checkpoint

    for estimator, targets in ((network(), y), (classifier(), CODES)):
        estimator.set_callbacks(Checkpoint("never_written"))
        with dispatched(), pytest.raises(ValueError, match="Checkpoint keeps fits on NumPy"):
            estimator.fit(put("strict", X), put("strict", targets))


@LIBRARIES
def test_a_pipeline_stays_there(library):
    if sklearn.__version__ < "1.8":
        pytest.skip("the scaler of scikit-learn before 1.8 does not stay there")
    pipeline = make_pipeline(StandardScaler(), network())
    expected = clone(pipeline).fit(X, y).predict(X)
    with dispatched():
        with np.errstate(invalid="ignore"):  # of the scaler, on arrays that are NumPy's inside
            pipeline.fit(put(library, X), put(library, y))
        got = pipeline.predict(put(library, X))
    assert_allclose(host(got), expected, rtol=1e-8, atol=1e-10)


def test_a_fitted_model_moves_to_numpy():
    helpers = pytest.importorskip("sklearn.utils._array_api")
    if not hasattr(helpers, "move_estimator_to"):
        pytest.skip("came with scikit-learn 1.9")
    for estimator in (network(), line(activation="tanh"), classifier()):
        targets = CODES if isinstance(estimator, FeedForwardClassifier) else y
        there = fitted_there("torch", estimator, X, targets)
        here = helpers.move_estimator_to(there, np, "cpu")
        with dispatched():
            expected = there.predict(put("torch", X)).numpy()
        assert_allclose(here.predict(X), expected, rtol=1e-12)


def test_without_dispatch_tensors_are_made_numpys():
    for estimator, y in ((network(), Y[:, 0]), (line(), Y[:, 0]), (classifier(), CODES)):
        fitted = clone(estimator).fit(put("torch", X), put("torch", y))
        expected = clone(estimator).fit(X, y)
        assert isinstance(fitted.predict(put("torch", X)), np.ndarray)
        assert_array_equal(fitted.predict(X), expected.predict(X))


@pytest.mark.filterwarnings(f"default::{ConvergenceWarning.__module__}.ConvergenceWarning")
@pytest.mark.parametrize(
    "estimator",
    [
        ThroughOriginRegressor(),
        FeedForwardRegressor(),
        FeedForwardClassifier(),
        PerceptronClassifier(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_scikit_learn_accepts_it_with_the_array_api(estimator):
    by_row = [f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")]
    expected = by_row if isinstance(estimator, PerceptronClassifier) else []
    results = check_estimator(
        estimator, on_skip=None, expected_failed_checks=dict.fromkeys(expected, "row by row")
    )
    passed = {result["check_name"] for result in results if result["status"] == "passed"}
    supports, recent = estimator.__sklearn_tags__().array_api_support, sklearn.__version__ >= "1.9"
    wanted = {"check_array_api_input"} if supports or recent else set()
    if supports and recent:
        wanted |= {"check_array_api_same_namespace"}
        wanted |= {"check_array_api_mixed_inputs"} if find_spec("torch") else set()
    assert wanted <= passed


@LIBRARIES
def test_a_model_is_exported_from_there(library):
    to_onnx = pytest.importorskip("skl2onnx", reason="ONNX export needs skl2onnx").to_onnx
    runtime = pytest.importorskip("onnxruntime", reason="exported models run in onnxruntime")
    sklearn_gd.onnx.register()
    for estimator, targets in ((network(), Y), (line(activation="tanh"), Y), (line(), y)):
        there = fitted_there(library, estimator, X, targets)
        exported = to_onnx(there, X[:1]).SerializeToString()
        session = runtime.InferenceSession(exported, providers=["CPUExecutionProvider"])
        expected = clone(estimator).fit(X, targets).predict(X).reshape(len(X), -1)
        assert_allclose(session.run(None, {"X": X})[0], expected, rtol=1e-8, atol=1e-10)
    there = fitted_there(library, classifier(), X, CODES)
    exported = to_onnx(there, X[:1], options={"zipmap": False}).SerializeToString()
    session = runtime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    labels, p = session.run(None, {"X": X})
    here = classifier().fit(X, CODES)
    assert_array_equal(labels, here.predict(X))
    assert_allclose(p, here.predict_proba(X), rtol=1e-8)


@LIBRARIES
def test_a_network_is_drawn_from_there(library):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib").use("Agg")
    from sklearn_gd.inspection import NetworkDisplay

    for estimator, targets in ((network(), Y), (classifier(), CODES)):
        there, here = fitted_there(library, estimator, X, targets), estimator.fit(X, targets)
        drawn, expected = map(NetworkDisplay.from_estimator, (there, here))
        for got, weights in zip(drawn.coefs, expected.coefs, strict=True):
            assert_allclose(got, weights, rtol=1e-8, atol=1e-10)


def test_the_page_runs_and_prints_what_it_shows(capsys):
    torch()
    pytest.importorskip("array_api_compat", reason="the page's own piece takes functions from it")
    pytest.importorskip("sklearn.callback", reason="the page moves a model as in scikit-learn 1.9")
    page = Path(__file__).parents[2] / "docs" / "array_api.md"
    text = page.read_text(encoding="utf-8")
    namespace = {"__name__": "block"}
    for code in re.findall(r"^```py\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        exec(compile(code, str(page), "exec"), namespace)
        shown = re.findall(r"^\s*print\(.*\)  # (.*)$", code, flags=re.MULTILINE)
        assert shown
        assert capsys.readouterr().out.splitlines() == shown


@LIBRARIES
@pytest.mark.parametrize(
    "params",
    [{"dropout": [0.3, 0.1]}, {"loss": losses.Pinball((0.1, 0.5, 0.8))}],
    ids=["dropout", "quantiles"],
)
def test_networks_with_dropout_or_several_quantiles(library, params):
    net = FeedForwardRegressor(hidden_layer_sizes=(8, 5), batch_size=20, **SHORT, **params)
    assert_same_fit(library, net, X, y)


@LIBRARIES
def test_hidden_layer_outputs_are_numpys(library):
    net = FeedForwardRegressor(hidden_layer_sizes=(8, 5), **SHORT)
    there, here = fitted_there(library, net, X, y), clone(net).fit(X, y)
    with dispatched():
        found = there.hidden_layer_outputs(put(library, X))
    for one, other in zip(found, here.hidden_layer_outputs(X), strict=True):
        assert type(one) is type(put(library, X))
        assert_allclose(host(one), other, rtol=1e-8)
