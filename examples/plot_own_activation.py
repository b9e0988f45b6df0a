"""
===================
A custom activation
===================

An activation is a function and its derivative. A pair of functions can be used in place of the
name of a built-in activation; a class can also have parameters, which a grid search can tune. The
example is the snake, z + sin²(f z) / f, which oscillates around the identity, so that a network
can continue a periodic pattern outside the range of its training data.
"""

# %%
# The snake is from L. Ziyin, T. Hartwig, M. Ueda, "Neural networks fail to learn periodic
# functions and how to fix it", NeurIPS 2020.
#
# A class defines ``__call__(z)`` and ``derivative(z, a)``, where a = f(z) can be used if that is
# simpler. ``check_activation`` compares the two, and tests extreme inputs, dtypes, pickling and
# cloning.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPRegressor

from sklearn_gd import FeedForwardRegressor
from sklearn_gd.activations import Activation
from sklearn_gd.inspection import ActivationDisplay
from sklearn_gd.schedules import Cosine
from sklearn_gd.testing import check_activation


class Snake(Activation):
    """The identity plus oscillations of a given frequency."""

    def __init__(self, frequency=1.0):
        self.frequency = frequency

    def __call__(self, z):
        return z + np.sin(self.frequency * z) ** 2 / self.frequency

    def derivative(self, z, a):
        return 1 + np.sin(2 * self.frequency * z)


check_activation(Snake())
check_activation(Snake(frequency=3.0))
print("Snake: value and derivative agree")

# %%
# The check detects a wrong derivative, for example one with a missing factor:


class WrongSnake(Snake):
    """The snake with a wrong derivative: the factor 2 in the sine is missing."""

    def derivative(self, z, a):
        return 1 + np.sin(self.frequency * z)


try:
    check_activation(WrongSnake())
except AssertionError as error:
    print(str(error).splitlines()[0])

# %%
# The snake and two built-in activations, each with its derivative.
ActivationDisplay.from_activations([Snake(), "tanh", "relu"], name=["snake", "tanh", "relu"])

# %%
# In a network
# ------------
# The data are an oscillation plus a linear trend, over three periods and with noise. A grid search
# sets the frequency as ``activation__frequency``.
rng = np.random.default_rng(0)


def wave(x):
    """Return the curve to be learned."""
    return 0.3 * x + np.sin(2 * x)


x_train = np.sort(rng.uniform(-5, 5, size=300))
X_train, y_train = x_train[:, None], wave(x_train) + rng.normal(scale=0.1, size=300)
inside, outside = np.linspace(-5, 5, 400), np.linspace(5, 9, 160)

settings = {
    "hidden_layer_sizes": (32, 32),
    "learning_rate": Cosine(initial_rate=0.02, epochs=200),
    "batch_size": 50,
    "max_iter": 200,
    "tol": None,
    "init": "glorot",
    "random_state": 0,
}
search = GridSearchCV(
    FeedForwardRegressor(standardize=False, activation=Snake(), **settings),
    {"activation__frequency": [0.3, 1.0, 3.0]},
    cv=KFold(3, shuffle=True, random_state=0),
).fit(X_train, y_train)
print(search.best_params_)

# %%
# The errors inside and outside the range of the training data. Each hidden layer may have its own
# activation, as in the second network. ``MLPRegressor`` has four activations and does not support
# custom ones; it is included with tanh.
frequency = search.best_params_["activation__frequency"]
models = {
    "snake": search.best_estimator_,
    "snake, then tanh": FeedForwardRegressor(
        standardize=False, activation=[Snake(frequency), "tanh"], **settings
    ).fit(X_train, y_train),
    "tanh": FeedForwardRegressor(standardize=False, activation="tanh", **settings).fit(
        X_train, y_train
    ),
    "MLPRegressor, tanh": MLPRegressor(
        hidden_layer_sizes=(32, 32),
        activation="tanh",
        learning_rate_init=0.01,
        batch_size=50,
        max_iter=1000,
        alpha=0.0,
        random_state=0,
    ).fit(X_train, y_train),
}


def error(model, x):
    """Return the root mean squared error against the curve itself."""
    return np.sqrt(np.mean((model.predict(x[:, None]) - wave(x)) ** 2))


print(f"{'root mean squared error':24s} inside   outside")
for name, model in models.items():
    print(f"{name:24s} {error(model, inside):6.3f}   {error(model, outside):7.3f}")

# %%
# There are no training samples in the shaded areas. There, the network with the snake continues
# the oscillation, and the one with tanh does not.
x = np.concatenate([-outside[::-1], inside, outside])
figure, ax = plt.subplots(figsize=(9, 4.8), layout="constrained")
for low, high in ((-9, -5), (5, 9)):
    ax.axvspan(low, high, color="0.92")
ax.plot(x, wave(x), color="black", linewidth=1, linestyle="--", label="the curve")
ax.plot(x_train, y_train, ".", color="0.6", markersize=4, label="training samples")
for name, colour in (("snake", "#0072B2"), ("tanh", "#D55E00")):
    ax.plot(x, models[name].predict(x[:, None]), color=colour, linewidth=2, label=name)
ax.set(xlabel="x", ylabel="y", xlim=(-9, 9))
ax.legend(loc="upper left", fontsize=11)

# %%
# An activation without parameters can also be given as a pair of functions.


def sine_wave(z):
    return z + np.sin(z) ** 2


def sine_wave_slope(z):
    return 1 + np.sin(2 * z)


pair = FeedForwardRegressor(standardize=False, activation=(sine_wave, sine_wave_slope), **settings)
snake = FeedForwardRegressor(standardize=False, activation=Snake(), **settings)
same = np.allclose(
    pair.fit(X_train, y_train).predict(X_train), snake.fit(X_train, y_train).predict(X_train)
)
print("the pair predicts the same:", same)
