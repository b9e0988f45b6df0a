"""The three estimators on a Dask cluster, for rows that outgrow memory or one machine.

Their constructors, their meaning and what is fitted are those of the estimators of the same name
without ``Dask``, and ``to_local()`` gives one of these. Rows come as Dask arrays or data frames,
in any chunks of rows, or in memory. Needs ``pip install 'sklearn-gd[dask]'``.
"""

try:
    from sklearn_gd.dask._estimators import (
        DaskFeedForwardRegressor,
        DaskPerceptronClassifier,
        DaskThroughOriginRegressor,
    )
except ImportError as error:
    if error.name is not None and error.name.startswith("sklearn_gd"):
        raise
    raise ImportError("sklearn_gd.dask needs Dask: pip install 'sklearn-gd[dask]'") from error

__all__ = [
    "DaskFeedForwardRegressor",
    "DaskPerceptronClassifier",
    "DaskThroughOriginRegressor",
]
