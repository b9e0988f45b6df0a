"""
====================================
How does a neuron find its boundary?
====================================

Rosenblatt's rule looks at one row at a time, and changes nothing unless the neuron is mistaken.
Then it moves the weights by the row itself. Here is the boundary after each pass over the data:
between two kinds of iris that a line separates, where the rule is done after a while, and between
two that no line separates, where it is never done.
"""

# %%
# Two features, so that the boundary is a line that can be drawn, in standard scores.
# ``partial_fit`` is one pass over the rows, an epoch.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import Perceptron
from sklearn.preprocessing import scale

from sklearn_gd import PerceptronClassifier

BLUE, VERMILLION = "#0072B2", "#D55E00"
iris = load_iris()


def two_kinds(first, second, features):
    """Return the rows of two kinds of iris, two features scaled, and which are the second."""
    rows = np.isin(iris.target, [first, second])
    return scale(iris.data[rows][:, features]), (iris.target[rows] == second).astype(int)


def learn(neuron, X, y, epochs):
    """Return the neuron's weights, threshold and mistakes after each of so many epochs."""
    history = []
    for _ in range(epochs):
        neuron.partial_fit(X, y, classes=[0, 1])
        mistakes = int(np.sum(neuron.predict(X) != y))
        history.append((neuron.coef_[0], neuron.threshold_[0], mistakes))
    return history


def draw(ax, X, y, weights, threshold):
    """Draw the rows, and where the weighted inputs exceed the threshold."""
    x0, x1 = np.meshgrid(np.linspace(-3.2, 3.2, 100), np.linspace(-3.2, 3.2, 100))
    fires = weights[0] * x0 + weights[1] * x1 - threshold
    ax.contourf(x0, x1, fires, levels=[-np.inf, 0, np.inf], colors=[BLUE, VERMILLION], alpha=0.15)
    ax.contour(x0, x1, fires, levels=[0], colors="black", linewidths=1)
    for label, colour, marker in ((0, BLUE, "o"), (1, VERMILLION, "^")):
        ax.scatter(*X[y == label].T, s=12, color=colour, marker=marker)
    ax.set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])


def panels(X, y, history, epochs, names):
    """Draw the boundary after some epochs."""
    figure, axes = plt.subplots(
        2, len(epochs) // 2, figsize=(8, 5.6), layout="constrained", sharex=True, sharey=True
    )
    for epoch, ax in zip(epochs, axes.flat, strict=True):
        weights, threshold, mistakes = history[epoch - 1]
        draw(ax, X, y, weights, threshold)
        ax.set_title(f"epoch {epoch}: {mistakes} mistake{'s' * (mistakes != 1)}", fontsize=11)
    figure.supxlabel(f"{names[0]} (standard score)")
    figure.supylabel(f"{names[1]} (standard score)")


# %%
# A line separates them: setosa and versicolor
# --------------------------------------------
# By the length and width of their sepals. The neuron fires, in the reddish part, for versicolor
# (triangles). The rows come in the order of the file: ``shuffle=False``.
X, y = two_kinds(0, 1, [0, 1])
history = learn(PerceptronClassifier(shuffle=False), X, y, 6)
panels(X, y, history, range(1, 5), ("sepal length", "sepal width"))
print("mistakes after each epoch:", *(mistakes for *_, mistakes in history))

# %%
# ``fit`` stops by itself after the first epoch in which the neuron made no mistake; the rule has a
# proof that it gets there whenever some line separates the classes.
neuron = PerceptronClassifier(shuffle=False).fit(X, y)
print(f"fit: {neuron.n_iter_} epochs, {neuron.t_} mistakes corrected on the way")
print("weights", neuron.coef_[0].round(3), "threshold", neuron.threshold_)

# %%
# scikit-learn's perceptron takes the same steps.
theirs = Perceptron(shuffle=False, tol=None, max_iter=neuron.n_iter_).fit(X, y)
print("the same weights:", np.allclose(theirs.coef_, neuron.coef_))

# %%
# No line separates them: versicolor and virginica
# ------------------------------------------------
# By their petals, and in a new order in each epoch, as is the default. Each mistake moves the
# boundary by a whole row, however long the neuron has learned; so it wanders for ever, and how
# many mistakes it makes depends on when you look. The last two pictures are the best and the worst
# of epochs 101 to 200.
X, y = two_kinds(1, 2, [2, 3])
history = learn(PerceptronClassifier(random_state=0), X, y, 200)
late = [mistakes for *_, mistakes in history[100:]]
print(f"mistakes in 100 rows, epochs 101 to 200: from {min(late)} to {max(late)}")
fewest, most = (101 + late.index(count) for count in (min(late), max(late)))
panels(X, y, history, [1, 2, 3, 4, fewest, most], ("petal length", "petal width"))

# %%
# The averaged perceptron, ``average=True``, returns the mean of all the boundaries on the way. It
# settles.
history = learn(PerceptronClassifier(average=True, random_state=0), X, y, 200)
late = [mistakes for *_, mistakes in history[100:]]
print(f"averaged, epochs 101 to 200: from {min(late)} to {max(late)}")
