"""
================================
Gradient descent with one weight
================================

This example explains gradient descent with a line through the origin, which has one weight, its
slope. It starts from a guess of the slope, measures its error, determines in which direction the
error decreases, and improves the slope in steps. The data are those with which Edwin Hubble showed
in 1929 that the universe expands: the farther away a nebula is, the faster it recedes.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_gd import ThroughOriginRegressor
from sklearn_gd.inspection import DescentDisplay, FitDisplay

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

# %%
# The guess
# ---------
# The model is velocity = w · distance. Its only weight is the slope w, in km/s per megaparsec. Any
# number is a possible guess, and some are visibly better than others.


def draw_nebulae(ax):
    ax.scatter(distance, velocity, s=24, color="black", zorder=3)
    ax.set(xlabel="distance (megaparsec)", ylabel="velocity (km/s)", xlim=(0, 2.1))


fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
draw_nebulae(ax)
ends = np.array([0.0, 2.1])
for guess, colour, verdict in (
    (100, ORANGE, "too flat"),
    (400, BLUE, "plausible"),
    (700, VERMILLION, "too steep"),
):
    ax.plot(ends, guess * ends, color=colour, linewidth=2)
    ax.annotate(
        f"w = {guess}: {verdict}",
        (2.1, guess * 2.1),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
    )
_ = ax.set_title("24 nebulae and three guesses")

# %%
# The errors
# ----------
# For each nebula, the error is the predicted velocity minus the measured one. To compare two
# guesses we need one number for all 24 errors. Their mean is not suitable, since errors of
# opposite signs cancel, so each error is squared first. The mean of the squares is the mean
# squared error, here in (km/s)².


def mean_squared_error(w):
    return np.mean((w * distance - velocity) ** 2)


fig, axes = plt.subplots(1, 2, figsize=(8, 4.2), sharey=True, layout="constrained")
for ax, guess, colour in zip(axes, (100, 400), (ORANGE, BLUE), strict=True):
    draw_nebulae(ax)
    ax.plot(ends, guess * ends, color=colour, linewidth=2)
    ax.vlines(distance, velocity, guess * distance, color=GREY, linewidth=1.2)
    ax.set_title(f"w = {guess}: mean squared error {mean_squared_error(guess):,.0f}")
_ = axes[1].set_ylabel("")

# %%
# The error of every guess
# ------------------------
# The mean squared error is a function of the slope. It is a parabola, since the square of
# w · distance - velocity is quadratic in w. A parabola that opens upwards has one lowest point, so
# there is one best slope.

guesses = np.linspace(-50, 900, 200)
curve = np.array([mean_squared_error(w) for w in guesses])


def draw_parabola(ax):
    ax.plot(guesses, curve / 1000, color=GREY, linewidth=2)
    ax.set(
        xlabel="slope w (km/s per megaparsec)",
        ylabel="mean squared error (1000 km²/s²)",
        xlim=(guesses[0], guesses[-1]),
        ylim=(-20, 370),
    )


best = distance @ velocity / (distance @ distance)
fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
draw_parabola(ax)
for guess, colour, beside, anchor in (
    (100, ORANGE, (10, 3), "left"),
    (400, BLUE, (0, 12), "center"),
    (700, VERMILLION, (-10, 3), "right"),
):
    height = mean_squared_error(guess) / 1000
    ax.plot(guess, height, "o", markersize=9, color=colour)
    ax.annotate(
        f"w = {guess}", (guess, height), xytext=beside, textcoords="offset points", ha=anchor
    )
lowest = mean_squared_error(best) / 1000
ax.plot(best, lowest, "v", markersize=9, color=GREEN)
ax.annotate(
    f"the lowest point: w = {best:.1f}",
    (best, lowest),
    xytext=(0, -20),
    textcoords="offset points",
    ha="center",
    color=GREEN,
)
_ = ax.set_title("The error against the slope: a parabola")

# %%
# One step
# --------
# Gradient descent does not know the whole curve. At the current guess, it computes the slope of
# the curve: the derivative of the mean squared error with respect to w,
#
# .. math:: \frac{2}{n} \sum_i x_i (w x_i - y_i).
#
# If this slope of the error is negative, the error decreases to the right. The step is therefore
# opposite to the sign of the slope. Its length is the learning rate times the slope.

rate = 0.1


def slope_of_error(w):
    return 2 * np.mean(distance * (w * distance - velocity))


start = 0.0
after = start - rate * slope_of_error(start)
print(f"slope of the error at w = {start:g}: {slope_of_error(start):,.1f}")
print(f"step: -{rate:g} times this, {after - start:+.1f}, so the new w is {after:.1f}")
print(
    f"mean squared error: {mean_squared_error(start):,.0f}, then {mean_squared_error(after):,.0f}"
)

fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
draw_parabola(ax)
near = np.array([-50.0, 230.0])
tangent = mean_squared_error(start) + slope_of_error(start) * (near - start)
ax.plot(near, tangent / 1000, "--", color=VERMILLION, linewidth=1.8)
ax.annotate(
    "the tangent: the slope of the error\n"
    f"is {slope_of_error(start):,.0f}, so the error falls to the right",
    (near[1], tangent[1] / 1000),
    xytext=(250, 250),
    color=VERMILLION,
    va="center",
)
heights = [mean_squared_error(w) / 1000 for w in (start, after)]
ax.plot([start, after], heights, "o", color=BLUE, markersize=9, zorder=4)
ax.annotate(
    "",
    (after, 20),
    xytext=(start, 20),
    arrowprops={"arrowstyle": "-|>", "color": BLUE, "linewidth": 2, "shrinkA": 0, "shrinkB": 0},
)
ax.vlines([start, after], 20, heights, color=BLUE, linewidth=1, linestyle=":")
ax.text(
    after + 15,
    20,
    f"the step: -{rate:g} · ({slope_of_error(start):,.0f}) = {after - start:+.0f}",
    color=BLUE,
    va="center",
)
_ = ax.set_title("One step, from w = 0")

# %%
# Several steps
# -------------
# The step is repeated from each new guess. Near the minimum the curve is flatter, so the steps
# become shorter. :class:`~sklearn_gd.ThroughOriginRegressor` does this with the solver ``"gd"``,
# starting from w = 0. The displays show the line on the left, and the error on the right.

X = distance.reshape(-1, 1)
descent = ThroughOriginRegressor(solver="gd", learning_rate=rate, max_iter=12, tol=None)
descent.fit(X, velocity)
assert np.isclose(descent.loss_curve_[1], mean_squared_error(after))

fig, axes = plt.subplots(1, 2, figsize=(8, 5.2), layout="constrained")
FitDisplay.from_estimator(descent, X, velocity, iterations=[0, 1, 3, -1], ax=axes[0])
axes[0].set(xlabel="distance (megaparsec)", ylabel="velocity (km/s)")
DescentDisplay.from_estimator(descent, X, velocity, ax=axes[1])
for ax in axes:
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False)
_ = fig.suptitle("Twelve steps: the line, and its error")

# %%
# The optimum
# -----------
# The steps end where the slope of the error is zero. For a parabola, the slope is a linear
# function of w, so it is zero at exactly one point.

fig, (above, below) = plt.subplots(
    2, 1, figsize=(8, 5.6), sharex=True, height_ratios=[3, 2], layout="constrained"
)
draw_parabola(above)
above.set_xlabel("")
below.plot(guesses, [slope_of_error(w) for w in guesses], color=GREY, linewidth=2)
below.axhline(0, color="black", linewidth=0.8)
for w, colour, marker in ((150.0, ORANGE, "o"), (best, GREEN, "v"), (700.0, VERMILLION, "s")):
    around = np.array([w - 110, w + 110])
    steep, height = slope_of_error(w), mean_squared_error(w)
    above.plot(around, (height + steep * (around - w)) / 1000, "--", color=colour, linewidth=2)
    above.plot(w, height / 1000, marker, color=colour, markersize=8)
    below.plot(w, steep, marker, color=colour, markersize=8)
    below.annotate(
        f"{steep:+,.0f}" if abs(steep) > 1 else f"0 at w = {best:.1f}",
        (w, steep),
        xytext=(8, -14),
        textcoords="offset points",
    )
above.set_title("Where the slope of the error is zero, the error is least")
_ = below.set(xlabel="slope w (km/s per megaparsec)", ylabel="slope of the error")

# %%
# With the default settings, the regressor continues until the slope of the error is almost zero.
# The result agrees with the least-squares formula.

line = ThroughOriginRegressor().fit(X, velocity)
print(f"by descent: {line.coef_[0]:.3f}, by the formula: {best:.3f}")
print(f"slope of the error there, beside {slope_of_error(0):,.0f} at 0:")
print(f"{abs(slope_of_error(line.coef_[0])):.6f}")
assert np.isclose(line.coef_[0], best, rtol=1e-7)
