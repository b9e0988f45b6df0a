"""
===========================
Which learning rate to use?
===========================

Too small a rate gets nowhere, too large a one diverges. For a line the border between the two is
known beforehand. For a network it is not, and a search over rates finds a good one; the fits that
diverge lose the search, and do not stop it.
"""

# %%
import warnings

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from sklearn_gd import FeedForwardRegressor, ThroughOriginRegressor
from sklearn_gd.exceptions import DivergenceError
from sklearn_gd.inspection import LearningRateDisplay

X, y = load_diabetes(return_X_y=True, scaled=False)

# %%
# A line: the border is known
# ---------------------------
# The mean squared error of a linear model is a bowl, and its steepest curvature says which rates
# are stable: all below ``max_learning_rate_``. With standard scores for features and target:
line = ThroughOriginRegressor(solver="gd", max_iter=50, tol=None)
steepest = ThroughOriginRegressor().fit(scale(X), scale(y)).max_learning_rate_
print(f"largest stable rate of the line: {steepest:.3f}")
rates = steepest * np.logspace(-3, 0.3, 23)
display = LearningRateDisplay.from_estimator(line, scale(X), scale(y), rates=rates, name="line")
display.ax_.set_title("The line's error after 50 steps")

# %%
# One rate on either side of the border. The error names both the epoch and the border.
below = line.set_params(learning_rate=0.95 * steepest).fit(scale(X), scale(y))
print(f"at 0.95 of it, after 50 steps: {below.loss_:.3f}")
try:
    line.set_params(learning_rate=2 * steepest).fit(scale(X), scale(y))
except DivergenceError as error:
    print("at 2 times it:", str(error).replace(". ", ".\n"), sep="\n")

# %%
# A network: search
# -----------------
# Plain gradient descent for 50 epochs, at rates over five orders of magnitude. ``tol=None`` says
# that ``max_iter`` is meant to end the fits. Two warnings say what is expected here, that the fits
# at the largest rates failed and so have no score.
net = FeedForwardRegressor(
    hidden_layer_sizes=(20,), solver="gd", max_iter=50, tol=None, random_state=0
)
model = TransformedTargetRegressor(
    make_pipeline(StandardScaler(), net), transformer=StandardScaler()
)
name = "regressor__feedforwardregressor__learning_rate"
folds = KFold(5, shuffle=True, random_state=0)
search = GridSearchCV(model, {name: [1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0]}, cv=folds)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FitFailedWarning)
    warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
    search.fit(X, y)

print("    rate   mean R2   rank")
results = search.cv_results_
for rate, score, rank in zip(
    results[f"param_{name}"], results["mean_test_score"], results["rank_test_score"], strict=True
):
    print(f"{rate:8g}   {score:7.3f}   {rank:4d}")
linear = cross_val_score(LinearRegression(), X, y, cv=folds)
print(f"LinearRegression on the same folds: {linear.mean():.3f}")

# %%
# The mean score of each rate and its spread over the folds. A rate for which any fold diverged has
# no mean score, and cannot win.
display = LearningRateDisplay.from_search(search, param_name=name, name="mean of 5 folds")
display.ax_.set(ylabel="R²", title="A network on the diabetes data, after 50 epochs")

# %%
# What was chosen is a rate for *50 epochs* of plain descent. With more epochs, another solver or
# another batch size the best rate moves, so search with the settings that you will use.
print(f"chosen: {search.best_params_[name]:g}")
