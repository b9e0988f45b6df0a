"""The estimators for data on a Dask cluster, larger than memory or than one machine.

They have the parameters and the fitted attributes of the estimators without ``Dask`` in their
names, and ``to_local()`` returns one of these. ``fit``, ``predict`` and ``score`` take Dask arrays
and data frames, in any chunks of rows, or data in memory; predictions of Dask collections are
lazy. ``partial_fit`` takes data in memory. A RuntimeError is raised if the client is closed or all
workers are lost. Needs ``pip install 'sklearn-gd[dask]'``.
"""

try:
    from sklearn_gd.dask._estimators import (
        DaskFeedForwardClassifier,
        DaskFeedForwardRegressor,
        DaskPerceptronClassifier,
        DaskThroughOriginRegressor,
    )
except ImportError as error:
    if error.name is not None and error.name.startswith("sklearn_gd"):
        raise
    raise ImportError("sklearn_gd.dask needs Dask: pip install 'sklearn-gd[dask]'") from error

__all__ = [
    "DaskFeedForwardClassifier",
    "DaskFeedForwardRegressor",
    "DaskPerceptronClassifier",
    "DaskThroughOriginRegressor",
]
