"""
==========================
Layers and backpropagation
==========================

A network consists of neurons in layers. This example draws a network with three layers and a deep
one, computes the outputs of a chain of neurons and the slopes of its loss, and then compares the
size of the gradient in every layer of a deep network, with backpropagation in a few lines of code.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes, load_linnerud
from sklearn.preprocessing import StandardScaler

from sklearn_gd import FeedForwardRegressor
from sklearn_gd.activations import as_activation
from sklearn_gd.inspection import NetworkDisplay

BLUE, VERMILLION, GREEN, ORANGE, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#7F7F7F"
plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})

# %%
# Three layers
# ------------
# The layers are the inputs, one hidden layer, and the outputs. The data are the results of twenty
# men in three exercises, from which the network estimates their weight, waist and pulse. These are
# standardized, since they have different units, and share one loss. Every neuron receives all
# outputs of the previous layer.

linnerud = load_linnerud()
exercises, bodies = linnerud.data, StandardScaler().fit_transform(linnerud.target)
small = FeedForwardRegressor(
    max_iter=200,
    hidden_layer_sizes=(4,),
    activation="tanh",
    solver="lbfgs",
    alpha=0.001,
    random_state=0,
)
small.fit(exercises, bodies)
print(f"layers, inputs included: {small.n_layers_}")
print(f"weights: {[coef.shape for coef in small.coefs_]}")

names = {"feature_names": linnerud.feature_names, "target_names": linnerud.target_names}
fig, ax = plt.subplots(figsize=(8, 4.6), layout="constrained")
_ = NetworkDisplay.from_estimator(
    small, **names, name="Three layers: inputs, hidden, outputs", ax=ax
)

# %%
# A deep network
# --------------
# Each further hidden layer transforms the outputs of the previous one.

deep = FeedForwardRegressor(
    hidden_layer_sizes=(5, 5, 5),
    activation="tanh",
    solver="lbfgs",
    alpha=0.001,
    max_iter=5000,
    random_state=0,
)
deep.fit(exercises, bodies)
fig, ax = plt.subplots(figsize=(8, 4.8), layout="constrained")
_ = NetworkDisplay.from_estimator(deep, **names, name="Five layers, three of them hidden", ax=ax)

# %%
# The chain rule
# --------------
# Three neurons in a row, with one weight each. In the forward pass, from left to right, every
# neuron computes its output. In the backward pass, from right to left, the slope of the loss is
# multiplied at every neuron by the derivative of its activation and by its weight. The result is
# the slope of the loss with respect to the input of the neuron.

x, wanted, chain = 0.8, 1.0, [1.5, -1.0, 2.0]
outputs = [x]
for w in chain:
    outputs.append(np.tanh(w * outputs[-1]))
loss = (outputs[-1] - wanted) ** 2
slopes = [2 * (outputs[-1] - wanted)]  # of the loss with respect to each output, last one first
weight_slopes = []
for w, a_in, a_out in zip(chain[::-1], outputs[-2::-1], outputs[:0:-1], strict=True):
    delta = slopes[-1] * (1 - a_out**2)
    weight_slopes.append(delta * a_in)
    slopes.append(delta * w)
slopes, weight_slopes = slopes[::-1], weight_slopes[::-1]


def chain_loss(weights):
    a = x
    for w in weights:
        a = np.tanh(w * a)
    return (a - wanted) ** 2


print("weight   slope of the loss   finite differences")
for i, w in enumerate(chain):
    up, down = list(chain), list(chain)
    up[i], down[i] = w + 1e-6, w - 1e-6
    difference = (chain_loss(up) - chain_loss(down)) / 2e-6
    print(f"{w:6.1f}   {weight_slopes[i]:17.6f}   {difference:18.6f}")
    assert np.isclose(weight_slopes[i], difference)


def arrow(ax, begin, end, colour):
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, xytext=begin, arrowprops=style)


fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
ax.set(xlim=(-0.6, 9.9), ylim=(-0.15, 4.2))
ax.axis("off")
places = [0.2, 2.5, 4.8, 7.1]
for i, (place, output) in enumerate(zip(places, outputs, strict=True)):
    ax.plot(place, 2, "o", markersize=44, markerfacecolor="#DDEEF8", markeredgecolor=BLUE)
    ax.text(place, 2, "x" if i == 0 else "tanh", ha="center", va="center")
    ax.text(place, 3.0, f"{output:.3f}", ha="center", color=BLUE)
    ax.text(place, 0.85, f"{slopes[i]:+.3f}", ha="center", color=VERMILLION)
ax.text(9.25, 2, f"loss\n{loss:.3f}", ha="center", va="center")
ax.text(8.25, 2.55, "wanted: 1", ha="center", color=BLUE, fontsize=10)
for begin, end in zip(places, [*places[1:], 9.4], strict=True):
    arrow(ax, (begin + 0.55, 2.2), (end - 0.55, 2.2), BLUE)
    arrow(ax, (end - 0.55, 1.8), (begin + 0.55, 1.8), VERMILLION)
for place, w, steep in zip(places, chain, weight_slopes, strict=False):
    ax.text(place + 1.15, 2.42, f"w = {w:g}", ha="center", color=BLUE, fontsize=10)
    ax.text(
        place + 1.15,
        1.3,
        f"dL/dw\n{steep:+.3f}",
        ha="center",
        color=VERMILLION,
        fontsize=10,
        va="center",
    )
ax.text(-0.5, 3.7, "forward: outputs", color=BLUE)
ax.text(-0.5, 0.1, "backward: how the loss changes with each output", color=VERMILLION)
_ = ax.set_title("Three neurons in a row")

# %%
# Backpropagation with layers
# ---------------------------
# The same with matrices instead of numbers, for any :class:`~sklearn_gd.FeedForwardRegressor`.
# This is the complete backpropagation algorithm.


def gradients(net, X, y):
    """Return the gradient of the mean squared error, one array per layer of weights."""
    hidden = [as_activation(net.activation)] * (len(net.coefs_) - 1)
    activations = [*hidden, as_activation(net.output_activation)]
    inputs, slopes, a = [], [], X
    for W, b, activation in zip(net.coefs_, net.intercepts_, activations, strict=True):
        inputs.append(a)
        z = a @ W + b
        a = activation(z.copy())
        slopes.append(activation.derivative(z, a))
    delta = 2 * (a - y.reshape(a.shape)) / a.size
    found = []
    for W, a, slope in zip(net.coefs_[::-1], inputs[::-1], slopes[::-1], strict=True):
        delta = delta * slope  # through the activation
        found.append(a.T @ delta)
        delta = delta @ W.T  # through the weights
    return found[::-1]


# %%
# One step of the estimator on all samples changes each weight by the rate times its gradient. The
# step therefore verifies the function above.

X, y = load_diabetes(return_X_y=True)
X = StandardScaler().fit_transform(X)
y = (y - y.mean()) / y.std()


def deep_network(activation):
    """Return a network with eight hidden layers, after one step."""
    net = FeedForwardRegressor(
        standardize=False,
        max_iter=200,
        hidden_layer_sizes=(20,) * 8,
        activation=activation,
        init="he" if activation == "relu" else "glorot",
        solver="gd",
        learning_rate=0.01,
        batch_size=None,
        random_state=0,
    )
    return net.partial_fit(X, y)


net = deep_network("tanh")
before, gradient = [coef.copy() for coef in net.coefs_], gradients(net, X, y)
net.partial_fit(X, y)
for old, new, slope in zip(before, net.coefs_, gradient, strict=True):
    assert np.allclose(old - new, 0.01 * slope, rtol=1e-6, atol=1e-12)
print("The step of partial_fit is the rate times this gradient, in all nine layers.")

# %%
# The size of the gradient in each layer
# --------------------------------------
# The slope of the loss is computed at the outputs first, and multiplied at every layer of the
# backward pass. A layer of sigmoids multiplies it by at most 1/4 and by the weights, so the
# gradient in the first layers is small. With tanh, whose derivative is 1 at 0, and with the ReLU,
# initial weights of the right spread keep its size roughly constant.

kinds = {"sigmoid": (VERMILLION, "o"), "tanh": (BLUE, "s"), "relu": (GREEN, "^")}
fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for name, (colour, marker) in kinds.items():
    net = deep_network(name)
    sizes = [np.sqrt(np.mean(slope**2)) for slope in gradients(net, X, y)]
    print(f"{name:8s} first layer {sizes[0]:.1e}, last hidden layer {sizes[-2]:.1e}")
    ax.semilogy(range(1, 10), sizes, color=colour, marker=marker, linewidth=2, label=name)
ax.set(
    xlabel="layer of weights, from the inputs (1) to the output (9)",
    ylabel="gradient, root mean square",
    xticks=range(1, 10),
    title="Eight hidden layers, after one step",
)
_ = ax.legend(frameon=False)
