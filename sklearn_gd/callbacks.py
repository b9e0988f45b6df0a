"""Callbacks: a checkpoint of a running fit, and how to go on from it.

They work by scikit-learn's callbacks (:mod:`sklearn.callback`, from scikit-learn 1.9 on), and need
skops, which writes and reads models without running code from the file.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from numbers import Integral
from pathlib import Path
from typing import Any

import joblib
from sklearn.base import BaseEstimator, clone

from sklearn_gd._base import Estimator
from sklearn_gd._training import checkpoint_file
from sklearn_gd._training.state import StateError
from sklearn_gd._training.stored_tree import StoredTreeError

__all__ = ["Checkpoint", "CheckpointError", "resume"]


class CheckpointError(ValueError):
    """A file that is not a whole, unaltered checkpoint, is not trusted, or is of other data."""


class Checkpoint:
    """Writes the fit to a file every so many epochs, so that it can be resumed to the last bit.

    The file is written beside its place and then renamed into it: whenever the process dies,
    there is either the last whole checkpoint or the one before. It holds the estimator's
    parameters, the weights, the solver's and the schedule's memory, the random generator and the
    history; the rows are not in it, only a digest of them.

    Whether it can be written, and read back, is tried before the first epoch. Where that fails
    later, since the directory is gone or the disk is full, the fit goes on, with one warning.

    Parameters
    ----------
    path : str or path
        The file, of one fit at a time. Its directory must be there. A symbolic link keeps
        pointing to what is written, and a file that is there keeps its mode; a new file is
        readable for its owner alone.
    every : int, default=1
        The number of epochs from one checkpoint to the next.

    Raises
    ------
    ValueError
        In the estimator's ``fit``, before the first epoch: where no file can be written at
        `path`, or the estimator has a parameter that could not be read back, such as a lambda.

    See Also
    --------
    resume : Goes on from the file.

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

    The last checkpoint is that of epoch 20; from there it is five epochs to the end:

    >>> again = resume(path, X, y)
    >>> bool((again.predict(X) == net.predict(X)).all())
    True
    """

    # Of a fit that is resumed: the digest that the rows have to have, and where it goes on.
    _expected: str | None = None
    state_to_resume: dict[str, Any] | None = None

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        self.path = path
        self.every = every

    def setup(self, estimator: Any, context: Any) -> None:
        """Check what can be checked before the first epoch."""
        if not isinstance(self.every, int) or isinstance(self.every, bool) or self.every < 1:
            raise ValueError(f"Checkpoint: every must be a positive int. Got {self.every!r}.")
        if getattr(estimator, "solver", None) == "lbfgs":
            raise ValueError("Checkpoint: solver='lbfgs' keeps its memory to itself.")
        checkpoint_file.skops_io()
        self._estimator = clone(estimator).set_callbacks()  # cloned along otherwise
        try:
            # Where the path leads now: the working directory, or the link, may change meanwhile.
            self._target = Path(os.path.realpath(self.path))
            checkpoint_file.require_writable(self._target)
            checkpoint_file.require_restorable(self._estimator)
        except ValueError as error:
            raise ValueError(f"Checkpoint: {error}") from error
        self._digest: str | None = None
        self._warned = False

    def on_fit_task_begin(
        self, estimator: Any, context: Any, *, X: Any, y: Any, metadata: Any
    ) -> None:
        """Take a digest of the rows that are trained on, once."""
        if self._digest is None:
            self._digest = joblib.hash((X, y, metadata), coerce_mmap=True)
            if self._expected not in (None, self._digest):
                raise CheckpointError(
                    f"{self.path} was written by a fit on other X, y or sample_weight than these."
                )

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Nothing: the state comes by ``keep_state``."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Let go of what belongs to the fit."""
        for name in ("_estimator", "_target", "_digest", "_warned"):
            self.__dict__.pop(name, None)

    def keep_state(self, epochs: int, state: Callable[[], dict[str, Any]]) -> None:
        """Write the file, where it is time to; called by the fit after every epoch."""
        if epochs % self.every:
            return
        content = {
            "estimator": self._estimator,
            "every": self.every,
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
                    "The fit goes on. It is tried again after the next epochs, without a warning.",
                    UserWarning,
                    stacklevel=5,
                )


def resume(
    path: str | os.PathLike[str],
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    trusted: Iterable[str] = (),
    callbacks: Iterable[Any] = (),
    max_size: int = 1 << 30,
    **fit_params: Any,
) -> Any:
    """Go on with the fit that wrote a checkpoint, to its end.

    Nothing of the file is run. It is read where all that it names is one of this package's own
    estimators, activations, losses, solvers and schedules, or named in `trusted`, or plain data:
    numbers, strings, lists, dicts, NumPy's arrays and random states. Everything else is refused
    before anything is built, and the state that was read is checked before the fit goes on.

    Parameters
    ----------
    path : str or path
        The file of a :class:`Checkpoint`; further checkpoints go there too.
    X, y, sample_weight : array-like
        What ``fit`` was given.
    trusted : iterable of str, default=()
        The full names of what else may be imported and called: classes of your own such as
        ``"mine.MyActivation"``, and the functions of an activation that was given as a pair,
        NumPy's and SciPy's among them, such as ``"numpy.sin"``.
    callbacks : iterable, default=()
        Further callbacks for the rest of the fit.
    max_size : int, default=2**30
        The largest file that is read, in bytes.
    **fit_params
        What else ``fit`` was given, such as `X_val` and `y_val`.

    Returns
    -------
    estimator : object
        Fitted, with weights equal to the last bit to those of a fit without interruption.

    Raises
    ------
    CheckpointError
        Where the file is cut short or altered, is larger than `max_size`, has types that are not
        trusted, does not hold what a checkpoint holds, or was written by a fit on other rows.
    OSError
        Where there is no file, or none that can be read.
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


def _content(path: Path, trusted: set[str], max_size: int) -> tuple[Any, int, str, dict[str, Any]]:
    """Return what a checkpoint holds: estimator, `every`, the digest of the rows, state."""
    checkpoint_file.skops_io()
    try:
        content = checkpoint_file.read(path, trusted, max_size)
        estimator, every, digest, state = (
            content[name] for name in ("estimator", "every", "digest", "state")
        )
        _require_types(estimator, every, digest, state)
        estimator = _anew(estimator)
        estimator._resolve()  # says which parameter is out of range
        return estimator, every, digest, state
    except OSError:
        raise
    except StoredTreeError as error:
        raise CheckpointError(f"{path} {error}") from error
    except Exception as error:
        kind = type(error).__name__
        raise CheckpointError(f"{path} is no whole checkpoint ({kind}: {error}).") from error


def _require_types(estimator: Any, every: Any, digest: Any, state: Any) -> None:
    right = {
        "estimator": isinstance(estimator, Estimator),
        "every": type(every) is int and every >= 1,
        "digest": type(digest) is str,
        "state": type(state) is dict,
    }
    wrong = [name for name, is_right in right.items() if not is_right]
    if wrong:
        raise StoredTreeError(f"holds another {' and '.join(wrong)} than a checkpoint does.")


def _anew(value: Any) -> Any:
    """Return an estimator, or a piece, of the same parameters and nothing else that was read."""
    if isinstance(value, list | tuple):
        return type(value)(_anew(each) for each in value)
    if not isinstance(value, BaseEstimator):
        return value
    kind, read = type(value), vars(value)
    return kind(**{name: _anew(read[name]) for name in kind._get_param_names()})
