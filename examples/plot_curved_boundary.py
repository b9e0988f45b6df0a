"""
======================================
A boundary that one neuron cannot draw
======================================

A neuron divides the plane by a straight line. Two half-moons that reach into each other cannot be
divided like that. A hidden layer with three neurons draws three lines, and the output neuron puts
the boundary together from them.
"""

# %%
# A quarter of the points is test data. The neuron, :class:`sklearn_gd.PerceptronClassifier` with
# the sigmoid and the log loss, is logistic regression. With few samples and few neurons, the
# default, 20 epochs of batches, is too short to bend the boundary; ``solver="lbfgs"``, which uses
# all samples in every step, takes a fraction of a second.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import train_test_split

from sklearn_gd import FeedForwardClassifier, PerceptronClassifier
from sklearn_gd.inspection import NetworkDisplay

BLUE, VERMILLION = "#0072B2", "#D55E00"
X, y = make_moons(400, noise=0.15, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

neuron = PerceptronClassifier(activation="sigmoid", loss="log_loss", random_state=0)
net = FeedForwardClassifier(
    hidden_layer_sizes=(3,),
    activation="tanh",
    solver="lbfgs",
    alpha=1e-4,
    max_iter=500,
    random_state=0,
)
neuron.fit(X_train, y_train)
net.fit(X_train, y_train)


def draw_points(ax):
    for label, colour, marker in ((0, BLUE, "o"), (1, VERMILLION, "^")):
        ax.scatter(*X_test[y_test == label].T, s=14, color=colour, marker=marker)


# %%
# The two boundaries
# ------------------
# The colour is the probability of the second class (triangles), from blue, 0, to red, 1; the black
# line is where it is one half. The points are the test data.
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.9), layout="constrained", sharey=True)
for ax, model in zip(axes, (neuron, net), strict=True):
    look = {"response_method": "predict_proba", "grid_resolution": 150, "eps": 0.5, "ax": ax}
    DecisionBoundaryDisplay.from_estimator(
        model, X, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.5, **look
    )
    DecisionBoundaryDisplay.from_estimator(
        model, X, plot_method="contour", levels=[0.5], colors="black", **look
    )
    draw_points(ax)
    accuracy = model.score(X_test, y_test)
    ax.set_title(f"{type(model).__name__}\n{accuracy:.0%} of the test data", fontsize=11)

# %%
# What the hidden neurons see
# ---------------------------
# The output of each hidden neuron, tanh of a weighted sum of the two features, from -1 (blue) to 1
# (red). Each changes its sign at a line, drawn in black; it is slightly bent, since
# ``standardize="robust"`` squashes the features. The number is the weight that the output neuron
# gives it: a large positive output of a neuron with a positive weight speaks for the triangles.
side = np.linspace(X.min(axis=0) - 0.5, X.max(axis=0) + 0.5, 150)
grid = np.stack(np.meshgrid(*side.T), axis=-1)
z = (grid.reshape(-1, 2) - net.center_) / net.scale_
first, last = net.layers()
hidden = np.tanh(z / np.sqrt(1 + (z / 3) ** 2) @ first.coef + first.intercept)

figure, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained", sharey=True)
for k, ax in enumerate(axes):
    output = hidden[:, k].reshape(150, 150)
    ax.contourf(*side.T, output, levels=np.linspace(-1, 1, 11), cmap="RdBu_r", alpha=0.5)
    ax.contour(*side.T, output, levels=[0], colors="black")
    draw_points(ax)
    ax.set_title(f"hidden neuron {k + 1}\nweight {last.coef[k, 0]:.1f}", fontsize=11)

# %%
# The same numbers as a network. The output neuron adds up the three outputs with their weights and
# its bias; the sigmoid turns the sum into the probability.
NetworkDisplay.from_estimator(net, target_names=["circles", "triangles"])

# %%
# How many neurons?
# -----------------
# Two lines would do, but from most random starts the descent ends where the second one is of no
# use: the loss of a network has several minima. With more neurons it is more likely that the right
# lines are among them. For each number of neurons, the network is fitted from ten random starts;
# those are counted that get more than 95 % of the training data right.
print("hidden neurons   starts of 10 above 95 %")
for n in (1, 2, 3, 4):
    scores = [
        clone(net)
        .set_params(hidden_layer_sizes=(n,), random_state=seed)
        .fit(X_train, y_train)
        .score(X_train, y_train)
        for seed in range(10)
    ]
    print(f"{n:14d}   {np.sum(np.array(scores) > 0.95):6d}")
