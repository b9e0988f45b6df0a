"""
==========================
Choosing the learning rate
==========================

With a small learning rate, training is slow; with a large one, it diverges. For a linear model the
largest stable rate is known in advance. For a network it is not, but a search finds a good rate.
Fits that diverge receive no score and do not stop the search.
"""

# %%
import warnings

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.preprocessing import scale

from sklearn_gd import FeedForwardRegressor, ThroughOriginRegressor
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.inspection import LearningRateDisplay

X, y = load_diabetes(return_X_y=True, scaled=False)

# %%
# A linear model: the largest stable rate
# ---------------------------------------
# The mean squared error of a linear model is quadratic, and its largest curvature determines which
# rates are stable: all below ``max_learning_rate_``. Features and target are standardized here.
line = ThroughOriginRegressor(solver="gd", max_iter=50, tol=None)
steepest = ThroughOriginRegressor().fit(scale(X), scale(y)).max_learning_rate_
print(f"largest stable rate of the line: {steepest:.3f}")
rates = steepest * np.logspace(-3, 0.3, 23)
display = LearningRateDisplay.from_estimator(line, scale(X), scale(y), rates=rates, name="line")
display.ax_.set_title("The line's error after 50 steps")

# %%
# One rate below the largest stable one, and one above. The error message states the epoch and the
# largest stable rate.
below = line.set_params(learning_rate=0.95 * steepest).fit(scale(X), scale(y))
print(f"at 0.95 of it, after 50 steps: {below.loss_:.3f}")
try:
    line.set_params(learning_rate=2 * steepest).fit(scale(X), scale(y))
except DivergenceError as error:
    print("at 2 times it:", str(error).replace(". ", ".\n"), sep="\n")

# %%
# A network: grid search
# ----------------------
# Plain gradient descent for 50 epochs, at rates over five orders of magnitude. The network
# standardizes features and target itself, as it does by default. With ``tol=None``,
# the fits end after ``max_iter`` epochs without a warning. The fits at the largest rates are
# expected to fail and to have no score, so two warnings about this are ignored.
net = FeedForwardRegressor(
    hidden_layer_sizes=(20,), solver="gd", max_iter=50, tol=None, random_state=0
)
rates = [1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0]
folds = KFold(5, shuffle=True, random_state=0)
search = GridSearchCV(net, {"learning_rate": rates}, cv=folds)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FitFailedWarning)
    warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
    search.fit(X, y)

print("    rate   mean R2   rank")
results = search.cv_results_
for rate, score, rank in zip(
    rates, results["mean_test_score"], results["rank_test_score"], strict=True
):
    print(f"{rate:8g}   {score:7.3f}   {rank:4d}")
linear = cross_val_score(LinearRegression(), X, y, cv=folds)
print(f"LinearRegression on the same folds: {linear.mean():.3f}")

# %%
# The mean score of each rate and its spread over the folds. A rate that diverges on any fold has
# no mean score, and is never chosen.
display = LearningRateDisplay.from_search(search, name="mean of 5 folds")
display.ax_.set(ylabel="R²", title="A network on the diabetes data, after 50 epochs")

# %%
# The chosen rate is the best for *50 epochs* of plain gradient descent. The best rate depends on
# the number of epochs, the solver and the batch size, so search with the settings that you will
# use.
print(f"chosen: {search.best_params_['learning_rate']:g}")
