"""
=====================================
Saturation, and why it slows learning
=====================================

A sigmoid is almost flat for weighted inputs far from 0. If its output is wrong there, the error is
large, but the slope of the error and the steps are almost zero: the neuron learns most slowly
where its error is largest. The ReLU is not flat on its active side. The same effect occurs in
networks.
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
# The derivative of the sigmoid is at most 1/4, at the weighted input 0, and decreases on both
# sides. The derivative of the ReLU is 1 where it is active, and 0 where it is not.

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
# A neuron with one weight should fire for the input -1 and not for 1, so its weight should be
# negative. The fits start from the wrong weights 1, 3 and 6, with the same rate. The larger the
# initial weight, the longer the sigmoid hardly changes. The ReLU learns at once from every start.

inputs, wanted = [[-1.0], [1.0]], [1, 0]
starts = {1.0: (BLUE, "-"), 3.0: (ORANGE, "--"), 6.0: (VERMILLION, "-.")}

# The target of a neuron that should not fire is the lower end of its range: 0 for the sigmoid,
# which can approach it. For the ReLU, whose range has no upper end, the target is -1, which a ReLU
# cannot output: an error of 1 remains for one of the two samples, a mean squared error of 0.5.
smallest = {"sigmoid": 0.0, "relu": 0.5}


def left_to_learn(activation, start):
    """Return the loss minus the smallest possible one in each epoch, relative to the first."""
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
print("first epoch with less than half of the excess loss")
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
axes[0].set_ylabel("excess loss, relative to the first epoch")
_ = axes[1].legend(frameon=False)

# %%
# A network
# ---------
# In a network the slope is multiplied by the derivative of every layer, and each sigmoid reduces
# it to a quarter at most. These three networks differ only in the activation of their four hidden
# layers. They are trained on the data of 442 diabetes patients by plain gradient descent with the
# same rate. The target has a variance of 1, so the loss of always predicting the mean is 1.

X, y = load_diabetes(return_X_y=True)
X = StandardScaler().fit_transform(X)
y = (y - y.mean()) / y.std()

names = ["sigmoid", "tanh", "relu"]
networks = [
    FeedForwardRegressor(
        standardize=False,
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
_ = ax.set_title("Four hidden layers: with sigmoids, the network hardly learns")
