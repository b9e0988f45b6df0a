"""Callbacks: checkpoints of a fit, and resuming from them.

They use scikit-learn's callbacks (:mod:`sklearn.callback`, new in scikit-learn 1.9) and need
skops, which stores and loads models without running code from the file.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from numbers import Integral
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator, clone

from sklearn_gd._base import Estimator
from sklearn_gd._data.digest import difference, digest_of
from sklearn_gd._pieces import ArrayLike
from sklearn_gd._training import checkpoint_file
from sklearn_gd._training.learner import State
from sklearn_gd._training.state import StateError
from sklearn_gd._training.stored_tree import StoredTreeError

__all__ = ["Checkpoint", "CheckpointError", "resume"]


class CheckpointError(ValueError):
    """A checkpoint that is invalid, has types that are not trusted, or is of different data."""


class Checkpoint:
    """Writes checkpoints of a fit, from which it can be resumed.

    On one machine, the resumed fit gives the same weights as an uninterrupted one, to the last
    bit; on Dask, sums over workers are added in another order, and weights agree up to rounding.

    A checkpoint is written to a temporary file, which then replaces the last one: if the process
    dies, either the new checkpoint or the last one is complete. It holds the estimator's
    parameters, the weights, the states of the solver, the schedule and the random generator, and
    the history; of the training data it holds only a digest.

    Writing and reading are tested before the first epoch. If writing fails later, for example
    because the disk is full, the fit continues with one warning.

    It is set on the estimator of this package, which may be the last step of a pipeline. In a
    search, whose fits would share one file, it is refused, as by ``partial_fit``. Where one
    checkpoint serves fits on different data, as in a cross-validation, a warning says so.

    Parameters
    ----------
    path : str or path
        File of the checkpoint, for one fit at a time, in an existing directory. If it is a
        symbolic link, its target is written. An existing file keeps its mode; a new file is
        readable only by its owner.
    every : int, default=1
        Number of epochs between checkpoints.

    Raises
    ------
    ValueError
        In the estimator's ``fit``, before the first epoch: if no file can be written at `path`,
        the estimator is not of this package or is fitted in a search, or it has a parameter that
        could not be read back, such as a lambda.

    See Also
    --------
    resume : Resume the fit from the file.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gd import FeedForwardRegressor
    >>> from sklearn_gd.callbacks import Checkpoint, resume
    >>> X, y = load_diabetes(return_X_y=True)
    >>> path = tempfile.mkdtemp() + "/net.checkpoint"
    >>> net = FeedForwardRegressor(max_iter=25, tol=None, random_state=0)
    >>> net = net.set_callbacks(Checkpoint(path, every=10)).fit(X, y)

    The last checkpoint is that of epoch 20; five epochs remain:

    >>> again = resume(path, X, y)
    >>> bool((again.predict(X) == net.predict(X)).all())
    True
    """

    _digest: str | None = None  # of the training data
    _digest_before: str | None = None  # of that of the last fit
    # Of a resumed fit: the required digest, and the state.
    _expected: str | None = None
    state_to_resume: State | None = None

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        self.path = path
        self.every = every

    def setup(self, estimator: Estimator, context: object) -> None:
        """Check the parameters, the file and the estimator before the first epoch."""
        every: Any = self.every
        if not isinstance(every, Integral) or isinstance(every, bool) or every < 1:
            raise ValueError(f"Checkpoint: every must be a positive int. Got {every!r}.")
        if getattr(estimator, "solver", None) == "lbfgs":
            raise ValueError("Checkpoint: solver='lbfgs' is not supported: its state is hidden.")
        _require_single_fit(estimator, context)
        checkpoint_file.skops_io()
        self._estimator = clone(estimator).set_callbacks()  # clone() keeps callbacks
        try:
            # Resolved now: the working directory or the link may change during the fit.
            self._target = Path(os.path.realpath(self.path))
            checkpoint_file.require_writable(self._target)
            checkpoint_file.require_restorable(self._estimator)
        except ValueError as error:
            raise ValueError(f"Checkpoint: {error}") from error
        self._warned = False
        self._warn_of_other_data()

    def _warn_of_other_data(self) -> None:
        if self._digest_before not in (None, self._digest):
            warnings.warn(
                f"Checkpoint: {self.path} is used for another fit, on other data, and keeps the "
                "last one only. In a cross-validation, fit estimators without callbacks; "
                "otherwise, set a new Checkpoint with a path of its own.",
                UserWarning,
                stacklevel=9,
            )
        self._digest_before = self._digest

    def on_fit_task_begin(self, estimator: Estimator, context: object) -> None:
        """Do nothing; the fit calls ``take_data``."""

    def take_data(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> None:
        """Compute the digest of the training data, and compare it in a resumed fit."""
        self._digest = digest_of(X, y, sample_weight)
        if self._expected not in (None, self._digest):
            what = difference(str(self._expected), self._digest)
            raise CheckpointError(f"{self.path} was written by a fit on other data: {what}.")

    def on_fit_task_end(self, estimator: Estimator, context: object) -> None:
        """Do nothing; the fit calls ``keep_state``."""

    def teardown(self, estimator: Estimator, context: object) -> None:
        """Delete the attributes that belong to the fit."""
        for name in ("_estimator", "_target", "_digest", "_warned"):
            self.__dict__.pop(name, None)

    def keep_state(self, epochs: int, state: Callable[[], State]) -> None:
        """Write the file if it is due; the fit calls this after every epoch."""
        if epochs % self.every:
            return
        content = {
            "estimator": self._estimator,
            "every": int(self.every),
            "digest": self._digest,
            "state": state(),
        }
        payload = checkpoint_file.dumps(content)
        try:
            checkpoint_file.write(self._target, payload)
        except OSError as error:
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"Checkpoint: {self._target} could not be written in epoch {epochs}: {error}. "
                    "The fit continues, and later checkpoints are tried without a warning.",
                    UserWarning,
                    stacklevel=5,
                )


def _require_single_fit(estimator: object, context: Any) -> None:
    """Raise a ValueError for an estimator of others, or one of several fits that share a path."""
    if not isinstance(estimator, Estimator):
        raise ValueError(
            f"Checkpoint keeps fits of this package's estimators. Got {type(estimator).__name__}, "
            "which does not pass it on: set it on the estimator inside, such as pipeline[-1]."
        )
    while context.parent is not None:
        context = context.parent
        if not context.sequential_subtasks:
            raise ValueError(
                f"Checkpoint: the fits of {context.estimator_name} would share one file. Search "
                "without it, and set it on clone(search.best_estimator_) for a fit on all data."
            )


def resume(
    path: str | os.PathLike[str],
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    trusted: Iterable[str] = (),
    callbacks: Iterable[object] = (),
    max_size: int = 1 << 30,
    **fit_params: object,
) -> Any:
    """Resume the fit that wrote a checkpoint, and complete it.

    No code from the file is run. The file may contain this package's estimators, activations,
    losses, solvers and schedules, types named in `trusted`, and plain data: numbers, strings,
    lists, dicts, NumPy arrays and random states. Anything else is rejected before any object is
    created, and the state is checked before the fit continues.

    Parameters
    ----------
    path : str or path
        File of a :class:`Checkpoint`; further checkpoints are written to it.
    X, y, sample_weight : array-like
        Training data of the interrupted ``fit``: equal numbers and labels, however they are
        stored.
    trusted : iterable of str, default=()
        Full names of further types and functions that may be imported and called: custom classes
        such as ``"mine.MyActivation"``, and the functions of an activation given as a pair,
        including those of NumPy and SciPy, such as ``"numpy.sin"``.
    callbacks : iterable, default=()
        Further callbacks for the rest of the fit.
    max_size : int, default=2**30
        Largest accepted size of the file, in bytes.
    **fit_params
        Further arguments of the interrupted ``fit``, such as `X_val` and `y_val`.

    Returns
    -------
    estimator : object
        Fitted estimator, with the weights of an uninterrupted fit: equal to the last bit on one
        machine, and up to rounding for networks and other descents on Dask, whose sums over
        workers are added in another order.

    Raises
    ------
    CheckpointError
        If the file is truncated, altered, or larger than `max_size`, has types that are not
        trusted, does not hold what a checkpoint holds, or is of a fit on different data.
    OSError
        If the file does not exist or cannot be read.
    """
    names = set() if isinstance(trusted, str) else set(trusted)
    if isinstance(trusted, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"trusted must be a collection of full names. Got {trusted!r}.")
    if not isinstance(max_size, Integral) or isinstance(max_size, bool) or max_size < 1:
        raise ValueError(f"max_size must be a positive int, in bytes. Got {max_size!r}.")
    estimator, every, digest, state = _content(Path(path), names, int(max_size))
    checkpoint = Checkpoint(path, every)
    checkpoint._expected, checkpoint.state_to_resume = digest, state
    estimator.set_callbacks(checkpoint, *callbacks)
    try:
        estimator.fit(X, y, sample_weight, **fit_params)
    except StateError as error:
        raise CheckpointError(f"{path} does not hold what a checkpoint holds: {error}") from error
    return estimator.set_callbacks()


def _content(path: Path, trusted: set[str], max_size: int) -> tuple[Any, int, str, State]:
    """Return the content of a checkpoint: estimator, `every`, digest of the data, state."""
    checkpoint_file.skops_io()
    try:
        content = checkpoint_file.read(path, trusted, max_size)
        estimator, every, digest, state = (
            content[name] for name in ("estimator", "every", "digest", "state")
        )
        _require_types(estimator, every, digest, state)
        estimator = _rebuilt(estimator)
        estimator._resolve()  # checks the parameters
        return estimator, every, digest, state
    except OSError:
        raise
    except StoredTreeError as error:
        raise CheckpointError(f"{path} {error}") from error
    except Exception as error:
        kind = type(error).__name__
        raise CheckpointError(f"{path} is not a valid checkpoint ({kind}: {error}).") from error


def _require_types(estimator: object, every: object, digest: object, state: object) -> None:
    valid = {
        "estimator": isinstance(estimator, Estimator),
        "every": type(every) is int and every >= 1,
        "digest": type(digest) is str,
        "state": type(state) is dict,
    }
    invalid = [name for name, is_valid in valid.items() if not is_valid]
    if invalid:
        raise StoredTreeError(f"holds an invalid {' and '.join(invalid)}.")


def _rebuilt(value: Any) -> Any:
    """Return an estimator or a piece with the same parameters and no other attributes."""
    if isinstance(value, list | tuple):
        return type(value)(_rebuilt(each) for each in value)
    if not isinstance(value, BaseEstimator):
        return value
    kind, read = type(value), vars(value)
    return kind(**{name: _rebuilt(read[name]) for name in kind._get_param_names()})
