"""
=====================================
How do I use an activation of my own?
=====================================

An activation is a function and its derivative. As a pair of functions it goes wherever a name
does; as a class it can have parameters, which a grid search then reaches. The example is the
snake, z + sin²(f z) / f, which rises like the identity and waves about it, so that a network can
go on waving where its training rows end.
"""

# %%
# The snake is from L. Ziyin, T. Hartwig, M. Ueda, "Neural networks fail to learn periodic
# functions and how to fix it", NeurIPS 2020.
#
# A class has ``__call__(z)`` and ``derivative(z, a)``, where a = f(z) is at hand if it is easier
# to use. ``sklearn_gd.testing`` compares the two, and looks at extreme inputs, data types,
# pickling and cloning.
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
    """The identity with waves of a given frequency on it."""

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
# A wrong derivative is found out. A forgotten factor, for instance:


class WrongSnake(Snake):
    """The derivative of the sine's square, without the 2 in its argument."""

    def derivative(self, z, a):
        return 1 + np.sin(self.frequency * z)


try:
    check_activation(WrongSnake())
except AssertionError as error:
    print(str(error).splitlines()[0])

# %%
# The snake beside two built-in activations, each with its derivative.
ActivationDisplay.from_activations([Snake(), "tanh", "relu"], name=["snake", "tanh", "relu"])

# %%
# In a network
# ------------
# A wave on a slope, seen for three periods with some noise. The frequency is a parameter like any
# other: a grid search reaches it as ``activation__frequency``.
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
    "random_state": 0,
}
search = GridSearchCV(
    FeedForwardRegressor(activation=Snake(), **settings),
    {"activation__frequency": [0.3, 1.0, 3.0]},
    cv=KFold(3, shuffle=True, random_state=0),
).fit(X_train, y_train)
print(search.best_params_)

# %%
# What the networks say between their training rows, and beyond. Each hidden layer may have its own
# activation, as in the second network. ``MLPRegressor`` has four to choose from, and no place for
# one of your own; with tanh it stands beside ours.
frequency = search.best_params_["activation__frequency"]
models = {
    "snake": search.best_estimator_,
    "snake, then tanh": FeedForwardRegressor(
        activation=[Snake(frequency), "tanh"], **settings
    ).fit(X_train, y_train),
    "tanh": FeedForwardRegressor(activation="tanh", **settings).fit(X_train, y_train),
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
# The shaded part has no training rows. There, the snakes go on waving and tanh cannot.
x = np.concatenate([-outside[::-1], inside, outside])
figure, ax = plt.subplots(figsize=(9, 4.8), layout="constrained")
for low, high in ((-9, -5), (5, 9)):
    ax.axvspan(low, high, color="0.92")
ax.plot(x, wave(x), color="black", linewidth=1, linestyle="--", label="the curve")
ax.plot(x_train, y_train, ".", color="0.6", markersize=4, label="training rows")
for name, colour in (("snake", "#0072B2"), ("tanh", "#D55E00")):
    ax.plot(x, models[name].predict(x[:, None]), color=colour, linewidth=2, label=name)
ax.set(xlabel="x", ylabel="y", xlim=(-9, 9))
ax.legend(loc="upper left", fontsize=11)

# %%
# The short form, for an activation without parameters, is the pair of functions itself.


def sine_wave(z):
    return z + np.sin(z) ** 2


def sine_wave_slope(z):
    return 1 + np.sin(2 * z)


pair = FeedForwardRegressor(activation=(sine_wave, sine_wave_slope), **settings)
snake = FeedForwardRegressor(activation=Snake(), **settings)
same = np.allclose(
    pair.fit(X_train, y_train).predict(X_train), snake.fit(X_train, y_train).predict(X_train)
)
print("the pair predicts the same:", same)
