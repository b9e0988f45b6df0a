"""Errors that the estimators raise beside scikit-learn's own."""

__all__ = ["DivergenceError"]


class DivergenceError(ValueError):
    """The loss of a fit left the finite numbers, or grew far above where it started.

    A ValueError, so that a search over learning rates (``GridSearchCV`` with
    ``error_score=np.nan``) marks the candidate as failed and goes on.

    Parameters
    ----------
    message : str
        What happened, at which epoch and rate, and what to do about it.
    loss_curve : list of float, default=()
        The loss of every epoch up to and including the one that diverged.

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

    def __init__(self, message: str, loss_curve: object = ()) -> None:
        # Both go to args: an exception pickles by its args, and has to cross process borders.
        super().__init__(message, loss_curve)
        self.loss_curve = list(loss_curve)  # type: ignore[call-overload]

    def __str__(self) -> str:
        return str(self.args[0])
