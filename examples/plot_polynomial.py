"""
========================
Networks and polynomials
========================

Networks and polynomials can both fit a curve. Which one is more accurate, inside and outside the
range of the data, depends on the form of the curve. This example compares them on two curves: one
that polynomials fit poorly, and one that is a polynomial.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_gd import FeedForwardRegressor

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"


def polynomial(degree):
    """Return a polynomial regression."""
    return make_pipeline(
        StandardScaler(), PolynomialFeatures(degree), StandardScaler(), LinearRegression()
    )


def network(activation, alpha):
    """Return a network with one hidden layer of 20 neurons.

    Features are standardized without squashing outliers: here, it is the outliers that matter.
    """
    return FeedForwardRegressor(
        standardize="standard",
        hidden_layer_sizes=(20,),
        activation=activation,
        solver="lbfgs",
        alpha=alpha,
        max_iter=2000,
        random_state=0,
    )


def rmse(model, x, y):
    """Return the root mean squared error."""
    return np.sqrt(np.mean((model.predict(x[:, None]) - y) ** 2))


# %%
# A smooth step
# -------------
# The data are 60 noisy samples of a smooth step. Powers of x are large where the curve is flat: a
# polynomial of low degree misses the step, and one of high degree oscillates in the flat part. A
# network of tanh neurons is a sum of such steps.
rng = np.random.default_rng(0)


def step(x):
    """Return the curve to be learned."""
    return np.tanh(8 * x)


x_train = np.sort(rng.uniform(-2, 2, size=60))
y_train = step(x_train) + rng.normal(scale=0.1, size=60)
inside, outside = np.linspace(-2, 2, 401), np.linspace(2, 3, 101)
models = {
    "polynomial, degree 3": polynomial(3),
    "polynomial, degree 9": polynomial(9),
    "polynomial, degree 15": polynomial(15),
    "network, tanh": network("tanh", alpha=0.0001),
}
print(f"{'root mean squared error':24s} -2 to 2       2 to 3")
for name, model in models.items():
    model.fit(x_train[:, None], y_train)
    errors = rmse(model, inside, step(inside)), rmse(model, outside, step(outside))
    print(f"{name:24s} {errors[0]:7.3f}   {errors[1]:10.3f}")

# %%
# In the shaded areas there are no training samples, and the polynomials deviate strongly.
figure, ax = plt.subplots(figsize=(8.5, 4.8), layout="constrained")
grid = np.linspace(-3, 3, 601)
for low, high in ((-3, -2), (2, 3)):
    ax.axvspan(low, high, color="0.92")
ax.plot(x_train, y_train, "o", color="0.6", markersize=4, label="samples")
ax.plot(grid, step(grid), color="black", linestyle="--", linewidth=1, label="the curve")
for name, colour in (
    ("polynomial, degree 3", ORANGE),
    ("polynomial, degree 9", VERMILLION),
    ("network, tanh", BLUE),
):
    ax.plot(grid, models[name].predict(grid[:, None]), color=colour, linewidth=2, label=name)
ax.set(xlabel="x", ylabel="y", xlim=(-3, 3), ylim=(-2.2, 2.2))
ax.legend(loc="upper left", fontsize=10)

# %%
# A polynomial
# ------------
# The data are the radius and area of cells: the area is proportional to the square of the radius.
# The models are trained on the cells up to the median radius, and tested on the larger ones.
cells = load_breast_cancer()
names = list(cells.feature_names)
radius = cells.data[:, names.index("mean radius")]
area = cells.data[:, names.index("mean area")]
small = radius <= np.median(radius)
models = {
    "polynomial, degree 1": polynomial(1),
    "polynomial, degree 2": polynomial(2),
    "polynomial, degree 9": polynomial(9),
    "network, tanh": network("tanh", alpha=0.0001),
    "network, softplus": network("softplus", alpha=0.0001),
}
print(f"radius up to {radius[small].max():.1f}; the largest is {radius.max():.1f}")
print(f"{'root mean squared error':24s} small cells   large cells")
for name, model in models.items():
    model.fit(radius[small][:, None], area[small])
    errors = [rmse(model, radius[part], area[part]) for part in (small, ~small)]
    print(f"{name:24s} {errors[0]:11.1f}   {errors[1]:11.1f}")

# %%
# On the small cells, all models except the straight line are about equally accurate. On the large
# cells, only the polynomial of degree 2, the true law, is accurate. Tanh becomes constant,
# softplus continues as a straight line, and degree 9 deviates strongly. The small cells alone do
# not show these differences: outside the range of the data, the form of the model determines the
# prediction.
figure, ax = plt.subplots(figsize=(8.5, 4.8), layout="constrained")
grid = np.linspace(radius.min(), radius.max(), 400)
ax.axvspan(radius[small].max(), radius.max(), color="0.92")
ax.plot(radius, area, "o", color="0.6", markersize=3, label="cells")
for name, colour in (
    ("polynomial, degree 2", ORANGE),
    ("polynomial, degree 9", VERMILLION),
    ("network, tanh", BLUE),
    ("network, softplus", GREEN),
):
    ax.plot(grid, models[name].predict(grid[:, None]), color=colour, linewidth=2, label=name)
ax.set(
    xlabel="mean radius (pixels)",
    ylabel="mean area (pixels²)",
    xlim=(radius.min(), radius.max()),
    ylim=(0, 2600),
)
ax.legend(loc="upper left", fontsize=10)
