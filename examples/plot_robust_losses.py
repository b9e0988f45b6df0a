"""
===========================
Robust losses and quantiles
===========================

The squared error of a residual of 10 is a hundred times that of a residual of 1, so a single
outlier can change the fit substantially. Losses that grow linearly are robust, and the pinball
loss fits any quantile of the target.
"""

# %%
# An outlier
# ----------
# Hubble's 24 nebulae, with an error in one velocity: the last nebula, NGC 4649, recedes at 1090
# km/s, and 10900 is recorded.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, QuantileRegressor
from sklearn.model_selection import train_test_split

from sklearn_gd import FeedForwardRegressor, ThroughOriginRegressor
from sklearn_gd.losses import Huber, Pinball
from sklearn_gd.schedules import Exponential

BLUE, GREEN, VERMILLION = "#0072B2", "#009E73", "#D55E00"
distance = np.array(
    [
        [0.032, 0.034, 0.214, 0.263, 0.275, 0.275, 0.45, 0.5, 0.5, 0.63, 0.8, 0.9],
        [0.9, 0.9, 0.9, 1.0, 1.1, 1.1, 1.4, 1.7, 2.0, 2.0, 2.0, 2.0],
    ]
).ravel()
velocity = np.array(
    [
        [170, 290, -130, -70, -185, -220, 200, 290, 270, 200, 300, -30],
        [650, 150, 500, 920, 450, 500, 500, 960, 500, 850, 800, 1090],
    ]
).ravel()
X, with_slip = distance[:, None], velocity.copy()
with_slip[-1] *= 10
print(f"{velocity[-1]:g} km/s has become {with_slip[-1]:g}")

# %%
# A line through the origin is fitted with three losses, without and with the outlier. Huber's
# ``delta``, in the units of y, is the largest residual that is squared. The absolute error has a
# kink, so its curvature is unbounded and there is no automatic rate: a decreasing rate makes the
# slope converge, and with ``tol=None`` the fit does not wait for a small gradient.
losses = {
    "squared error": ThroughOriginRegressor(),
    "huber, delta 300 km/s": ThroughOriginRegressor(loss=Huber(delta=300.0)),
    "absolute error": ThroughOriginRegressor(
        loss="absolute_error",
        solver="gd",
        learning_rate=Exponential(initial_rate=20.0, decay=0.99),
        max_iter=1500,
        tol=None,
    ),
    "QuantileRegressor, 0.5": QuantileRegressor(quantile=0.5, alpha=0.0, fit_intercept=False),
    "LinearRegression": LinearRegression(fit_intercept=False),
}
slopes = {}
print(f"{'slope, km/s/Mpc':24s} as noted by Hubble   with the slip")
for name, model in losses.items():
    slopes[name] = [float(model.fit(X, v).coef_[0]) for v in (velocity, with_slip)]
    print(f"{name:24s} {slopes[name][0]:18.1f}   {slopes[name][1]:13.1f}")

# %%
# The absolute error gives the same result as scikit-learn's ``QuantileRegressor``, which solves
# the same problem by linear programming. The left plot shows all nebulae, the right plot all but
# the outlier.
figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
ends = np.array([0.0, 2.1])
looks = ((VERMILLION, 2, "-"), (GREEN, 5, "-"), (BLUE, 2, "--"))
for ax in axes:
    ax.plot(distance, with_slip, "o", color="0.4", label="nebulae")
    for name, (colour, width, dashes) in zip(losses, looks, strict=False):
        line = slopes[name][1] * ends
        ax.plot(ends, line, color=colour, linewidth=width, linestyle=dashes, label=name)
    ax.set(xlabel="distance (Mpc)", xlim=(0, 2.1))
axes[0].annotate(
    "the slip",
    xy=(1.98, 10900),
    xytext=(1.3, 10700),
    fontsize=11,
    arrowprops={"arrowstyle": "->"},
)
axes[0].set(ylabel="velocity (km/s)")
axes[1].set(ylim=(-300, 1300))
axes[0].legend(loc="center left", fontsize=11)

# %%
# Quantile regression
# -------------------
# A prediction interval is often more useful than a single prediction. ``Pinball(quantile=0.9)``
# fits the curve above which a tenth of the samples lie. One network predicts three quantiles of
# the progression of diabetes after one year, from the body mass index alone; they never cross.
frame = load_diabetes(as_frame=True, scaled=False)
index, progress = frame.data[["bmi"]].to_numpy(), frame.target.to_numpy()
bmi_train, bmi_test, y_train, y_test = train_test_split(
    index, progress, test_size=0.4, random_state=0
)
QUANTILES = (0.1, 0.5, 0.9)


net = FeedForwardRegressor(
    hidden_layer_sizes=(8,),
    activation="tanh",
    loss=Pinball(quantile=QUANTILES),
    learning_rate=Exponential(initial_rate=0.02, decay=0.985),
    max_iter=300,
    tol=None,
    random_state=0,
).fit(bmi_train, y_train)
lines = {q: QuantileRegressor(quantile=q, alpha=0.0).fit(bmi_train, y_train) for q in QUANTILES}


print(f"share of rows below the curve {'network':>8s}  network   QuantileRegressor")
print(f"{'quantile':24s} {'training':>13s}     test                test")
on_train = np.mean(y_train[:, None] < net.predict(bmi_train), axis=0)
on_test = np.mean(y_test[:, None] < net.predict(bmi_test), axis=0)
for i, q in enumerate(QUANTILES):
    straight = np.mean(y_test < lines[q].predict(bmi_test))
    print(f"{q:<24g} {on_train[i]:13.3f}   {on_test[i]:6.3f}   {straight:17.3f}")

# %%
# Filled points are training samples, rings are test samples. The band is wider where the target
# varies more.
figure, ax = plt.subplots(figsize=(8, 4.8), layout="constrained")
grid = np.linspace(index.min(), index.max(), 200)[:, None]
ax.plot(bmi_train, y_train, "o", color="0.55", markersize=3, label="training samples")
ax.plot(bmi_test, y_test, "o", mfc="none", mec="0.35", markersize=5, label="test samples")
curves = net.predict(grid).T
ax.fill_between(grid[:, 0], curves[0], curves[-1], color=BLUE, alpha=0.15)
for q, curve, colour in zip(QUANTILES, curves, (BLUE, "black", VERMILLION), strict=True):
    ax.plot(grid, curve, color=colour, linewidth=2, label=f"quantile {q:g}")
ax.set(xlabel="body mass index (kg/m²)", ylabel="progress of the disease", ylim=(0, 450))
ax.legend(loc="upper left", fontsize=10, ncols=2)
