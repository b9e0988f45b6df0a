"""
=======================================
Saturation, and why it slows learning
=======================================

A sigmoid that is sure of itself is flat. If it is sure and wrong, the error is large, but its
slope is next to nothing, and so are the steps: the neuron learns most slowly where it has most to
learn. The ReLU has no such plateau on its active side. The same is then seen in whole networks.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from sklearn_gd import FeedForwardRegressor, PerceptronClassifier
from sklearn_gd.activations import ReLU, Sigmoid
from sklearn_gd.inspection import LossCurveDisplay

BLUE, VERMILLION, GREEN, ORANGE, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#7F7F7F"
plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})

# %%
# The plateau
# -----------
# The derivative of the sigmoid is at most 1/4, at the weighted input 0, and falls off on both
# sides. The derivative of the ReLU is 1 wherever it is active, and 0 where it is not.

z = np.linspace(-8, 8, 401)
print("weighted input     derivative of the sigmoid   of the ReLU")
for point in (0.0, 2.0, 4.0, 8.0):
    at = np.array([point + 1e-9])
    slopes = [float(f.derivative(at, f(at.copy()))[0]) for f in (Sigmoid(), ReLU())]
    print(f"{point:14g}     {slopes[0]:25.6f}   {slopes[1]:11g}")

fig, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
for ax, activation, name in zip(axes, (Sigmoid(), ReLU()), ("sigmoid", "ReLU"), strict=True):
    a = activation(z.copy())
    ax.plot(z, a, color=BLUE, linewidth=2, label="output")
    ax.plot(
        z, activation.derivative(z, a), "--", color=VERMILLION, linewidth=2, label="derivative"
    )
    ax.set(xlabel="weighted input", title=name, xlim=(-8, 8), xticks=range(-8, 9, 4))
axes[0].set(ylim=(-0.05, 1.12))
for left, right, place in ((-8, -4, -6), (4, 8, 6)):
    axes[0].axvspan(left, right, color=GREY, alpha=0.18, linewidth=0)
    axes[0].text(place, 0.55, "saturated", ha="center")
axes[1].set(ylim=(-0.3, 4))
axes[1].axvspan(-8, 0, color=GREY, alpha=0.18, linewidth=0)
axes[1].text(-4, 2.2, "inactive", ha="center")
_ = axes[1].legend(loc="upper left", frameon=False)

# %%
# One neuron, wrong from the start
# --------------------------------
# A neuron with one weight is to fire for the input -1 and to be silent for 1. So its weight
# should be negative, and we begin at positive ones, ever more wrong: 1, 3 and 6. The rate is the
# same in all fits. The farther off the sigmoid begins, the longer it stays where it is. The ReLU
# moves at once from everywhere.

inputs, wanted = [[-1.0], [1.0]], [1, 0]
starts = {1.0: (BLUE, "-"), 3.0: (ORANGE, "--"), 6.0: (VERMILLION, "-.")}

# Silent means to put out the lower end of the range, 0 for the sigmoid, which comes as near as it
# likes. For the ReLU, whose range has no upper end, it means -1, which a ReLU cannot put out: its
# error of 1 in one row of the two stays, a mean squared error of 0.5.
smallest = {"sigmoid": 0.0, "relu": 0.5}


def left_to_learn(activation, start):
    """Return the loss above the smallest one, epoch by epoch, as a share of the first."""
    neuron = PerceptronClassifier(
        activation=activation,
        fit_intercept=False,
        learning_rate=0.25,
        max_iter=2000,
        tol=None,
        shuffle=False,
    )
    neuron.fit(inputs, wanted, coef_init=[[start]])
    above = np.array(neuron.loss_curve_) - smallest[activation]
    return above / above[0]


curves = {(name, start): left_to_learn(name, start) for name in smallest for start in starts}
print("first epoch with less than half of it left")
print("begins at   sigmoid's derivative there   sigmoid   ReLU")
for start in starts:
    z_start = np.array([start])
    steep = Sigmoid().derivative(z_start, Sigmoid()(z_start.copy()))[0]
    sigmoid, relu = (1 + int(np.argmax(curves[name, start] < 0.5)) for name in smallest)
    print(f"{start:9g}   {steep:26.4f}   {sigmoid:7d}   {relu:4d}")

fig, axes = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
for ax, name, title in zip(axes, smallest, ("sigmoid", "ReLU: all three alike"), strict=True):
    for start, (colour, style) in starts.items():
        curve = curves[name, start]
        ax.semilogx(
            np.arange(1, len(curve) + 1),
            curve,
            style,
            color=colour,
            linewidth=2,
            label=f"begins at w = {start:g}",
        )
    ax.set(xlabel="epoch", title=title, xlim=(1, 2000))
axes[0].set_ylabel("left to learn, as a share of the first")
_ = axes[1].legend(frameon=False)

# %%
# A network
# ---------
# Behind several layers the slope passes through several sigmoids, and each takes at least three
# quarters of it away. Here are three networks that differ in nothing but the activation of their
# four hidden layers, on the data of 442 diabetes patients, with plain gradient descent at one
# rate.
# The target has the variance 1, so that a loss of 1 is what always predicting the mean has.

X, y = load_diabetes(return_X_y=True)
X = StandardScaler().fit_transform(X)
y = (y - y.mean()) / y.std()

names = ["sigmoid", "tanh", "relu"]
networks = [
    FeedForwardRegressor(
        hidden_layer_sizes=(20, 20, 20, 20),
        activation=name,
        init="glorot",
        solver="gd",
        learning_rate=0.05,
        batch_size=32,
        max_iter=60,
        tol=None,
        random_state=0,
    ).fit(X, y)
    for name in names
]
for name, network in zip(names, networks, strict=True):
    print(f"{name:8s} loss after 60 epochs: {network.loss_:.3f}")

fig, ax = plt.subplots(figsize=(8, 4.4), layout="constrained")
LossCurveDisplay.from_estimator(networks, name=names, ax=ax)
ax.axhline(1, color="black", linewidth=0.8, linestyle=":")
ax.text(9, 1.05, "always predicting the mean", va="bottom")
_ = ax.set_title("Four hidden layers: the sigmoids learn next to nothing")
