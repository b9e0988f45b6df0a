"""Estimators for scikit-learn trained by gradient descent.

A regression through the origin, a perceptron, and a feed-forward network, with pluggable
activations, losses, solvers and learning-rate schedules.
"""

from sklearn_gd._base import __version__ as __version__
from sklearn_gd._feed_forward import FeedForwardRegressor
from sklearn_gd._feed_forward_classifier import FeedForwardClassifier
from sklearn_gd._perceptron import PerceptronClassifier
from sklearn_gd._show_versions import show_versions
from sklearn_gd._through_origin import ThroughOriginRegressor

__all__ = [
    "FeedForwardClassifier",
    "FeedForwardRegressor",
    "PerceptronClassifier",
    "ThroughOriginRegressor",
    "show_versions",
]
