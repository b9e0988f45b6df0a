"""Plots of gradient descent, of fitted models, and of activations.

They require matplotlib, which is imported when the first plot is drawn.
"""

from sklearn_gd.inspection._activation import ActivationDisplay
from sklearn_gd.inspection._descent import DescentDisplay
from sklearn_gd.inspection._fit import FitDisplay
from sklearn_gd.inspection._learning_rate import LearningRateDisplay
from sklearn_gd.inspection._loss_curve import LossCurveDisplay
from sklearn_gd.inspection._network import NetworkDisplay

__all__ = [
    "ActivationDisplay",
    "DescentDisplay",
    "FitDisplay",
    "LearningRateDisplay",
    "LossCurveDisplay",
    "NetworkDisplay",
]
