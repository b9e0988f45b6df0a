"""
========================
When a step is too large
========================

The learning rate determines how far a step goes for a given slope of the error. If it is too
small, the descent is slow; if it is too large, each step ends farther from the optimum than it
began. For a parabola, the largest stable rate is 2 / curvature. The data are Hubble's 24 nebulae.
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np

from sklearn_gd import ThroughOriginRegressor
from sklearn_gd.exceptions import DivergenceError

BLUE, VERMILLION, GREEN, ORANGE, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#7F7F7F"
plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})

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
X = distance.reshape(-1, 1)

# %%
# The curvature
# -------------
# The mean squared error is a parabola in the slope w. Its second derivative, the curvature, is
# constant: twice the mean of the squared distances. A step with rate r multiplies the difference
# from the optimum by 1 - r · curvature, independently of the weight and of the velocities.

curvature = 2 * np.mean(distance**2)
best = distance @ velocity / (distance @ distance)
line = ThroughOriginRegressor().fit(X, velocity)
print(f"curvature {curvature:.3f}, so the largest stable rate is {2 / curvature:.3f}")
print(f"ThroughOriginRegressor says {line.max_learning_rate_:.3f}")
assert np.isclose(line.max_learning_rate_, 2 / curvature)


def mean_squared_error(w):
    return np.mean((w * distance - velocity) ** 2)


def walk(rate, n_steps):
    """Return the weights that plain gradient descent visits, starting from 0."""
    visited = [0.0]
    for _ in range(n_steps):
        w = visited[-1]
        visited.append(w - rate * 2 * np.mean(distance * (w * distance - velocity)))
    return np.array(visited)


# %%
# Four rates
# ----------
# With a quarter of 1 / curvature, the descent moves slowly down one side. With 1 / curvature, it
# reaches the minimum in one step. With a larger rate, every step overshoots the minimum: up to 2 /
# curvature, it still ends lower than it began; above, it ends higher, and the next step is even
# larger because the slope is steeper.

RATES = {
    "too small: 0.25 / curvature": (0.25 / curvature, BLUE, "o"),
    "one step: 1 / curvature": (1 / curvature, GREEN, "s"),
    "overshoots, yet gets there: 1.6 / curvature": (1.6 / curvature, ORANGE, "^"),
    "diverges: 2.1 / curvature": (2.1 / curvature, VERMILLION, "D"),
}

slopes = np.linspace(-620, 1470, 300)
fig, axes = plt.subplots(2, 2, figsize=(8, 6.4), sharex=True, sharey=True, layout="constrained")
for ax, (label, (rate, colour, marker)) in zip(axes.flat, RATES.items(), strict=True):
    ax.plot(slopes, [mean_squared_error(w) / 1e6 for w in slopes], color=GREY, linewidth=1.5)
    visited = walk(rate, n_steps=6)
    heights = [mean_squared_error(w) / 1e6 for w in visited]
    ax.plot(visited, heights, color=colour, marker=marker, linewidth=1.2, markersize=6)
    ax.plot(visited[0], heights[0], "o", color="black", markersize=5, zorder=4)
    ax.set_title(label, fontsize=11)
    ax.text(
        0.5,
        0.93,
        f"rate {rate:.3f}",
        transform=ax.transAxes,
        ha="center",
        va="top",
    )
fig.supxlabel("slope w (km/s per megaparsec)")
fig.supylabel("mean squared error (10⁶ km²/s²)")
_ = fig.suptitle("Six steps from w = 0 (black)")

# %%
# The distance to the optimum
# ---------------------------
# On a logarithmic axis, each descent is a straight line, since each step multiplies the distance
# to the optimum by the same factor, \|1 - r · curvature\|. For 1 / curvature the factor is 0: the
# first step reaches the optimum, which is outside the plot.

fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for label, (rate, colour, marker) in RATES.items():
    factor = abs(1 - rate * curvature)
    missing = np.abs(walk(rate, n_steps=12) - best)
    missing = np.maximum(missing, 1e-6 * best)  # a logarithmic axis has no 0
    ax.semilogy(missing, color=colour, marker=marker, markersize=6)
    ax.annotate(
        f"{label.split(': ')[1]}: factor {round(factor, 2):g}",
        (8, missing[8]) if missing[8] > 1 else (0.6, 1.5),
        xytext=(8, 7) if factor < 1 else (-8, 7),
        textcoords="offset points",
        ha="left" if factor < 1 else "right",
    )
_ = ax.set(
    xlabel="steps",
    ylabel="distance to the optimum\n(km/s per megaparsec)",
    xticks=range(0, 13, 2),
    xlim=(-0.3, 12.3),
    ylim=(0.6, 3000),
    title="Every step multiplies the distance by the same factor",
)

# %%
# The largest stable rate
# -----------------------
# As a function of the rate, the factor has the shape of a V. It is 0 at 1 / curvature, and 1 at 2
# / curvature; for larger rates the descent diverges. The points are measured: the factor by which
# the first step of :class:`~sklearn_gd.ThroughOriginRegressor` changed the distance, computed from
# its ``loss_curve_``, or from the ``loss_curve`` of the error that it raised.

lowest = mean_squared_error(best)


def measured_factor(rate):
    model = ThroughOriginRegressor(solver="gd", learning_rate=rate)
    try:
        losses = model.fit(X, velocity).loss_curve_
    except DivergenceError as error:
        losses = error.loss_curve
    return np.sqrt((losses[1] - lowest) / (losses[0] - lowest))


rates = np.linspace(0, 2.6 / curvature, 200)
tried = np.array([0.2, 0.5, 0.8, 1.3, 1.6, 1.9, 2.2, 2.5]) / curvature
measured = np.array([measured_factor(rate) for rate in tried])
assert np.allclose(measured, np.abs(1 - tried * curvature), rtol=1e-6)

fig, ax = plt.subplots(figsize=(8, 4.4), layout="constrained")
ax.axvspan(2 / curvature, rates[-1], color=VERMILLION, alpha=0.12, linewidth=0)
ax.plot(rates, np.abs(1 - rates * curvature), color=GREY, linewidth=2, label="|1 - r · curvature|")
stable = tried < 2 / curvature
ax.plot(tried[stable], measured[stable], "o", color=BLUE, markersize=8, label="converged")
ax.plot(tried[~stable], measured[~stable], "X", color=VERMILLION, markersize=9, label="diverged")
ax.axhline(1, color="black", linewidth=0.8, linestyle=":")
for rate, text in ((1 / curvature, "1 / curvature"), (2 / curvature, "2 / curvature")):
    ax.axvline(rate, color="black", linewidth=0.8, linestyle=":")
    ax.text(rate, 1.64, f"{text} = {rate:.3f} ", ha="right", va="top")
_ = ax.set(
    xlabel="learning rate r",
    ylabel="factor per step",
    xlim=(0, rates[-1]),
    ylim=(0, 1.65),
    title="Below 1, a step brings the slope closer to the optimum",
)
_ = ax.legend(loc="lower left", frameon=False)

# %%
# If the rate is too large, the fit stops with an error that states the largest stable rate:

try:
    ThroughOriginRegressor(solver="gd", learning_rate=2.1 / curvature).fit(X, velocity)
except DivergenceError as error:
    print(textwrap.fill(str(error), 88))
