"""
================================
When should a fit stop learning?
================================

A large network on few rows goes on lowering the loss of its training rows long after it has begun
to do worse on others. With ``early_stopping=True`` some rows are set aside and watched, and the
weights you get are those of the epoch at which the loss on *them* was smallest.
"""

# %%
# The diabetes data, 442 patients, in standard scores; a third of them for the test at the end.
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold, cross_validate, train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_gd import FeedForwardRegressor
from sklearn_gd.inspection import LossCurveDisplay

X, y = load_diabetes(return_X_y=True, scaled=False)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.33, random_state=0)
features, target = StandardScaler().fit(X_train), StandardScaler().fit(y_train[:, None])
X_train, X_test = features.transform(X_train), features.transform(X_test)
y_train, y_test = (target.transform(part[:, None])[:, 0] for part in (y_train, y_test))

# %%
# Watching a fit go too far
# -------------------------
# The test rows are given as a validation set, only to look at them: ``tol=None`` lets the fit run
# through.
net = FeedForwardRegressor(
    hidden_layer_sizes=(50, 50), learning_rate=0.003, max_iter=300, random_state=0
)
watched = clone(net).set_params(tol=None)
watched.fit(X_train, y_train, X_val=X_test, y_val=y_test)
print(f"training loss after {watched.n_iter_} epochs: {watched.loss_curve_[-1]:.3f}")
print(f"test loss after {watched.n_iter_} epochs:     {watched.validation_loss_curve_[-1]:.3f}")
print(f"smallest test loss:             {watched.best_loss_:.3f}, epoch {watched.best_iter_ + 1}")

# %%
# The two curves part early. The circle is the best epoch.
display = LossCurveDisplay.from_estimator(watched)
display.ax_.set(ylim=(0, 1.6), title="The training loss falls on, the test loss does not")

# %%
# Stopping in time
# ----------------
# Without looking at the test rows: a fifth of the training rows are set aside, and the fit ends 20
# epochs after their loss was last improved. The test now comes as news.
early = clone(net).set_params(early_stopping=True, validation_fraction=0.2, n_iter_no_change=20)
models = {
    "no early stopping": clone(net).set_params(tol=None).fit(X_train, y_train),
    "early stopping": early.fit(X_train, y_train),
    "MLPRegressor, early stopping": MLPRegressor(
        hidden_layer_sizes=(50, 50),
        learning_rate_init=0.003,
        alpha=0.0,
        max_iter=300,
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change=20,
        random_state=0,
    ).fit(X_train, y_train),
    "LinearRegression": LinearRegression().fit(X_train, y_train),
}
print(f"{'':30s} epochs   test loss   test R2")
for name, model in models.items():
    loss = mean_squared_error(y_test, model.predict(X_test))
    epochs = getattr(model, "n_iter_", "-")
    print(f"{name:30s} {epochs:>6}   {loss:9.3f}   {model.score(X_test, y_test):7.3f}")

# %%
# The estimator tells which weights it returned. ``best_iter_`` counts from 0, like the curves.
print(f"epochs run: {early.n_iter_}, weights of epoch {early.best_iter_ + 1}")
print(
    "its validation loss is the smallest:", early.best_loss_ == min(early.validation_loss_curve_)
)

# %%
# One division is one draw
# ------------------------
# Which rows are set aside decides when to stop: over five folds the best epoch differs.
results = cross_validate(
    early,
    np.vstack([X_train, X_test]),
    np.concatenate([y_train, y_test]),
    cv=KFold(5, shuffle=True, random_state=0),
    return_estimator=True,
)
print("best epochs:", *(fold.best_iter_ + 1 for fold in results["estimator"]))
print(
    f"R2 over five folds: {results['test_score'].mean():.3f} +- {results['test_score'].std():.3f}"
)
display = LossCurveDisplay.from_cv_results(results)
display.ax_.set_title("Five folds, and their mean")
