"""
=====================================
The decision boundary of a perceptron
=====================================

Rosenblatt's rule processes one sample at a time, and changes the weights only if the neuron makes
a mistake: then it adds the sample to the weights, or subtracts it. This example draws the decision
boundary after each pass over the data: for two species of iris that are linearly separable, where
the rule converges, and for two that are not, where it does not.
"""

# %%
# Two standardized features, so that the boundary is a line. ``partial_fit`` is one pass over the
# samples, an epoch.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import Perceptron
from sklearn.preprocessing import scale

from sklearn_gd import PerceptronClassifier

BLUE, VERMILLION = "#0072B2", "#D55E00"
iris = load_iris()


def two_kinds(first, second, features):
    """Return two scaled features of two species of iris, and which samples are the second."""
    rows = np.isin(iris.target, [first, second])
    return scale(iris.data[rows][:, features]), (iris.target[rows] == second).astype(int)


def learn(neuron, X, y, epochs):
    """Return the weights, the threshold and the number of mistakes after each epoch."""
    history = []
    for _ in range(epochs):
        neuron.partial_fit(X, y, classes=[0, 1])
        mistakes = int(np.sum(neuron.predict(X) != y))
        history.append((neuron.coef_[0], neuron.threshold_[0], mistakes))
    return history


def draw(ax, X, y, weights, threshold):
    """Draw the samples, and the region where the weighted input exceeds the threshold."""
    x0, x1 = np.meshgrid(np.linspace(-3.2, 3.2, 100), np.linspace(-3.2, 3.2, 100))
    fires = weights[0] * x0 + weights[1] * x1 - threshold
    ax.contourf(x0, x1, fires, levels=[-np.inf, 0, np.inf], colors=[BLUE, VERMILLION], alpha=0.15)
    ax.contour(x0, x1, fires, levels=[0], colors="black", linewidths=1)
    for label, colour, marker in ((0, BLUE, "o"), (1, VERMILLION, "^")):
        ax.scatter(*X[y == label].T, s=12, color=colour, marker=marker)
    ax.set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])


def panels(X, y, history, epochs, names):
    """Draw the boundary after the given epochs."""
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
# Linearly separable: setosa and versicolor
# -----------------------------------------
# The features are the length and width of the sepals. In the red area the neuron fires, which
# means versicolor (triangles). With ``shuffle=False``, the samples are processed in the order of
# the file.
X, y = two_kinds(0, 1, [0, 1])
history = learn(PerceptronClassifier(shuffle=False), X, y, 6)
panels(X, y, history, range(1, 5), ("sepal length", "sepal width"))
print("mistakes after each epoch:", *(mistakes for *_, mistakes in history))

# %%
# ``fit`` stops after the first epoch without a mistake. If the classes are linearly separable, the
# rule provably reaches such an epoch.
neuron = PerceptronClassifier(shuffle=False).fit(X, y)
print(f"fit: {neuron.n_iter_} epochs, {neuron.t_} mistakes corrected on the way")
print("weights", neuron.coef_[0].round(3), "threshold", neuron.threshold_)

# %%
# scikit-learn's ``Perceptron`` takes the same steps.
theirs = Perceptron(shuffle=False, tol=None, max_iter=neuron.n_iter_).fit(X, y)
print("the same weights:", np.allclose(theirs.coef_, neuron.coef_))

# %%
# Not linearly separable: versicolor and virginica
# ------------------------------------------------
# The features are those of the petals, and the samples are shuffled in each epoch, as is the
# default. Each mistake moves the weights by a whole sample, no matter how long the neuron has been
# trained. The boundary therefore never converges, and the number of mistakes varies from epoch to
# epoch. The last two plots show the best and the worst of epochs 101 to 200.
X, y = two_kinds(1, 2, [2, 3])
history = learn(PerceptronClassifier(random_state=0), X, y, 200)
late = [mistakes for *_, mistakes in history[100:]]
print(f"mistakes in 100 rows, epochs 101 to 200: from {min(late)} to {max(late)}")
fewest, most = (101 + late.index(count) for count in (min(late), max(late)))
panels(X, y, history, [1, 2, 3, 4, fewest, most], ("petal length", "petal width"))

# %%
# The averaged perceptron, ``average=True``, returns the mean of the weights over all steps, which
# varies much less.
history = learn(PerceptronClassifier(average=True, random_state=0), X, y, 200)
late = [mistakes for *_, mistakes in history[100:]]
print(f"averaged, epochs 101 to 200: from {min(late)} to {max(late)}")
