"""
=============================
The weights of hidden neurons
=============================

A hidden neuron responds most to the images that resemble its weights. If the inputs are images of
8 by 8 pixels, the weights of each neuron in the first layer can be displayed as such an image.
"""

# %%
# 1797 handwritten digits. The network has 64 pixels as inputs and ten outputs, one per digit. The
# pixels are not standardised, so that all weights have the same unit; ``alpha`` keeps weights that
# are not needed small.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sklearn_gd import FeedForwardClassifier

pixels, y = load_digits(return_X_y=True)
X = pixels / 16
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, stratify=y, random_state=0
)

settings = {"hidden_layer_sizes": (25,), "activation": "tanh", "batch_size": 32, "random_state": 0}
net = FeedForwardClassifier(
    standardize=False, learning_rate=0.003, alpha=0.0003, max_iter=100, tol=None, **settings
)
net.fit(X_train, y_train)
accuracy = net.score(X_test, y_test)
print(f"25 hidden neurons:   {accuracy:.3f} of {len(X_test)} test digits, {net.n_iter_} epochs")

# %%
# For comparison, a model without a hidden layer, and scikit-learn's network of the same size.
logistic = LogisticRegression(max_iter=1000).fit(X_train, y_train)
print(f"no hidden neurons:   {logistic.score(X_test, y_test):.3f}")
theirs = MLPClassifier(learning_rate_init=0.003, alpha=0.0, max_iter=1000, **settings)
print(f"MLPClassifier:       {theirs.fit(X_train, y_train).score(X_test, y_test):.3f}")

# %%
# Weights as images
# -----------------
# Red pixels increase the output of the neuron, blue pixels decrease it. The sign of a neuron is
# arbitrary, since the next layer can reverse it; here each sign is chosen such that the output is
# high for the digit to which the neuron responds most strongly.
weights, outgoing = net.coefs_
(hidden,) = net.hidden_layer_outputs(X_train)
by_digit = np.array([hidden[y_train == d].mean(axis=0) for d in range(10)]).T  # neuron by digit
by_digit -= by_digit.mean(axis=1, keepdims=True)
favourite = np.abs(by_digit).argmax(axis=1)
sign = np.sign(by_digit[np.arange(25), favourite])
order = np.argsort(favourite, kind="stable")

figure, axes = plt.subplots(5, 5, figsize=(7, 7.4), layout="constrained")
limit = np.abs(weights).max()
for ax, neuron in zip(axes.flat, order, strict=True):
    picture = (sign[neuron] * weights[:, neuron]).reshape(8, 8)
    image = ax.imshow(picture, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_title(f"{favourite[neuron]}", fontsize=11)
    ax.set(xticks=[], yticks=[])
figure.colorbar(image, ax=axes, shrink=0.5, label="weight")
figure.suptitle("Weights of 25 hidden neurons, and the digit each responds to most")

# %%
# Some pixels at the edge are blank in all images. Their weights were also initialized at random;
# only the penalty changes them, towards zero.
blank = ~X_train.any(axis=0)
print(f"pixels that are always blank: {blank.sum()}")
print(f"their largest weight: {np.abs(weights[blank]).max():.3f}; of the others: {limit:.3f}")

# %%
# Responses to each digit
# -----------------------
# The mean output of each neuron for each digit, minus its mean over all digits. No neuron is that
# of a single digit: each responds to several. The digits are distinguished by the pattern of a
# whole column.
turned = (sign[:, None] * by_digit)[order]
rises = (turned > 0.3).sum(axis=1)
print(f"digits for which a neuron rises by more than 0.3: from {rises.min()} to {rises.max()}")
figure, ax = plt.subplots(figsize=(7, 6.4), layout="constrained")
reach = np.abs(turned).max()
image = ax.imshow(turned, cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto")
ax.set(xticks=range(10), xlabel="digit", ylabel="hidden neuron, in the order above")
figure.colorbar(image, ax=ax, label="mean output, relative to the mean of the neuron")
