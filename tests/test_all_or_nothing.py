"""An estimator has one whole state or another: after interrupts, and seen from another thread."""

import inspect
import itertools
import sys
import threading
import time
import warnings
from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning

from sklearn_gd import (
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
    _kernels,
    activations,
    solvers,
)
from sklearn_gd._kernels import reference

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:50], Y[:50] / 100
CANCER, LABELS = load_breast_cancer(return_X_y=True)
CANCER, LABELS = CANCER[:50] / CANCER.max(axis=0), LABELS[:50]

MODELS = {
    "line": ThroughOriginRegressor(max_iter=10),
    "relu line": ThroughOriginRegressor(activation="relu", loss="huber", max_iter=10),
    "step": PerceptronClassifier(max_iter=6, tol=None, random_state=0),
    "average step": PerceptronClassifier(
        max_iter=6, tol=None, random_state=0, average=True, early_stopping=True
    ),
    "smooth": PerceptronClassifier(
        activation="tanh", solver="adam", average=True, max_iter=6, tol=None, random_state=0
    ),
    "net": FeedForwardRegressor(hidden_layer_sizes=4, max_iter=6, tol=None, random_state=0),
    "watched net": FeedForwardRegressor(
        hidden_layer_sizes=4,
        max_iter=6,
        tol=None,
        random_state=0,
        early_stopping=True,
        batch_size=20,
        solver="nesterov",
        learning_rate="adaptive",
    ),
    "lbfgs": FeedForwardRegressor(
        hidden_layer_sizes=4, solver="lbfgs", max_iter=3, random_state=0
    ),
}
N_INTERRUPTS = 100


def data_of(model):
    return (CANCER, LABELS) if isinstance(model, PerceptronClassifier) else (X, Y)


def fit(model):
    return model.fit(*data_of(model))


def partial_fit(model):
    rows, y = data_of(model)
    more = {"classes": [0, 1]} if isinstance(model, PerceptronClassifier) else {}
    return model.partial_fit(rows, y, **more)


class Interrupt:
    """Raises a KeyboardInterrupt at the n-th call; without n, only counts them.

    Python looks for signals there and at the ends of loops, so that these are the moments at which
    Ctrl-C arrives. What the finalisers of other libraries' generators call is none of them.
    """

    def __init__(self, at=None):
        self.at, self.count = at, 0

    def __call__(self, frame, event, arg):
        code = frame.f_code
        of_others = "sklearn_gd" not in code.co_filename or code.co_filename == __file__
        if event == "return" or (of_others and code.co_flags & inspect.CO_GENERATOR):
            return
        if code.co_filename == __file__:
            return
        self.count += 1
        if self.count == self.at:
            sys.setprofile(None)
            raise KeyboardInterrupt

    def __enter__(self):
        sys.setprofile(self)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)


def run(call, model, at=None):
    """Return whether an interrupt came out, the warnings of one, and the number of calls."""
    interrupt = Interrupt(at)
    with np.errstate(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with interrupt:
                call(model)
        except KeyboardInterrupt:
            return True, [], interrupt.count
    told = [str(w.message) for w in caught if "interrupted" in str(w.message)]
    return False, told, interrupt.count


def moments_of(call, model):
    """Return so many moments of a call, drawn at random."""
    run(call, copied(model))  # imports, and fills caches
    _, _, n_calls = run(call, copied(model))
    return np.random.default_rng(0).integers(1, n_calls, N_INTERRUPTS, endpoint=True)


def copied(model):
    twin = clone(model)
    vars(twin).update(vars(model))
    return twin


# Without compiled loops, the reference is what everyone runs.
PURE = pytest.param("pure", marks=[pytest.mark.slow] if _kernels.COMPILED else [])


@pytest.fixture(params=["compiled", PURE])
def loops(request, monkeypatch):
    if request.param == "pure":
        for name in set(_kernels.__all__) - {"COMPILED"}:
            monkeypatch.setattr(_kernels, name, getattr(reference, name))
    elif not _kernels.COMPILED:
        pytest.skip("the compiled loops are not here")
    assert activations._kernels is _kernels is solvers._kernels


def loss_at_weights(model):
    rows, y = data_of(model)
    if isinstance(model, PerceptronClassifier):
        if model.activation == "step":
            return np.mean(model.predict(rows) != y)
        return np.mean((np.tanh(model.decision_function(rows)) - (2 * y - 1)) ** 2)
    error = np.abs(y - model.predict(rows))
    if model.loss == "huber":
        return np.mean(np.where(error <= 1, error**2 / 2, error - 0.5))
    return np.mean(error**2)


def assert_consistent(model):
    """Check that all that a fitted model tells is of one state."""
    assert 1 <= model.n_iter_ == len(model.loss_curve_) <= model.max_iter
    watched = getattr(model, "validation_loss_curve_", None)
    if watched is not None:
        assert len(watched) == model.n_iter_
    if not isinstance(model, ThroughOriginRegressor):
        curve = model.loss_curve_ if watched is None else watched
        assert 0 <= model.best_iter_ < model.n_iter_
        assert model.best_loss_ == min(curve) == curve[model.best_iter_]
    if not getattr(model, "early_stopping", False):  # else the loss is that of fewer rows
        assert_allclose(model.loss_, loss_at_weights(model), rtol=1e-6)
    assert np.isfinite(model.predict(data_of(model)[0])).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_fit_interrupted_at_any_moment(name, loops):
    outcomes = []
    for at in moments_of(fit, MODELS[name]):
        model = clone(MODELS[name])
        before = dict(vars(model))
        raised, told, n_calls = run(fit, model, at)
        if n_calls < at:  # the number of calls varies a little, with what is cached
            continue
        outcomes.append("raised" if raised else "kept")
        if raised:
            assert vars(model) == before  # the very same objects
        else:
            assert len(told) == 1
            assert_consistent(model)
    assert len(outcomes) > 0.8 * N_INTERRUPTS
    # Before the first epoch has ended there is nothing to keep.
    assert {"raised", "kept"} <= set(outcomes)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "lbfgs"])
@pytest.mark.parametrize("calls_before", [0, 2])
def test_partial_fit_interrupted_at_any_moment(name, calls_before, loops):
    model = clone(MODELS[name])
    if hasattr(model, "early_stopping"):
        model.set_params(early_stopping=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(calls_before):
            partial_fit(model)
        following = partial_fit(copied(model))
    n_raised = 0
    for at in moments_of(partial_fit, model):
        each = copied(model)
        before = dict(vars(each))
        raised, _, n_calls = run(partial_fit, each, at)
        if raised:
            n_raised += 1
            assert vars(each) == before  # the very same objects
        else:
            assert n_calls < at  # the number of calls varies a little, with what is cached
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        partial_fit(model)
    assert n_raised > 0.8 * N_INTERRUPTS
    # None of the objects has changed inside either.
    for name in ("coef_", "intercept_", "loss_", "loss_curve_", "n_iter_"):
        if hasattr(model, name):
            assert_array_equal(getattr(model, name), getattr(following, name))
    for one, other in zip(
        getattr(model, "coefs_", []), getattr(following, "coefs_", []), strict=True
    ):
        assert_array_equal(one, other)


def test_an_interrupt_ends_a_loop_of_partial_fit():
    model, calls = FeedForwardRegressor(hidden_layer_sizes=4, random_state=0), []

    def endless(model):
        while True:
            calls.append(partial_fit(model).n_iter_)

    raised, _, _ = run(endless, model, at=10_000)
    assert raised
    assert model.n_iter_ == len(calls) == calls[-1] > 0


# --- another thread ---------------------------------------------------------------------------


def states(model, ways):
    """Return the model's weights after each of several fits."""
    return [clone(model).fit(*way) for way in ways]


@pytest.mark.parametrize("is_sparse", [False, True])
def test_predict_sees_one_whole_state_while_another_thread_fits(is_sparse):
    # Weights and bias of one fit say 0 of the row, those of the other 0 too; mixtures do not.
    rows = np.array([[0.0], [1.0], [2.0], [3.0]])
    right, left = rows + 100, rows - 100
    model = PerceptronClassifier(random_state=0, max_iter=50)
    ways = [(right, [0, 0, 1, 1]), (left, np.array(["a", "a", "b", "b"]))]
    net = FeedForwardRegressor(
        hidden_layer_sizes=2, activation="identity", max_iter=1, tol=None, random_state=0
    )
    ways_of_net = [(right, [0.0, 0, 1, 1]), (left, [5.0, 5, 6, 6])]
    probe = sparse.csr_array(rows) if is_sparse else rows
    for each, its_ways in ((model, ways), (net, ways_of_net)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            expected = [tuple(fitted.predict(probe)) for fitted in states(each, its_ways)]
            assert len(set(expected)) == 2
            assert_only(expected, fitted_in_turns(each, its_ways, probe))


def fitted_in_turns(model, ways, probe):
    """Return all that predict answers while another thread fits in one way and the other.

    Both threads go on until each state has been seen often enough, however the processor is
    shared out among them; a state that never shows ends the wait instead.
    """
    model.fit(*ways[0])
    answers, stop = Counter(), threading.Event()

    def refit():
        for way in itertools.cycle(ways):
            if stop.is_set():
                return
            model.fit(*way)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=refit)
    thread.start()
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            try:
                answers[tuple(model.predict(probe))] += 1
            except ValueError as error:
                answers[str(error)] += 1
            if len(answers) > 1 and min(answers.values()) >= 50 and answers.total() >= 300:
                break
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    return set(answers)


def test_a_refit_to_other_features_is_no_mixture_either():
    narrow, wide = (np.random.default_rng(0).normal(size=(20, n)) for n in (2, 3))
    net = FeedForwardRegressor(hidden_layer_sizes=2, max_iter=1, tol=None, random_state=0)
    ways = [(rows, rows[:, 0]) for rows in (narrow, wide)]
    own = tuple(clone(net).fit(*ways[0]).predict(narrow))
    refusal = "X has 2 features, but FeedForwardRegressor is expecting 3 features as input."
    assert_only([own, refusal], fitted_in_turns(net, ways, narrow))


def assert_only(expected, answers):
    assert answers <= set(expected)
    assert len(answers) == 2
