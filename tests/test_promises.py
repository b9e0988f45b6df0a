"""What a fit promises, each promise named after a way in which fits are known to go wrong."""

import pickle
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import cloudpickle
import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_linnerud,
    load_wine,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler, scale

from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd.exceptions import DivergenceError

RAW = [load_diabetes, load_wine, load_breast_cancer, load_linnerud, load_digits, load_iris]


def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X * 20, (y - y.mean()) / y.std()


def net(**params):
    """Return a small network on columns and targets as they are."""
    base = {"hidden_layer_sizes": 8, "learning_rate": 0.01, "random_state": 0}
    base |= {"activation": "relu", "max_iter": 200, "batch_size": 200}
    base["standardize"] = False
    return FeedForwardRegressor(**base | params)


EVERY = {
    "line": ThroughOriginRegressor(),
    "step": PerceptronClassifier(random_state=0, max_iter=10, tol=None),
    "smooth": PerceptronClassifier(activation="tanh", random_state=0, max_iter=10, tol=None),
    "net": net(max_iter=10, tol=None),
    "robust net": net(max_iter=10, tol=None, standardize="robust"),
    "standard net": net(max_iter=10, tol=None, standardize="standard"),
}


def rows_for(name):
    if name in ("step", "smooth"):
        X, y = load_breast_cancer(return_X_y=True)
        return scale(X)[:200], y[:200]
    X, y = diabetes()
    return X[:200], y[:200]


def weights_of(model):
    return [*model.coefs_, *model.intercepts_] if hasattr(model, "coefs_") else [model.coef_]


def assert_same_weights(one, other):
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        assert_array_equal(a, b)


# --- divergence -------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.5, 5.0, 1e3, 1e30])
@pytest.mark.parametrize("solver", ["gd", "momentum", "nesterov"])
def test_nan_is_noticed_in_its_epoch(rate, solver):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(DivergenceError, match=r"diverged in epoch \d+") as caught:
        net(solver=solver, learning_rate=rate, hidden_layer_sizes=50).fit(X * 100, y)
    finite = np.isfinite(caught.value.loss_curve)
    assert finite[:-1].all()


def test_early_stopping_does_not_hide_a_divergence():
    X, y = load_diabetes(return_X_y=True)
    model = net(solver="gd", learning_rate=1.0, early_stopping=True)
    with pytest.raises(DivergenceError):
        model.fit(X * 100, y)


def test_finite_blow_ups_are_noticed():
    X, y = load_diabetes(return_X_y=True)
    line = ThroughOriginRegressor(solver="gd", learning_rate=1.0, max_iter=30, tol=None)
    with pytest.raises(DivergenceError, match="has grown to"):
        line.fit(X * 50, y)


def test_an_explosion_in_the_first_epoch_is_noticed():
    """Later losses would be compared with that of the first epoch, however large."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    # After the explosion all units are silent, and the loss is that of a constant.
    model = net(solver="gd", hidden_layer_sizes=20, learning_rate=0.05, max_iter=500)
    with pytest.raises(DivergenceError, match=r"in epoch 1: its loss has grown to .* at first"):
        model.fit(X, y)
    # A start far from the targets is no explosion.
    X, y = load_diabetes(return_X_y=True)
    far = net(init="he", hidden_layer_sizes=20, max_iter=3, tol=None, learning_rate=1e-12)
    assert far.fit(X * 1e6, y / 1e6).loss_ > 1e4 * np.var(y / 1e6)


@pytest.mark.parametrize(
    ("model", "advice"),
    [
        (net(max_iter=2), "learning_rate or solver"),
        (net(max_iter=2, solver="lbfgs"), "larger max_iter, or standardize='robust'"),
        (net(max_iter=2, standardize="robust"), "larger max_iter, or another learning_rate"),
        (ThroughOriginRegressor(max_iter=2), "Raise max_iter\\. If columns"),
        (PerceptronClassifier(max_iter=2), "average=True is more stable"),
        (
            PerceptronClassifier(activation="tanh", max_iter=2),
            "Raise max_iter, or try another learning_rate or solver",
        ),
        (
            PerceptronClassifier(activation="tanh", max_iter=2, standardize=False),
            "Set standardize='standard', raise max_iter",
        ),
    ],
    ids=str,
)
def test_a_warning_advises_what_the_estimator_has(model, advice):
    X, y = load_wine(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match=advice) as caught:
        model.fit(scale(X) / 10, y if is_classifier(model) else y - 0.3)
    message = str(caught[0].message)
    if getattr(model, "solver", None) == "lbfgs":  # it has no learning rate
        assert "learning_rate" not in message
    if isinstance(model, ThroughOriginRegressor):  # to centre the columns would change the model
        assert "StandardScaler" not in message


@pytest.mark.parametrize("load", [load_diabetes, load_wine, load_iris])
def test_slow_divergence_is_noticed(load):
    X, y = load(return_X_y=True)
    largest = ThroughOriginRegressor().fit(X, y.astype(float)).max_learning_rate_
    line = ThroughOriginRegressor(
        solver="gd", learning_rate=2.1 / 2 * largest, max_iter=1000, tol=None
    )
    with pytest.raises(DivergenceError, match=f"largest stable one is {largest:.6g}"):
        line.fit(X, y.astype(float))


def test_a_slowly_diverging_neuron_is_noticed():
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    stable = PerceptronClassifier(activation="identity", batch_size=569, max_iter=1, tol=None)
    rate = 2.1 * stable.fit(X, y).learning_rate_
    neuron = PerceptronClassifier(
        activation="identity", batch_size=569, learning_rate=rate, max_iter=1000, tol=None
    )
    with pytest.raises(DivergenceError, match="largest stable one"):
        neuron.fit(X, y)


@pytest.mark.parametrize(
    "model",
    [
        net(solver="gd", batch_size=None, learning_rate=1e10),
        net(solver="gd", batch_size=None, learning_rate=1e200, hidden_layer_sizes=()),
        ThroughOriginRegressor(solver="gd", learning_rate=1e10),
        PerceptronClassifier(activation="identity", learning_rate=1e10),
    ],
    ids=str,
)
def test_a_last_step_that_goes_too_far_is_noticed(model):
    X, y = diabetes()
    if isinstance(model, PerceptronClassifier):
        y = y > 0
    with pytest.raises(DivergenceError, match="diverged in epoch 1"):
        clone(model).set_params(max_iter=1, tol=None).fit(X, y)


def test_a_rise_that_max_iter_cuts_short_is_told():
    X, y = diabetes()
    largest = ThroughOriginRegressor().fit(X, y).max_learning_rate_
    line = ThroughOriginRegressor(solver="gd", learning_rate=1.05 * largest, max_iter=40, tol=None)
    with pytest.warns(ConvergenceWarning, match=f"the largest stable one is {largest:.6g}"):
        line.fit(X, y)
    assert line.loss_ > line.loss_curve_[0]


@pytest.mark.parametrize(
    "model",
    [
        ThroughOriginRegressor(activation="relu", solver="gd", max_iter=2000, tol=None),
        PerceptronClassifier(
            activation="relu", fit_intercept=False, batch_size=60, max_iter=300, tol=None
        ),
    ],
    ids=str,
)
def test_the_first_step_from_a_flat_start_takes_the_rate_too(model):
    rng = np.random.default_rng(0)
    X = np.abs(rng.normal(size=(60, 3))) * 1e3
    y = X @ [1.0, 2.0, 3.0]
    if isinstance(model, PerceptronClassifier):
        y = y > np.median(y)
    rate = clone(model).set_params(max_iter=1).fit(X, y).learning_rate_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = clone(model).set_params(learning_rate=float(np.min(rate)) / 2).fit(X, y)
    assert fitted.loss_curve_[0] <= np.mean(np.square(y, dtype=float)) + 1
    assert fitted.loss_ <= fitted.loss_curve_[0]


@pytest.mark.parametrize("load", RAW)
@pytest.mark.filterwarnings("ignore:.*reached max_iter:sklearn.exceptions.ConvergenceWarning")
def test_no_false_alarm_on_raw_data_with_default_settings(load):
    X, y = load(return_X_y=True)
    for model in (ThroughOriginRegressor(), FeedForwardRegressor(random_state=0, max_iter=40)):
        model.fit(X, y.astype(float))
        assert np.isfinite(model.predict(X)).all()
    if y.ndim == 1 and load is not load_diabetes:
        for activation in ("step", "sigmoid", "tanh", "relu"):
            neuron = PerceptronClassifier(activation=activation, random_state=0, max_iter=50)
            assert np.isfinite(neuron.fit(X, y).loss_)


def test_a_grid_of_nothing_but_bad_rates_says_so():
    X, y = diabetes()
    grid = GridSearchCV(net(solver="gd"), {"learning_rate": [1e4, 1e6]}, cv=2)
    with pytest.raises(ValueError, match="All the 4 fits failed"):
        grid.fit(X, y)


# --- stopping ---------------------------------------------------------------------------------


@pytest.mark.parametrize("c", [1e-6, 1e-3, 1e3, 1e6])
def test_tolerance_has_no_units_for_the_line(c):
    X, y = load_diabetes(return_X_y=True)
    plain, scaled = ThroughOriginRegressor().fit(X, y), ThroughOriginRegressor().fit(X, c * y)
    assert scaled.n_iter_ == plain.n_iter_
    assert_allclose(scaled.predict(X), c * plain.predict(X), rtol=1e-9)


@pytest.mark.parametrize("c", [1e-6, 1e-3, 1e3, 1e6])
def test_tolerance_has_no_units_for_the_network(c):
    X, y = diabetes()
    for solver, units in (("gd", 1.0), ("adam", c)):  # adam's steps have the units of the weights
        params = {"hidden_layer_sizes": (), "max_iter": 500, "solver": solver}
        plain = net(**params).fit(X, y)
        scaled = net(**params, learning_rate=0.01 * units).fit(X, c * y)
        assert r2_score(c * y, scaled.predict(X)) >= r2_score(y, plain.predict(X)) - 1e-6
        assert abs(scaled.n_iter_ - plain.n_iter_) <= (solver == "adam")


@pytest.mark.parametrize("c", [1e-6, 1e-3, 1e3, 1e6])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.filterwarnings("ignore:.*reached max_iter:sklearn.exceptions.ConvergenceWarning")
def test_tolerance_of_lbfgs_has_no_units(c, dtype):
    X, y = diabetes()
    X = X.astype(dtype)
    model = net(solver="lbfgs", activation="tanh", max_iter=500, tol=1e-5)
    plain = r2_score(y, model.fit(X, y).predict(X))
    assert r2_score(y, model.fit(X, c * y).predict(X) / c) > plain - 0.05


def test_lbfgs_that_begins_at_a_minimum_is_done():
    X, _ = diabetes()
    model = net(solver="lbfgs", early_stopping=True).fit(X, np.zeros(len(X)))
    assert model.loss_ == model.best_loss_ == 0
    assert model.n_iter_ == len(model.validation_loss_curve_) == 1


@pytest.mark.parametrize("patience", [1, 2, 5, 10])
@pytest.mark.parametrize("watched", [False, True])
def test_patience_is_counted_exactly(patience, watched):
    X, y = diabetes()
    model = net(n_iter_no_change=patience, tol=0.01, max_iter=500, early_stopping=watched)
    model.fit(X, y)
    curve = model.validation_loss_curve_ if watched else model.loss_curve_
    best, waited = np.inf, 0
    for loss in curve:
        assert waited < patience
        # Relative to the best constant's loss on the rows that are trained on: nearly 1 here.
        improved = loss < best - 0.01
        waited = 0 if improved else waited + 1
        best = min(best, loss)
    assert waited == patience


def test_warm_refits_on_shifted_targets_do_not_stop_at_once():
    X, y = diabetes()
    model = net(warm_start=True, max_iter=500, batch_size=50).fit(X, y)
    model.fit(X, y + 100)
    assert model.n_iter_ > 20
    line = ThroughOriginRegressor(warm_start=True).fit(X, y).fit(X, y + 100 * X[:, 0])
    assert line.score(X, y + 100 * X[:, 0]) > 0.99


def test_best_weights_are_copies_that_a_warm_refit_does_not_move():
    X, y = diabetes()
    model = net(early_stopping=True, warm_start=True, max_iter=30, tol=None).fit(X, y)
    kept = [W.copy() for W in weights_of(model)]
    held = weights_of(model)
    model.fit(X, -y)
    for before, array in zip(kept, held, strict=True):
        assert_array_equal(array, before)
    watched = net(max_iter=40, tol=None)
    watched.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert_allclose(
        mean_squared_error(y[300:], watched.predict(X[300:])), watched.best_loss_, rtol=1e-12
    )


def test_early_stopping_returns_the_best_epoch_and_not_the_last():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5))
    y = X[:, 0] + 0.5 * rng.normal(size=80)
    model = net(
        hidden_layer_sizes=100, early_stopping=True, max_iter=300, tol=None, learning_rate=0.05
    ).fit(X, y)
    assert model.validation_loss_curve_[-1] > 1.5 * model.best_loss_
    assert model.best_loss_ == min(model.validation_loss_curve_)


def test_tiny_data_validate_by_loss_on_one_row():
    X, y = diabetes()
    model = net(early_stopping=True, max_iter=5, tol=None, standardize="robust")
    model.fit(X[:4], y[:4])
    assert np.isfinite(model.validation_loss_curve_).all()
    neuron = PerceptronClassifier(random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        neuron.fit(X[:10], y[:10] > 0, X_val=X[10:11], y_val=y[10:11] > 0)
    assert neuron.best_loss_ in (0.0, 1.0)


@pytest.mark.parametrize("rate", [1e-5, 1.0, 1e5])
def test_perceptron_stops_at_its_first_clean_epoch_whatever_the_rate(rate):
    X, y = load_iris(return_X_y=True)
    neuron = PerceptronClassifier(learning_rate=rate, tol=None, random_state=0)
    neuron.fit(X[:100], y[:100])
    reference = PerceptronClassifier(tol=None, random_state=0).fit(X[:100], y[:100])
    assert neuron.n_iter_ == reference.n_iter_ < 100
    assert neuron.loss_curve_[-1] == 0 < min(neuron.loss_curve_[:-1])


# --- one definition of loss -------------------------------------------------------------------


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_one_step_is_the_derivative_of_the_loss_reported(n_outputs):
    X, y = diabetes()
    Y = np.column_stack([y] * n_outputs) + np.arange(n_outputs)
    model = net(hidden_layer_sizes=(), solver="gd", batch_size=None, max_iter=1, tol=None)
    model.fit(X, Y)  # output weights start at 0
    assert_allclose(model.coefs_[0], 0.01 * 2 * X.T @ Y / Y.size, rtol=1e-10)
    assert_allclose(model.loss_curve_[0], np.mean(Y**2))
    assert_allclose(model.loss_, mean_squared_error(Y, model.predict(X)))


@pytest.mark.parametrize("batch_size", [1, 10, 200, None])
def test_weighted_loss_does_not_depend_on_the_batch_size(batch_size):
    X, y = diabetes()
    weights = np.random.default_rng(0).uniform(0, 3, len(y))
    model = net(max_iter=1, tol=None, batch_size=batch_size, learning_rate=1e-300)
    model.fit(X, y, weights)
    assert_allclose(model.loss_, np.average(y**2, weights=weights))
    assert_allclose(model.loss_curve_[0], model.loss_)


@pytest.mark.parametrize("batch_size", [1, 10, 442])
def test_l2_does_not_depend_on_the_batch_size(batch_size):
    X, y = diabetes()
    model = net(
        hidden_layer_sizes=(), batch_size=batch_size, solver="gd", alpha=0.5, learning_rate=1e-3
    )
    model.set_params(shuffle=False, tol=None, max_iter=1, warm_start=True)
    model.coefs_, model.intercepts_ = [np.ones((10, 1))], [np.zeros(1)]
    steps = 442 // batch_size + (442 % batch_size > 0)
    model.fit(0 * X, 0 * y)
    assert_allclose(model.coefs_[0], (1 - 1e-3 * 0.5) ** steps, rtol=1e-10)


# --- what stays, and what does not ------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_fits_do_not_leak_into_each_other(name):
    X, y = rows_for(name)
    used = clone(EVERY[name]).fit(X[::2], y[::2])
    used.partial_fit(X, y)
    assert_same_weights(used.fit(X, y), clone(EVERY[name]).fit(X, y))


@pytest.mark.parametrize("name", EVERY)
def test_pickles_hold_what_predict_needs(name):
    X, y = rows_for(name)
    model = clone(EVERY[name])
    if name == "net":
        model.set_params(hidden_layer_sizes=300, early_stopping=True)
    model.fit(X, y)
    if name == "net":
        model.set_params(early_stopping=False)
    size = sum(W.nbytes for W in weights_of(model))
    assert len(pickle.dumps(model)) < size + 6000
    model.partial_fit(X, y)
    held = len(pickle.dumps(model))
    if name == "net":  # adam's two moments and its scratch are needed to go on
        assert held > 3 * size


@pytest.mark.parametrize("name", EVERY)
def test_partial_fit_after_unpickling_changes_what_predict_says(name):
    X, y = rows_for(name)
    model = clone(EVERY[name]).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    again.partial_fit(-X, y)
    assert not np.array_equal(weights_of(again)[0], weights_of(model)[0])
    score = again.decision_function if hasattr(again, "classes_") else again.predict
    before = model.decision_function if hasattr(again, "classes_") else model.predict
    assert not np.array_equal(score(X), before(X))


def test_an_integer_seed_does_not_repeat_the_same_shuffle_in_every_partial_fit():
    X, y = diabetes()
    model, orders = net(batch_size=1, solver="gd", shuffle=True), []
    for _ in range(3):
        model.partial_fit(X, y)
        orders.append(model._learner.generator.permutation(5).tolist())
    assert len({tuple(order) for order in orders}) > 1


# --- odd data ---------------------------------------------------------------------------------

ODD = {
    "one row": lambda X, y: (X[:1], y[:1]),
    "one feature": lambda X, y: (X[:, :1], y),
    "constant y": lambda X, y: (X, np.full(len(y), 3.0)),
    "zero y": lambda X, y: (X, np.zeros(len(y))),
    "zero X": lambda X, y: (0 * X, y),
    "exact fit": lambda X, y: (X, X @ np.arange(X.shape[1])),
    "y of 1e12": lambda X, y: (X, (1e12 * y).astype(np.int64)),
    "column of y": lambda X, y: (X, y[:, None]),
    "Fortran order": lambda X, y: (np.asfortranarray(X), y),
    "big-endian": lambda X, y: (X.astype(">f8"), y.astype(">f8")),
    "integers": lambda X, y: ((10 * X).astype(np.int32), (10 * y).astype(np.int16)),
    "lists": lambda X, y: (X.tolist(), y.tolist()),
    "strided": lambda X, y: (X[::2, ::2], y[::2]),
    "reversed": lambda X, y: (X[::-1], y[::-1]),
    "half precision": lambda X, y: (X.astype(np.float16), y),
    "coo": lambda X, y: (sparse.coo_array(X), y),
    "csc": lambda X, y: (sparse.csc_matrix(X), y),
    "long indices": lambda X, y: (long_indices(X), y),
}


def long_indices(X):
    X = sparse.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def read_only(X, y):
    X.flags.writeable = y.flags.writeable = False
    return X, y


def unaligned(X, y):
    raw = bytearray(X.nbytes + 1)
    view = np.frombuffer(raw, np.uint8)[1:].view(X.dtype).reshape(X.shape)
    view[:] = X
    assert not view.flags.aligned
    return view, y


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.filterwarnings("ignore:A column-vector y:sklearn.exceptions.DataConversionWarning")
@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined")
@pytest.mark.filterwarnings("ignore:.*learned nothing")  # there is nothing in columns of zeros
def test_odd_data(kind, name):
    X, y = rows_for(name)
    classify = name in ("step", "smooth")
    if classify and kind in ("one row", "constant y", "zero y", "exact fit", "y of 1e12"):
        kind = "zero X"
    if classify and kind == "big-endian":
        X, y = X.astype(">f8"), y.astype(">i4")
    else:
        X, y = ODD[kind](X, y)
    model = clone(EVERY[name]).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (np.shape(y) if not classify else (len(predicted),))
    if not classify:
        assert np.isfinite(predicted).all()
        assert np.isfinite(model.loss_)
    if kind == "exact fit" and name == "line":
        assert model.loss_ < 1e-12 * np.mean(np.square(y))
        assert_allclose(model.predict(X), y, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("change", [read_only, unaligned])
@pytest.mark.parametrize("name", EVERY)
def test_memory_of_any_kind_gives_the_same_weights(change, name):
    X, y = rows_for(name)
    plain = clone(EVERY[name]).fit(X, y)
    other = clone(EVERY[name]).fit(*change(X.copy(), y.copy()))
    for a, b in zip(weights_of(other), weights_of(plain), strict=True):
        assert_allclose(a, b, rtol=1e-9)  # BLAS sums unaligned rows in another order


@pytest.mark.parametrize("name", EVERY)
def test_memory_maps_and_the_inputs_are_left_alone(name, tmp_path):
    X, y = rows_for(name)
    plain = clone(EVERY[name]).fit(X, y)
    np.save(tmp_path / "X", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    weights = np.ones(len(y))
    before = X.copy(), y.copy()
    assert_same_weights(clone(EVERY[name]).fit(mapped, y), plain)
    clone(EVERY[name]).fit(X, y, weights)
    classes = {"classes": [0, 1]} if name in ("step", "smooth") else {}
    clone(EVERY[name]).partial_fit(X, y, **classes)
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])
    assert (weights == 1).all()


@pytest.mark.parametrize(
    "model",
    [
        net(max_iter=2, tol=None),
        net(max_iter=2, tol=None, batch_size=None),
        net(max_iter=2, tol=None, solver="lbfgs"),
        net(max_iter=2, tol=None, standardize="robust"),
        net(max_iter=2, tol=None, standardize="robust", solver="lbfgs"),
        net(max_iter=2, tol=None, standardize="standard", batch_size=None),
        PerceptronClassifier(max_iter=2, tol=None),
        PerceptronClassifier(activation="tanh", max_iter=2, tol=None),
        ThroughOriginRegressor(),
    ],
    ids=str,
)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_no_fit_copies_its_rows(model, early_stopping):
    X = np.random.default_rng(0).normal(size=(150_000, 40))
    y = X[:, 0] + X[:, 1] ** 2
    if isinstance(model, PerceptronClassifier):
        y = y > 1
    if not isinstance(model, ThroughOriginRegressor):
        model = clone(model).set_params(early_stopping=early_stopping)
    model.fit(X[:500], y[:500])  # what the first fit imports is not counted
    tracemalloc.start()
    model.fit(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.6 * X.nbytes


@pytest.mark.parametrize("early_stopping", [False, True])
def test_string_labels(early_stopping):
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"], dtype=object)[y]
    neuron = PerceptronClassifier(early_stopping=early_stopping, random_state=0).fit(X, names)
    assert set(neuron.predict(X)) <= set(names)
    assert list(neuron.classes_) == ["setosa", "versicolor", "virginica"]


@pytest.mark.parametrize("name", EVERY)
def test_columns_of_y_are_never_broadcast(name):
    X, y = rows_for(name)
    if name in ("step", "smooth"):
        with pytest.warns(match="column-vector"):
            column = clone(EVERY[name]).fit(X, y[:, None])
    else:
        column = clone(EVERY[name]).fit(X, y[:, None])
    flat = clone(EVERY[name]).fit(X, y)
    assert_allclose(np.ravel(weights_of(column)[0]), np.ravel(weights_of(flat)[0]), rtol=1e-12)


# --- others' machinery ------------------------------------------------------------------------


# Where the benchmarks' tests came first, JAX is loaded and warns of forks; no child runs it.
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_backends_agree(name, backend):
    X, y = rows_for(name)
    alone = cross_val_score(clone(EVERY[name]), X, y, cv=3)
    with joblib.parallel_config(backend, n_jobs=2):
        assert_array_equal(cross_val_score(clone(EVERY[name]), X, y, cv=3), alone)


def test_an_activation_given_as_a_lambda():
    X, y = diabetes()
    square = (lambda z: z * z, lambda z: 2 * z)
    model = net(activation=square, max_iter=3, tol=None, standardize="robust")
    assert clone(model).fit(X, y).n_iter_ == 3
    scores = cross_val_score(model, X, y, cv=2)
    with joblib.parallel_config("loky", n_jobs=2):
        assert_array_equal(cross_val_score(model, X, y, cv=2), scores)
    again = cloudpickle.loads(cloudpickle.dumps(model.fit(X, y)))
    assert_array_equal(again.predict(X), model.predict(X))
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(model)


@pytest.mark.parametrize("name", EVERY)
def test_eight_threads_fit_and_predict_as_one_does(name):
    X, y = rows_for(name)
    serial = clone(EVERY[name]).fit(X, y)
    with ThreadPoolExecutor(8) as pool:
        fitted = list(pool.map(lambda _: clone(EVERY[name]).fit(X, y), range(16)))
        predictions = list(pool.map(lambda _: serial.predict(X), range(16)))
    for model in fitted:
        assert_same_weights(model, serial)
    for predicted in predictions:
        assert_array_equal(predicted, predictions[0])


@pytest.mark.parametrize("name", ["step", "net"])
def test_validation_sets_go_through_pipelines(name):
    X, y = rows_for(name)
    model = clone(EVERY[name])
    with config_context(enable_metadata_routing=True):
        routed = clone(model).set_fit_request(
            X_val=True, y_val=True, sample_weight_val=True, sample_weight=True
        )
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = Pipeline([("scale", scaler), ("model", routed)], transform_input=["X_val"])
        pipe.fit(X[:150], y[:150], X_val=X[150:], y_val=y[150:], sample_weight=np.ones(150))
    scaler = StandardScaler().fit(X[:150])
    model.fit(
        scaler.transform(X[:150]),
        y[:150],
        np.ones(150),
        X_val=scaler.transform(X[150:]),
        y_val=y[150:],
    )
    assert_array_equal(pipe[-1].validation_loss_curve_, model.validation_loss_curve_)
    assert_same_weights(pipe[-1], model)


@pytest.mark.parametrize("name", EVERY)
def test_verbose_prints_a_line_an_epoch_and_less_on_long_runs(name, capsys):
    X, y = rows_for(name)
    model = clone(EVERY[name]).set_params(verbose=True, max_iter=12, tol=None).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Epoch 1, loss = ")
    assert len(lines) == 12
    assert_allclose(float(lines[-1].split()[-1]), model.loss_curve_[-1], rtol=1e-7)
    model.set_params(max_iter=3000).fit(X, y)
    assert len(capsys.readouterr().out.splitlines()) <= 101


@pytest.mark.parametrize("max_iter", [12, 3000])
@pytest.mark.parametrize("name", EVERY)
def test_verbose_may_be_a_stride(name, max_iter, capsys):
    X, y = rows_for(name)
    model = clone(EVERY[name]).set_params(verbose=5, max_iter=max_iter, tol=None).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    epochs = [int(line.split()[1].strip(",")) for line in lines]
    assert epochs == sorted({*range(1, model.n_iter_ + 1, 5), model.n_iter_})
