"""
==========================
One model, several targets
==========================

Both regressors accept a target with several columns. For ``ThroughOriginRegressor`` this is only
convenient: every column has the weights of a separate fit. A network shares its hidden layer
between the targets, so what it learns for one target depends on the others.
"""

# %%
# Linnerud's data: the results of 20 men in three exercises, and their weight (in pounds), waist
# (in inches) and pulse. The targets are standardized: the squared error is averaged over them, so
# that otherwise the weight, whose numbers vary most, would decide the fit.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_linnerud
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import FeedForwardRegressor, ThroughOriginRegressor
from sklearn_gd.inspection import NetworkDisplay

data = load_linnerud()
X, Y = StandardScaler().fit_transform(data.data), StandardScaler().fit_transform(data.target)
print(*data.feature_names, "->", *data.target_names, X.shape, Y.shape)

# %%
# Linear model: independent targets
# ---------------------------------
# ``coef_`` has one row per target. In standardized data all means are 0, so no intercept is
# needed.
line = ThroughOriginRegressor().fit(X, Y)
print(f"{'':8s}", *(f"{name:>8s}" for name in data.feature_names))
for name, weights in zip(data.target_names, line.coef_, strict=True):
    print(f"{name:8s}", *(f"{weight:8.3f}" for weight in weights))
alone = [ThroughOriginRegressor().fit(X, y).coef_ for y in Y.T]
linear = LinearRegression(fit_intercept=False).fit(X, Y)
print("one target at a time gives the same:", np.allclose(line.coef_, alone))
print("so does LinearRegression:           ", np.allclose(line.coef_, linear.coef_))

# %%
# Network: a shared hidden layer
# ------------------------------
# All three targets are computed from the same three hidden neurons.
settings = {
    "activation": "tanh",
    "solver": "lbfgs",
    "alpha": 0.02,
    "max_iter": 2000,
    "random_state": 0,
}
net = FeedForwardRegressor(standardize=False, hidden_layer_sizes=(3,), **settings).fit(X, Y)
NetworkDisplay.from_estimator(
    net, feature_names=data.feature_names, target_names=data.target_names
)
size = sum(w.size for w in (*net.coefs_, *net.intercepts_))
separate = [
    FeedForwardRegressor(standardize=False, hidden_layer_sizes=(3,), **settings).fit(X, y)
    for y in Y.T
]
size_apart = sum(w.size for n in separate for w in (*n.coefs_, *n.intercepts_))
print(f"parameters: {size} in one network, {size_apart} in three")
apart = np.column_stack([n.predict(X) for n in separate])
print("the same predictions:", np.allclose(net.predict(X), apart))

# %%
# Comparison
# ----------
# With 20 samples, each sample can be predicted by a model trained on the other 19. These
# predictions give the R² of each target:


def on_scores(regressor):
    """Standardize features and targets with the statistics of the training samples."""
    return TransformedTargetRegressor(
        make_pipeline(StandardScaler(), regressor), transformer=StandardScaler()
    )


shared = FeedForwardRegressor(standardize=False, hidden_layer_sizes=(3,), **settings)
models = {
    "the mean": DummyRegressor(),
    "a line": on_scores(ThroughOriginRegressor()),
    "one network": on_scores(shared),
    "three networks": on_scores(MultiOutputRegressor(shared)),
}
predicted = {
    name: cross_val_predict(model, data.data, data.target, cv=LeaveOneOut())
    for name, model in models.items()
}
print(f"{'':16s}", *(f"{name:>8s}" for name in data.target_names))
for name, values in predicted.items():
    scores = r2_score(data.target, values, multioutput="raw_values")
    print(f"{name:16s}", *(f"{score:8.3f}" for score in scores))

# %%
# An R² below 0 is worse than the mean of all samples. (Even the mean has a negative R², since it
# is the mean of the *other* 19.) The exercises are informative only for the waist, for which three
# networks are slightly better than one. For the other targets the shared layer overfits less,
# since it cannot fit the noise of each target separately. Twenty samples are too few for
# conclusions; the example shows how to make the comparison.
figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained")
for column, (ax, name) in enumerate(zip(axes, data.target_names, strict=True)):
    observed = data.target[:, column]
    ax.axline((observed.mean(), observed.mean()), slope=1, color="0.6", linewidth=1)
    for model, colour, marker in (("a line", "#0072B2", "o"), ("one network", "#D55E00", "^")):
        ax.plot(
            observed, predicted[model][:, column], marker, color=colour, markersize=5, label=model
        )
    ax.set(title=name, xlabel="observed")
axes[0].set_ylabel("predicted from the other 19")
axes[0].legend(fontsize=10)
