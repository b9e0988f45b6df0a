"""Callbacks: a checkpoint of a running fit, and how to go on from it.

They work by scikit-learn's callbacks (:mod:`sklearn.callback`, from scikit-learn 1.9 on), and need
skops, which writes and reads models without running code from the file.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import joblib
from sklearn.base import clone

__all__ = ["Checkpoint", "CheckpointError", "resume"]

_HEADER = b"sklearn_gd checkpoint 1\n"


class CheckpointError(ValueError):
    """A file that is not a whole, unaltered checkpoint, or not one of these data."""


class Checkpoint:
    """Writes the fit to a file every so many epochs, so that it can be resumed to the last bit.

    The file is written beside its place and then renamed into it: whenever the process dies,
    there is either the last whole checkpoint or the one before. It holds the estimator's
    parameters, the weights, the solver's and the schedule's memory, the random generator and the
    history; the rows are not in it, only a digest of them.

    Parameters
    ----------
    path : str or path
        The file. Its directory must be there.
    every : int, default=1
        The number of epochs from one checkpoint to the next.

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

    _expected: str

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        self.path = path
        self.every = every

    def setup(self, estimator: Any, context: Any) -> None:
        """Check what can be checked before the first epoch."""
        if not isinstance(self.every, int) or isinstance(self.every, bool) or self.every < 1:
            raise ValueError(f"Checkpoint: every must be a positive int. Got {self.every!r}.")
        folder = Path(self.path).absolute().parent
        if not folder.is_dir():
            raise ValueError(f"Checkpoint: path must lie in a directory, and {folder} is none.")
        if getattr(estimator, "solver", None) == "lbfgs":
            raise ValueError("Checkpoint: solver='lbfgs' keeps its memory to itself.")
        _skops()
        self._estimator = clone(estimator).set_callbacks()  # cloned along otherwise
        self._digest: str | None = None

    def on_fit_task_begin(
        self, estimator: Any, context: Any, *, X: Any, y: Any, metadata: Any
    ) -> None:
        """Take a digest of the rows that are trained on, once."""
        if self._digest is None:
            self._digest = joblib.hash((X, y, metadata), coerce_mmap=True)
            if getattr(self, "_expected", self._digest) != self._digest:
                raise CheckpointError(
                    f"{self.path} was written by a fit on other X, y or sample_weight than these."
                )

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Nothing: the state comes by ``keep_state``."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Let go of what belongs to the fit."""
        self.__dict__.pop("_estimator", None)
        self.__dict__.pop("_digest", None)

    def keep_state(self, epochs: int, state: Callable[[], dict[str, Any]]) -> None:
        """Write the file, where it is time to; called by the fit after every epoch."""
        if epochs % self.every == 0:
            content = {
                "estimator": self._estimator,
                "every": self.every,
                "digest": self._digest,
                "state": state(),
            }
            _write(Path(self.path), _skops().dumps(content))


def resume(
    path: str | os.PathLike[str],
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    trusted: Iterable[str] = (),
    callbacks: Iterable[Any] = (),
    **fit_params: Any,
) -> Any:
    """Go on with the fit that wrote a checkpoint, to its end.

    Parameters
    ----------
    path : str or path
        The file of a :class:`Checkpoint`; further checkpoints go there too.
    X, y, sample_weight : array-like
        What ``fit`` was given.
    trusted : iterable of str, default=()
        The types of your own in the file that may be loaded, such as ``"mine.MyActivation"``.
        Those of this package, of NumPy and of scikit-learn's tables need no mention.
    callbacks : iterable, default=()
        Further callbacks for the rest of the fit.
    **fit_params
        What else ``fit`` was given, such as `X_val` and `y_val`.

    Returns
    -------
    estimator : object
        Fitted, with weights equal to the last bit to those of a fit without interruption.

    Raises
    ------
    CheckpointError
        Where the file is cut short or altered, has types that are not trusted, or was written by
        a fit on other rows.
    """
    content = _read(Path(path), set(trusted))
    checkpoint = Checkpoint(path, content["every"])
    checkpoint._expected = content["digest"]
    estimator = content["estimator"].set_callbacks(checkpoint, *callbacks)
    estimator._continuation = content["state"]
    estimator.fit(X, y, sample_weight, **fit_params)
    return estimator.set_callbacks()


def _write(path: Path, payload: bytes) -> None:
    """Write all or nothing: a file beside, flushed to the disk, then renamed."""
    handle, beside = tempfile.mkstemp(prefix=path.name, suffix=".part", dir=path.absolute().parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_HEADER + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _read(path: Path, trusted: set[str]) -> dict[str, Any]:
    """Return a checkpoint's content; nothing is loaded before all of it has been checked."""
    raw = path.read_bytes()
    body = raw[len(_HEADER) :]
    digest, _, payload = body.partition(b"\n")
    if not raw.startswith(_HEADER):
        raise CheckpointError(f"{path} is no checkpoint of sklearn_gd.")
    if hashlib.sha256(payload).hexdigest().encode() != digest:
        raise CheckpointError(f"{path} is cut short or was altered: its digest does not fit.")
    skops = _skops()
    foreign = {
        name
        for name in skops.get_untrusted_types(data=payload)
        if not name.startswith("sklearn_gd.")
    }
    if foreign - trusted:
        raise CheckpointError(
            f"{path} holds types that are not trusted: {sorted(foreign - trusted)}. Where you "
            "know them to be harmless, name them in trusted."
        )
    content: dict[str, Any] = skops.loads(payload, trusted=skops.get_untrusted_types(data=payload))
    return content


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            "Checkpoints need skops: pip install 'sklearn-gd[checkpoint]'"
        ) from error
    return skops.io
