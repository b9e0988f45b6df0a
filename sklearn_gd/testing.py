"""Checks of custom activations, losses, solvers and schedules.

Each check raises an AssertionError that says what is wrong:

>>> import numpy as np
>>> from sklearn_gd.testing import check_activation
>>> try:
...     check_activation((np.sin, np.sin))
... except AssertionError as error:
...     print(str(error)[:38])
derivative(z, a) is not the slope of f

Pickling is not checked for classes that are defined in a function or at a prompt, which can never
be pickled.
"""

from __future__ import annotations

import math
import pickle
import sys
from collections.abc import Callable
from copy import deepcopy
from typing import TypeVar

import numpy as np
from numpy.typing import DTypeLike
from sklearn.base import clone

from sklearn_gd._pieces import Array, Piece
from sklearn_gd.activations import Activation, Identity, as_activation
from sklearn_gd.losses import Loss, as_loss
from sklearn_gd.schedules import Schedule, as_schedule
from sklearn_gd.solvers import Rate, Solver, as_solver

__all__ = ["check_activation", "check_loss", "check_schedule", "check_solver"]

Function = Callable[[Array], Array]
P = TypeVar("P", bound=Piece)

# Shifted away from round numbers, where kinks tend to be.
_GRID = np.linspace(-8, 8, 2001) + 0.0241379
_FAR = np.array([-1e3, -40.0, 40.0, 1e3])
_STEP = 1e-5


def check_activation(activation: str | Activation | tuple[Function, Function]) -> None:
    """Check an activation: shapes, dtypes, derivative, large inputs, bounds, pickling.

    Parameters
    ----------
    activation : str, Activation or (f, df)
        Activation to check, as given to an estimator.

    Raises
    ------
    AssertionError
        If a check fails; the message says which.
    ValueError, TypeError
        If estimators do not accept it at all.

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
    """Check a loss: shapes, dtypes, gradient, minimum, curvature, pickling.

    Parameters
    ----------
    loss : str or Loss
        Loss to check, as given to an estimator.

    Raises
    ------
    AssertionError
        If a check fails; the message says which.
    ValueError, TypeError
        If estimators do not accept it at all.

    Examples
    --------
    >>> from sklearn_gd.losses import Huber
    >>> from sklearn_gd.testing import check_loss
    >>> check_loss(Huber(delta=0.5))
    """
    piece = as_loss(loss, several_quantiles=True)
    if piece._levels:
        for level in piece._levels:
            check_loss(clone(piece).set_params(quantile=level))
        return
    if piece.link is not None or piece.sums_outputs:
        _check_rows_of(piece)
        return
    for y in (-1.7, 0.0, 2.3):
        value, gradient = _at_target(piece.value, y), _at_target(piece.gradient, y)
        for name, method in (("value", value), ("gradient", gradient)):
            _check_elementwise(f"{name}(y_true, y_pred)", method)
        _check_slope("gradient(y_true, y_pred)", "value", value, gradient, _GRID)
        best = float(value(np.array([y]))[0])
        around = value(np.array([y - 1.0, y + 1.0]))
        assert (around >= best).all(), (
            f"value(y_true, y_pred) is larger for the true prediction {y} than for one near it."
        )
        far = np.array([-1e6, 1e6])
        finite = np.isfinite(value(far)).all() and np.isfinite(gradient(far)).all()
        assert finite, "value or gradient is not finite for an error of a million."
        _check_curvature(piece, gradient)
    _check_piece(piece, lambda p: p.value(np.zeros_like(_GRID), _GRID.copy()))


def check_solver(solver: str | Solver) -> None:
    """Check a solver: steps in place, rates, dtypes, independent state, descent, pickling.

    Parameters
    ----------
    solver : str or Solver
        Solver to check, as given to an estimator.

    Raises
    ------
    AssertionError
        If a check fails; the message says which.
    ValueError, TypeError
        If estimators do not accept it at all.

    Examples
    --------
    >>> from sklearn_gd.solvers import Momentum
    >>> from sklearn_gd.testing import check_solver
    >>> check_solver(Momentum(0.5))
    """
    piece = as_solver(solver)
    for dtype in (np.float32, np.float64):
        moved = _run(piece, 5, 0.01, dtype)
        assert moved.dtype == dtype, (
            f"step(...) turns parameters of {dtype.__name__} into {moved.dtype}."
        )
        assert np.isfinite(moved).all(), "step(...) gives parameters that are not finite."
        again = _run(piece, 5, 0.01, dtype)
        assert (moved == again).all(), "Two equal runs differ: state of the first is left over."
        each = _run(piece, 5, np.full(4, 0.01, dtype), dtype)
        assert np.allclose(each, moved, rtol=1e-4), (
            "step(...) with one rate per parameter, all equal, differs from the same single rate."
        )
    unmoved = _run(piece, 3, 0.0, np.float64)
    assert (unmoved == _START).all(), "step(...) changes parameters at a rate of zero."
    _check_descends(piece)
    _check_pickled_state(piece)
    _check_piece(piece, lambda p: _run(p, 3, 0.01, np.float64))


def check_schedule(schedule: str | float | Schedule) -> None:
    """Check a schedule: finite rates, which depend only on the epoch and on ``observe``; pickling.

    Parameters
    ----------
    schedule : str, float or Schedule
        Schedule to check, as given to an estimator.

    Raises
    ------
    AssertionError
        If a check fails; the message says which.
    ValueError, TypeError
        If estimators do not accept it at all.

    Examples
    --------
    >>> from sklearn_gd.schedules import StepDecay
    >>> from sklearn_gd.testing import check_schedule
    >>> check_schedule(StepDecay(0.1, every=10))
    """
    piece = as_schedule(schedule)
    for epoch in (*range(300), 10_000):
        rate = piece.rate(epoch)
        assert isinstance(rate, (int, float)), f"rate({epoch}) is {rate!r}, which is not a number."
        assert math.isfinite(rate), f"rate({epoch}) is {rate!r}, not finite."
        assert rate >= 0, f"rate({epoch}) is {rate!r}, negative."
    assert _rates(piece) == _rates(piece), "rate(epoch) differs from call to call."
    observed, initial_rates = clone(piece), _rates(piece)
    for epoch in range(30):
        observed.observe(epoch % 4 == 0)
        assert math.isfinite(observed.rate(epoch)), "rate(epoch) is not finite after observe(...)."
    assert _rates(clone(observed)) == initial_rates, "A clone keeps the effects of observe(...)."
    same = _rates(_pickled(observed)) == _rates(observed)
    assert same, "A pickled copy loses the effects of observe(...)."
    _check_piece(piece, _rates)


def _check_elementwise(name: str, method: Function) -> None:
    """Check that a method keeps shape and dtype, and is elementwise."""
    for dtype in (np.float32, np.float64):
        z = (_GRID[:1200:100].reshape(3, 4) / 2).astype(dtype)
        before = z.copy()
        result = method(z)
        assert np.shape(result) == z.shape, (
            f"{name} returns shape {np.shape(result)} for {z.shape}: it must be the same."
        )
        assert result.dtype == dtype, f"{name} turns {dtype.__name__} into {result.dtype}."
        assert (z == before).all(), f"{name} writes to its input."
        alone = np.array([method(z[i : i + 1, j : j + 1])[0, 0] for i, j in np.ndindex(z.shape)])
        assert np.allclose(result.ravel(), alone, rtol=1e-5, atol=1e-6), (
            f"{name} depends on other elements of its input."
        )


def _check_rows_of(piece: Loss) -> None:
    """Check a loss with a link, or one that ties the outputs of a row together."""
    for n_outputs in (1, 3):
        z = np.random.default_rng(0).normal(size=(40, n_outputs)) * 2
        y = (piece.link or Identity())(z[::-1])
        for dtype in (np.float32, np.float64):
            parts = (
                piece.value(y.astype(dtype), z.astype(dtype)),
                piece.gradient(y.astype(dtype), z.astype(dtype)),
            )
            for name, part in zip(("value", "gradient"), parts, strict=True):
                assert part.shape == z.shape, (
                    f"{name}(y_true, y_pred) returns shape {part.shape} for {z.shape}: it must be "
                    "the same."
                )
                assert part.dtype == dtype, f"{name} turns {dtype.__name__} into {part.dtype}."
        _check_row_slopes(piece, y, z)
        best, *around = (piece.value(y, z[::-1] + step).sum(axis=1) for step in (0, -0.1, 0.1))
        assert (np.minimum(*around) >= best - 1e-9).all(), (
            "value(y_true, y_pred) is larger for outputs whose link is y_true than for ones near "
            "them."
        )
        if piece.curvature is not None:
            step = 1e-3 * np.eye(n_outputs)[0]
            rise = (piece.gradient(y, z + step) - piece.gradient(y, z))[:, 0].max() / 1e-3
            assert rise <= 1.01 * piece.curvature + 1e-6, (
                f"curvature is {piece.curvature:g}, and the gradient's slope is up to {rise:g}."
            )
    _check_piece(piece, lambda p: p.value(np.zeros_like(z), z.copy()))


def _check_row_slopes(piece: Loss, y: Array, z: Array) -> None:
    """Compare the gradient with differences of the sum over the outputs of each row."""
    stated = piece.gradient(y, z)
    for j in range(z.shape[1]):
        step = _STEP * np.eye(z.shape[1])[j]
        ends = [piece.value(y, z + side * step) for side in (-1, 1)]
        if not piece.sums_outputs:
            ends = [values[:, [j]] for values in ends]
        slope = (ends[1].sum(axis=1) - ends[0].sum(axis=1)) / (2 * _STEP)
        assert np.allclose(stated[:, j], slope, rtol=1e-4, atol=1e-4), (
            f"gradient(y_true, y_pred) is not the slope of the sum of value over the outputs of a "
            f"row: for output {j} it is {stated[0, j]:g}, and the slope is {slope[0]:g}."
        )


def _check_slope(name: str, of: str, f: Function, slope: Function, z: Array) -> None:
    """Compare a derivative with differences; at a kink it may be between the one-sided ones."""
    stated = slope(z)
    right = (f(z + _STEP) - f(z)) / _STEP
    left = (f(z) - f(z - _STEP)) / _STEP
    middle = (left + right) / 2
    tolerance = 1e-5 * (1 + np.abs(middle))
    kinked = np.abs(right - left) > 0.01 * (1 + np.abs(middle))
    lower, upper = np.minimum(left, right) - 0.01, np.maximum(left, right) + 0.01
    between = (stated >= lower) & (stated <= upper)
    is_correct = np.where(kinked, between, np.abs(stated - middle) <= tolerance)
    if not is_correct.all():
        i = int(np.argmin(is_correct))
        raise AssertionError(
            f"{name} is not the slope of {of} at z = {z[i]:g}: it is {stated[i]:g}, and the "
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
        found = float(np.max(np.diff(gradient(_GRID)) / np.diff(_GRID)))
        assert found <= 1.01 * piece.curvature + 1e-6, (
            f"curvature is {piece.curvature:g}, and the gradient's slope is up to {found:g}."
        )


def _at_target(method: Callable[[Array, Array], Array], y: float) -> Function:
    return lambda y_pred: method(np.full_like(y_pred, y), y_pred)


_START = np.array([1.0, -2.0, 0.5, 3.0])
_COEFFICIENTS = np.array([1.0, 0.5, 2.0, 0.1])


def _run(piece: Solver, n_steps: int, rate: Rate, dtype: DTypeLike) -> Array:
    """Return the parameters after some steps on a quadratic function."""
    solver, parameters = clone(piece), _START.astype(dtype)
    solver.start(4, dtype)
    for _ in range(n_steps):
        solver.step(parameters, (_COEFFICIENTS * parameters).astype(dtype), rate)
    return parameters


def _objective(parameters: Array) -> float:
    return float(_COEFFICIENTS @ np.square(parameters))


def _check_descends(piece: Solver) -> None:
    with np.errstate(all="ignore"):
        best = min(
            _objective(_run(piece, 300, rate, np.float64)) for rate in (1.0, 0.1, 0.01, 0.001)
        )
    assert best < 0.9 * _objective(_START), (
        "step(...) does not descend on a quadratic function, at any rate from 1 to 0.001."
    )


def _check_pickled_state(piece: Solver) -> None:
    """Check that a solver pickled between two steps continues with the same steps."""
    solver, parameters = clone(piece), _START.copy()
    solver.start(4, np.float64)
    for _ in range(3):
        solver.step(parameters, _COEFFICIENTS * parameters, 0.01)
    copy, copied_parameters = _pickled(solver), parameters.copy()
    for _ in range(3):
        solver.step(parameters, _COEFFICIENTS * parameters, 0.01)
    for _ in range(3):
        copy.step(copied_parameters, _COEFFICIENTS * copied_parameters, 0.01)
    assert (parameters == copied_parameters).all(), (
        "A pickled copy of the solver does not continue as the original does."
    )


def _rates(piece: Schedule) -> list[float]:
    return [piece.rate(epoch) for epoch in range(60)]


def _check_piece(piece: P, result: Callable[[P], Array | list[float]]) -> None:
    """Check that copies of a piece, by clone and by pickle, give the same results."""
    assert repr(piece), "repr() is empty."
    for how, copied in (("clone", clone(piece)), ("pickle", _pickled(piece))):
        assert type(copied) is type(piece), f"A copy by {how} is of another type."
        same = np.array_equal(result(copied), result(piece), equal_nan=True)
        assert same, f"A copy by {how} gives other results."


def _pickled(piece: P) -> P:
    """Return a copy by pickle, or by deepcopy if its class cannot be found by its name."""
    kind = type(piece)
    if getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is not kind:
        return deepcopy(piece)
    try:
        data = pickle.dumps(piece)
    except Exception as error:
        raise AssertionError(
            f"{piece!r} cannot be pickled ({error}): functions and classes in it must be defined "
            "at the top of a module."
        ) from error
    copied: P = pickle.loads(data)
    return copied
