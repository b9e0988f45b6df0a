"""Pictures of a descent, of what it found, and of the pieces it is made of.

They need matplotlib, which is imported when the first picture is drawn.
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
