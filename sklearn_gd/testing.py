"""Checks for authors of pieces of their own.

Each takes a piece and raises an AssertionError that says what is wrong with it:

>>> import numpy as np
>>> from sklearn_gd.testing import check_activation
>>> try:
...     check_activation((np.sin, np.sin))
... except AssertionError as error:
...     print(str(error)[:38])
derivative(z, a) is not the slope of f

A class that was defined in a function or at a prompt cannot be pickled, whatever it is like; for
such a one the checks leave pickling out.
"""

from __future__ import annotations

import math
import pickle
import sys
from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

import numpy as np
from sklearn.base import clone

from sklearn_gd._pieces import Array, Piece
from sklearn_gd.activations import Activation, as_activation
from sklearn_gd.losses import Loss, as_loss
from sklearn_gd.schedules import Schedule, as_schedule
from sklearn_gd.solvers import Solver, as_solver

__all__ = ["check_activation", "check_loss", "check_schedule", "check_solver"]

Function = Callable[[Array], Array]
P = TypeVar("P", bound=Piece)

# Off round numbers, where kinks tend to be.
_GRID = np.linspace(-8, 8, 2001) + 0.0241379
_FAR = np.array([-1e3, -40.0, 40.0, 1e3])
_STEP = 1e-5


def check_activation(activation: str | Activation | tuple[Any, Any]) -> None:
    """Check an activation: shapes, dtypes, derivative, extremes, stated bounds, pickling.

    Parameters
    ----------
    activation : str, Activation or (f, df)
        What an estimator would be given.

    Raises
    ------
    AssertionError
        Saying what is wrong.
    ValueError, TypeError
        Where an estimator would not take it at all.

    Examples
    --------
    >>> from sklearn_gd.activations import LeakyReLU
    >>> from sklearn_gd.testing import check_activation
    >>> check_activation(LeakyReLU(0.2))
    """
    piece = as_activation(activation)

    def slope(z: Array) -> Array:
        return piece.derivative(z, piece(z.copy()))

    for name, method in (("__call__(z)", piece), ("derivative(z, a)", slope)):
        _check_elementwise(name, method)
    if piece.differentiable:
        _check_slope("derivative(z, a)", "f", piece, slope, _GRID)
    with np.errstate(all="ignore"):
        for name, far in (("__call__(z)", piece(_FAR.copy())), ("derivative", slope(_FAR))):
            assert not np.isnan(far).any(), f"{name} is NaN at one of z = {_FAR.tolist()}."
    _check_bounds(piece)
    _check_piece(piece, lambda p: p(_GRID.copy()))


def check_loss(loss: str | Loss) -> None:
    """Check a loss: shapes, dtypes, gradient, its smallest value, curvature, pickling.

    Parameters
    ----------
    loss : str or Loss
        What an estimator would be given.

    Raises
    ------
    AssertionError
        Saying what is wrong.
    ValueError, TypeError
        Where an estimator would not take it at all.

    Examples
    --------
    >>> from sklearn_gd.losses import Huber
    >>> from sklearn_gd.testing import check_loss
    >>> check_loss(Huber(delta=0.5))
    """
    piece = as_loss(loss)
    for y in (-1.7, 0.0, 2.3):
        value, gradient = _at_target(piece.value, y), _at_target(piece.gradient, y)
        for name, method in (("value", value), ("gradient", gradient)):
            _check_elementwise(f"{name}(y_true, y_pred)", method)
        _check_slope("gradient(y_true, y_pred)", "value", value, gradient, _GRID)
        best = float(value(np.array([y]))[0])
        around = value(np.array([y - 1.0, y + 1.0]))
        assert (around >= best).all(), (
            f"value(y_true, y_pred) is larger for the true prediction {y} than for one beside it."
        )
        far = np.array([-1e6, 1e6])
        finite = np.isfinite(value(far)).all() and np.isfinite(gradient(far)).all()
        assert finite, "value or gradient is not finite for an error of a million."
        _check_curvature(piece, gradient)
    _check_piece(piece, lambda p: p.value(np.zeros_like(_GRID), _GRID.copy()))


def check_solver(solver: str | Solver) -> None:
    """Check a solver: steps in place, rates, dtypes, memory of its own, descent, pickling.

    Parameters
    ----------
    solver : str or Solver
        What an estimator would be given.

    Raises
    ------
    AssertionError
        Saying what is wrong.
    ValueError, TypeError
        Where an estimator would not take it at all.

    Examples
    --------
    >>> from sklearn_gd.solvers import Momentum
    >>> from sklearn_gd.testing import check_solver
    >>> check_solver(Momentum(0.5))
    """
    piece = as_solver(solver)
    for dtype in (np.float32, np.float64):
        moved = _walk(piece, 5, 0.01, dtype)
        assert moved.dtype == dtype, (
            f"step(...) turns parameters of {dtype.__name__} to {moved.dtype}."
        )
        assert np.isfinite(moved).all(), "step(...) leaves the finite numbers."
        again = _walk(piece, 5, 0.01, dtype)
        assert (moved == again).all(), "Two walks from one start differ: something is left over."
        each = _walk(piece, 5, np.full(4, 0.01, dtype), dtype)
        assert np.allclose(each, moved, rtol=1e-4), (
            "step(...) with one rate per parameter, all equal, differs from the same single rate."
        )
    still = _walk(piece, 3, 0.0, np.float64)
    assert (still == _START).all(), "step(...) moves parameters at a rate of zero."
    _check_descends(piece)
    _check_goes_on(piece)
    _check_piece(piece, lambda p: _walk(p, 3, 0.01, np.float64))


def check_schedule(schedule: str | float | Schedule) -> None:
    """Check a schedule: rates are finite numbers, and depend on the epoch and what it heard alone.

    Parameters
    ----------
    schedule : str, float or Schedule
        What an estimator would be given.

    Raises
    ------
    AssertionError
        Saying what is wrong.
    ValueError, TypeError
        Where an estimator would not take it at all.

    Examples
    --------
    >>> from sklearn_gd.schedules import StepDecay
    >>> from sklearn_gd.testing import check_schedule
    >>> check_schedule(StepDecay(0.1, every=10))
    """
    piece = as_schedule(schedule)
    for epoch in (*range(300), 10_000):
        rate = piece.rate(epoch)
        assert isinstance(rate, (int, float)), f"rate({epoch}) is {rate!r}, no number."
        assert math.isfinite(rate), f"rate({epoch}) is {rate!r}, not finite."
        assert rate >= 0, f"rate({epoch}) is {rate!r}, negative."
    assert _rates(piece) == _rates(piece), "rate(epoch) differs from call to call."
    heard, untold = clone(piece), _rates(piece)
    for epoch in range(30):
        heard.observe(epoch % 4 == 0)
        assert math.isfinite(heard.rate(epoch)), "rate(epoch) is not finite after observe(...)."
    assert _rates(clone(heard)) == untold, "A clone remembers what its original heard."
    carried = _through_pickle(heard)
    assert _rates(carried) == _rates(heard), "A pickled copy forgets what its original heard."
    _check_piece(piece, _rates)


def _check_elementwise(name: str, method: Function) -> None:
    """Check that a method keeps shape and dtype, and reads each element alone."""
    for dtype in (np.float32, np.float64):
        z = (_GRID[:1200:100].reshape(3, 4) / 2).astype(dtype)
        before = z.copy()
        result = method(z)
        assert np.shape(result) == z.shape, (
            f"{name} returns shape {np.shape(result)} for {z.shape}: it must keep it."
        )
        assert result.dtype == dtype, f"{name} turns {dtype.__name__} into {result.dtype}."
        assert (z == before).all(), f"{name} writes to its input."
        alone = np.array([method(z[i : i + 1, j : j + 1])[0, 0] for i, j in np.ndindex(z.shape)])
        assert np.allclose(result.ravel(), alone, rtol=1e-5, atol=1e-6), (
            f"{name} depends on other elements than its own."
        )


def _check_slope(name: str, of: str, f: Function, slope: Function, z: Array) -> None:
    """Check a derivative by differences; at a kink it may be anything between its two sides."""
    stated = slope(z)
    right = (f(z + _STEP) - f(z)) / _STEP
    left = (f(z) - f(z - _STEP)) / _STEP
    middle = (left + right) / 2
    tolerance = 1e-5 * (1 + np.abs(middle))
    kinked = np.abs(right - left) > 0.01 * (1 + np.abs(middle))
    lower, upper = np.minimum(left, right) - 0.01, np.maximum(left, right) + 0.01
    between = (stated >= lower) & (stated <= upper)
    right_there = np.where(kinked, between, np.abs(stated - middle) <= tolerance)
    if not right_there.all():
        i = int(np.argmin(right_there))
        raise AssertionError(
            f"{name} is not the slope of {of} at z = {z[i]:g}: it says {stated[i]:g}, and the "
            f"slope is {middle[i]:g}."
        )


def _check_bounds(piece: Activation) -> None:
    at_zero = float(piece(np.zeros(1))[0])
    assert piece.zero_at_origin == (at_zero == 0), (
        f"zero_at_origin is {piece.zero_at_origin}, and f(0) = {at_zero:g}."
    )
    a = piece(_GRID.copy())
    low, high = piece.range
    assert (a >= low - 1e-6).all(), f"range begins at {low:g}, and f falls to {a.min():g}."
    assert (a <= high + 1e-6).all(), f"range ends at {high:g}, and f rises to {a.max():g}."
    found = piece._find_extremes()
    for name, top in zip(("slope", "curvature", "product"), found, strict=True):
        stated = getattr(piece, name)
        assert top <= 1.01 * stated + 1e-6, f"{name} is {stated:g}, and it rises to {top:g}."


def _check_curvature(piece: Loss, gradient: Function) -> None:
    if piece.curvature is not None:
        bend = float(np.max(np.diff(gradient(_GRID)) / np.diff(_GRID)))
        assert bend <= 1.01 * piece.curvature + 1e-6, (
            f"curvature is {piece.curvature:g}, and the gradient rises by {bend:g}."
        )


def _at_target(method: Callable[[Array, Array], Array], y: float) -> Function:
    return lambda y_pred: method(np.full_like(y_pred, y), y_pred)


_START = np.array([1.0, -2.0, 0.5, 3.0])
_BOWL = np.array([1.0, 0.5, 2.0, 0.1])


def _walk(piece: Solver, n_steps: int, rate: Any, dtype: Any) -> Array:
    """Return where so many steps down a quadratic bowl lead."""
    solver, parameters = clone(piece), _START.astype(dtype)
    solver.start(4, dtype)
    for _ in range(n_steps):
        solver.step(parameters, (_BOWL * parameters).astype(dtype), rate)
    return parameters


def _height(parameters: Array) -> float:
    return float(_BOWL @ np.square(parameters))


def _check_descends(piece: Solver) -> None:
    with np.errstate(all="ignore"):
        best = min(
            _height(_walk(piece, 300, rate, np.float64)) for rate in (1.0, 0.1, 0.01, 0.001)
        )
    assert best < 0.9 * _height(_START), (
        "step(...) does not descend on a quadratic bowl, at any rate from 1 to 0.001."
    )


def _check_goes_on(piece: Solver) -> None:
    """Check that a pickled copy of a solver on its way goes the same way."""
    solver, parameters = clone(piece), _START.copy()
    solver.start(4, np.float64)
    for _ in range(3):
        solver.step(parameters, _BOWL * parameters, 0.01)
    twin, twin_parameters = _through_pickle(solver), parameters.copy()
    for _ in range(3):
        solver.step(parameters, _BOWL * parameters, 0.01)
    for _ in range(3):
        twin.step(twin_parameters, _BOWL * twin_parameters, 0.01)
    assert (parameters == twin_parameters).all(), (
        "A pickled copy of the solver does not go on where its original was."
    )


def _rates(piece: Schedule) -> list[float]:
    return [piece.rate(epoch) for epoch in range(60)]


def _check_piece(piece: Piece, result: Callable[[Any], Any]) -> None:
    """Check that copies of a piece, by clone and by pickle, do as it does."""
    assert repr(piece), "repr() gives nothing."
    for how, copy in (("clone", clone), ("pickle", _through_pickle)):
        twin = copy(piece)
        assert type(twin) is type(piece), f"A copy by {how} is of another type."
        same = np.array_equal(result(twin), result(piece), equal_nan=True)
        assert same, f"A copy by {how} gives other results."


def _through_pickle(piece: P) -> P:
    kind = type(piece)
    if getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is not kind:
        return deepcopy(piece)
    try:
        data = pickle.dumps(piece)
    except Exception as error:
        raise AssertionError(
            f"{piece!r} does not pickle ({error}): functions and classes in it must be defined "
            "at the top of a module."
        ) from error
    twin: P = pickle.loads(data)
    return twin
