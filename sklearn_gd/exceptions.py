"""Errors and warnings of the estimators, in addition to those of scikit-learn."""

from collections.abc import Iterable

__all__ = ["DivergenceError", "ModelVersionWarning"]


class DivergenceError(ValueError):
    """The loss of a fit became infinite or NaN, or grew far above its initial value.

    It is a ValueError, so that a search over learning rates (``GridSearchCV`` with
    ``error_score=np.nan``) marks the candidate as failed and continues.

    Parameters
    ----------
    message : str
        Description of the divergence, with its epoch, rate and remedy.
    loss_curve : list of float, default=()
        Loss of every epoch up to and including the one that diverged.

    Examples
    --------
    >>> from sklearn_gd import ThroughOriginRegressor
    >>> from sklearn_gd.exceptions import DivergenceError
    >>> try:
    ...     ThroughOriginRegressor(solver="gd", learning_rate=3.0).fit([[1.0]], [1.0])
    ... except DivergenceError as error:
    ...     print(error.loss_curve[0] < error.loss_curve[-1])
    True
    """

    def __init__(self, message: str, loss_curve: Iterable[float] = ()) -> None:
        # Exceptions are pickled by their args, for example from a worker process.
        super().__init__(message, loss_curve)
        self.loss_curve = list(loss_curve)

    def __str__(self) -> str:
        return str(self.args[0])


class ModelVersionWarning(UserWarning):
    """A stored model was loaded by another version of sklearn_gd than the one that stored it.

    The model may fail or give different predictions. The warning is given in the same cases as
    scikit-learn's ``InconsistentVersionWarning``.

    Parameters
    ----------
    estimator_name : str
        Class name of the model.
    current_version : str
        Version of sklearn_gd that loads the model.
    original_version : str
        Version of sklearn_gd that stored the model.

    Examples
    --------
    >>> from sklearn_gd.exceptions import ModelVersionWarning
    >>> warning = ModelVersionWarning("FeedForwardRegressor", "0.2.0", "0.1.0")
    >>> str(warning).partition(":")[0]
    'A FeedForwardRegressor stored by sklearn_gd 0.1.0 was loaded by sklearn_gd 0.2.0'
    """

    def __init__(self, estimator_name: str, current_version: str, original_version: str) -> None:
        super().__init__(estimator_name, current_version, original_version)
        self.estimator_name = estimator_name
        self.current_version = current_version
        self.original_version = original_version

    def __str__(self) -> str:
        return (
            f"A {self.estimator_name} stored by sklearn_gd {self.original_version} was loaded by "
            f"sklearn_gd {self.current_version}: it may fail or give different predictions. Fit "
            "and store it again, or load it where "
            f"sklearn-gd=={self.original_version} is installed."
        )
