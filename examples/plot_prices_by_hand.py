"""
========================
Gradient descent by hand
========================

One step of gradient descent is computed by hand, number by number, and then by
:class:`~sklearn_gd.ThroughOriginRegressor`. The prices of five bags of fruit are invented, and
chosen such that no number has to be rounded: the results agree exactly.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_gd import ThroughOriginRegressor

BLUE, VERMILLION, GREEN, ORANGE, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#7F7F7F"
plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})

fruit = ["plums", "apples", "pears", "oranges", "grapes"]
weight = np.array([0.5, 1.0, 1.5, 2.0, 2.5])  # kg
price = np.array([1.5, 3.5, 4.5, 7.0, 7.5])  # euros

# %%
# A guess and its errors
# ----------------------
# The model is price = w · weight, a line through the origin, since a weight of 0 costs nothing.
# The first guess is w = 1 euro per kilogram. For each bag, the error is the predicted price minus
# the price that was paid.

w = 1.0
estimate = w * weight
error = estimate - price

print("bag       weight x   price y   w x    error e = w x - y   e squared    x e")
for row in zip(fruit, weight, price, estimate, error, error**2, weight * error, strict=True):
    print("{:8s}  {:8.1f}  {:8.1f}  {:4.1f}  {:18.1f}  {:10.2f}  {:6.1f}".format(*row))


def draw_bags(ax, w, colour):
    """Draw the bags, the line of slope w, and the errors with their numbers."""
    ends = np.array([0.0, 2.75])
    ax.plot(ends, w * ends, color=colour, linewidth=2)
    ax.vlines(weight, price, w * weight, color=GREY, linewidth=1.5)
    ax.plot(weight, price, "o", color="black", markersize=6)
    for x, y in zip(weight, price, strict=True):
        place = (x - 0.04, (y + w * x) / 2)
        ax.text(*place, f"{w * x - y:.4g}", color="#555555", ha="right", va="center")
    ax.set(xlabel="weight (kg)", xlim=(0, 2.95), ylim=(0, 8.2))


fig, ax = plt.subplots(figsize=(8, 4.4), layout="constrained")
draw_bags(ax, w, BLUE)
for name, x, y in zip(fruit, weight, price, strict=True):
    ax.annotate(name, (x, y), xytext=(-7, 3), textcoords="offset points", ha="right")
ax.set(ylabel="price (euros)", title="A guess of 1 euro per kilogram, and its five errors")
_ = ax.text(2.77, 2.77, "w = 1", color=BLUE, va="center")

# %%
# The mean squared error
# ----------------------
# The mean squared error is the sum of the sixth column divided by 5. Its slope, the derivative
# with respect to w, is twice the sum of the last column divided by 5.

n = len(weight)
loss = np.sum(error**2) / n
slope = 2 * np.sum(weight * error) / n
print(f"sum of e squared: {np.sum(error**2):.2f}, so the mean squared error is {loss:.2f}")
print(f"sum of x e: {np.sum(weight * error):.1f}, so its slope is 2/5 of that, {slope:.1f}")

# %%
# One step
# --------
# The slope is negative, so a larger w gives a smaller error. With a learning rate of 1/8, w
# increases by 12/8 = 1.5, from 1 to 2.5 euros per kilogram.

rate = 0.125
w_new = w - rate * slope
loss_new = np.mean((w_new * weight - price) ** 2)
print(f"new w = {w:g} - {rate:g} * ({slope:g}) = {w_new:g}")
print(f"mean squared error: {loss:g} before, {loss_new:g} after")

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 4.4), layout="constrained")
draw_bags(left, w_new, VERMILLION)
left.plot([0, 2.75], [0, 2.75 * w], color=BLUE, linewidth=1.5, linestyle="--")
left.text(2.8, 2.05, "before:\nw = 1", color=BLUE, ha="right", va="top")
left.text(2.9, 5.7, "after:\nw = 2.5", color=VERMILLION, ha="right", va="top")
left.set(ylabel="price (euros)", title="The line")

guesses = np.linspace(0, 6.4, 200)
right.plot(guesses, [np.mean((g * weight - price) ** 2) for g in guesses], color=GREY, linewidth=2)
near = np.array([0.2, 2.0])
right.plot(near, loss + slope * (near - w), "--", color=BLUE, linewidth=1.5)
right.plot(w, loss, "o", color=BLUE, markersize=8)
right.plot(w_new, loss_new, "o", color=VERMILLION, markersize=8)
right.annotate(
    "",
    (w_new, loss_new),
    xytext=(w, loss),
    arrowprops={"arrowstyle": "-|>", "color": VERMILLION, "shrinkA": 5, "shrinkB": 5},
)
right.text(1.25, 13.6, f"slope {slope:g}", color=BLUE)
right.text(2.75, 2.9, f"{loss_new:g}", color=VERMILLION, va="center")
right.text(0.85, loss, f"{loss:g}", color=BLUE, ha="right", va="center")
_ = right.set(
    xlabel="w (euros per kilogram)",
    ylabel="mean squared error (euros²)",
    ylim=(0, 29),
    title="Its error",
)

# %%
# The same with the estimator
# ---------------------------
# ``solver="gd"`` with a number as the learning rate is this rule, ``coef_init`` is the guess, and
# ``max_iter`` the number of steps. The error of the guess and the new w are exactly those above.

features = weight.reshape(-1, 1)
line = ThroughOriginRegressor(solver="gd", learning_rate=rate, max_iter=1, tol=None)
line.fit(features, price, coef_init=[w])
print(f"w = {float(line.coef_[0])!r}")
print(f"mean squared error: {line.loss_curve_[0]!r} before, {line.loss_!r} after")
assert line.loss_curve_[0] == loss == 13.25
assert line.coef_[0] == w_new == 2.5
assert line.loss_ == loss_new == 1.4375

# %%
# The next steps agree as well. Each step starts where the previous one ended, and the error
# decreases less each time.

print("steps          w    mean squared error")
for n_steps in range(1, 6):
    line.set_params(max_iter=n_steps).fit(features, price, coef_init=[1.0])
    print(f"{n_steps:5d}   {line.coef_[0]:.12f}   {line.loss_:.12f}")
    assert line.coef_[0] == w_new
    w_new -= rate * 2 * np.sum(weight * (w_new * weight - price)) / n

# %%
# The minimum
# -----------
# The slope of the error is zero if the sum of x (w x - y) is zero. Then w is the sum of x y
# divided by the sum of x², which is 43.75 / 13.75 = 35/11. The descent converges to this value.

best = np.sum(weight * price) / np.sum(weight**2)
line = ThroughOriginRegressor(solver="gd", learning_rate=rate).fit(features, price)
print(f"by descent {line.coef_[0]:.6f}, by the formula {best:.6f} euros per kilogram")
assert np.isclose(line.coef_[0], best, rtol=1e-7)
