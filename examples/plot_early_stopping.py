"""
==============
Early stopping
==============

A large network trained on few samples overfits: its training loss keeps decreasing while its loss
on other samples increases. With ``early_stopping=True``, some of the training samples are used for
validation, and the fit returns the weights of the epoch with the smallest validation loss.
"""

# %%
# The diabetes data of 442 patients; a third is held out as test data. Losses are mean squared
# errors in the units of the target: those of a constant are about the variance.
import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold, cross_validate, train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import FeedForwardRegressor
from sklearn_gd.inspection import LossCurveDisplay

X, y = load_diabetes(return_X_y=True, scaled=False)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.33, random_state=0)
print(f"variance of the target: {y_train.var():.0f}")

# %%
# Overfitting
# -----------
# The test samples are passed as a validation set only to record their loss: with ``tol=None`` the
# fit runs all epochs.
net = FeedForwardRegressor(
    activation="relu",
    batch_size=200,
    hidden_layer_sizes=(50, 50),
    learning_rate=0.003,
    max_iter=300,
    random_state=0,
)
watched = clone(net).set_params(tol=None)
watched.fit(X_train, y_train, X_val=X_test, y_val=y_test)
print(f"training loss after {watched.n_iter_} epochs: {watched.loss_curve_[-1]:.0f}")
print(f"test loss after {watched.n_iter_} epochs:     {watched.validation_loss_curve_[-1]:.0f}")
print(f"smallest test loss:             {watched.best_loss_:.0f}, epoch {watched.best_iter_ + 1}")

# %%
# The curves diverge early. The circle marks the best epoch.
display = LossCurveDisplay.from_estimator(watched)
display.ax_.set(ylim=(0, 10_000), title="The training loss keeps falling, the test loss does not")

# %%
# Early stopping
# --------------
# Now the test samples are not used during the fit. A fifth of the training samples form the
# validation set, and the fit ends when its loss has not improved for 20 epochs.
early = clone(net).set_params(early_stopping=True, validation_fraction=0.2, n_iter_no_change=20)
theirs = MLPRegressor(
    hidden_layer_sizes=(50, 50),
    learning_rate_init=0.003,
    alpha=0.0,
    max_iter=300,
    early_stopping=True,
    validation_fraction=0.2,
    n_iter_no_change=20,
    random_state=0,
)
models = {
    "no early stopping": clone(net).set_params(tol=None).fit(X_train, y_train),
    "early stopping": early.fit(X_train, y_train),
    "MLPRegressor, early stopping": TransformedTargetRegressor(
        make_pipeline(StandardScaler(), theirs), transformer=StandardScaler()
    ).fit(X_train, y_train),
    "LinearRegression": LinearRegression().fit(X_train, y_train),
}
print(f"{'':30s} epochs   test loss   test R2")
for name, model in models.items():
    loss = mean_squared_error(y_test, model.predict(X_test))
    network = model.regressor_[-1] if "MLP" in name else model
    epochs = getattr(network, "n_iter_", "-")
    print(f"{name:30s} {epochs:>6}   {loss:9.0f}   {model.score(X_test, y_test):7.3f}")

# %%
# ``best_iter_`` is the epoch of the returned weights, counted from 0 like the curves.
print(f"epochs run: {early.n_iter_}, weights of epoch {early.best_iter_ + 1}")
print(
    "its validation loss is the smallest:", early.best_loss_ == min(early.validation_loss_curve_)
)

# %%
# Cross-validation
# ----------------
# The best epoch depends on which samples are used for validation: it differs between five folds.
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
