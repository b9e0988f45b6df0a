"""
==========================================
Handwritten digits, and what they could be
==========================================

:class:`sklearn_gd.FeedForwardClassifier` at its default settings reads handwritten digits. Its
outputs are probabilities of the ten classes. This example shows which digits it misreads, and
whether the probabilities can be believed: of all predictions made with a probability of 80 %,
about 80 % should be right.
"""

# %%
# 1797 images of 8 by 8 pixels with values from 0 to 16, as they come. Each is predicted by a
# network that was trained on four fifths of the data, without that image. For comparison, logistic
# regression, and a network with ``standardize=False``: pixels all have the same unit, which
# standardising them takes away.
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import FeedForwardClassifier

BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#7F7F7F"
X, y = load_digits(return_X_y=True)
folds = StratifiedKFold(5, shuffle=True, random_state=0)
models = {
    "network, defaults": FeedForwardClassifier(random_state=0),
    "network, standardize=False": FeedForwardClassifier(standardize=False, random_state=0),
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
}
probabilities = {
    name: cross_val_predict(model, X, y, cv=folds, method="predict_proba")
    for name, model in models.items()
}
print(f"{'':26s}   accuracy   log loss")
for name, p in probabilities.items():
    print(f"{name:26s}   {accuracy_score(y, p.argmax(axis=1)):8.3f}   {log_loss(y, p):8.3f}")

# %%
# The digits that are misread
# ---------------------------
# Rows are the true digits, columns those that the network with default settings reads. The colours
# end at 10, so that the mistakes can be seen beside the diagonal.
p = probabilities["network, defaults"]
y_pred = p.argmax(axis=1)  # the classes are 0 to 9
display = ConfusionMatrixDisplay.from_predictions(y, y_pred, cmap="Blues", colorbar=False)
display.im_.set_clim(0, 10)
display.ax_.set(xlabel="predicted digit", ylabel="true digit")
display.figure_.set_layout_engine("constrained")

# %%
# The misread digits with the highest probability of the wrong class. Below each image are the two
# classes with the highest probabilities.
wrong = np.flatnonzero(y_pred != y)
wrong = wrong[np.argsort(-p[wrong].max(axis=1))]
print(f"misread: {len(wrong)} of {len(y)}")
figure, axes = plt.subplots(2, 6, figsize=(8, 3.4), layout="constrained")
for ax, i in zip(axes.flat, wrong, strict=False):
    ax.imshow(X[i].reshape(8, 8), cmap="gray_r")
    first, second = np.argsort(-p[i])[:2]
    ax.set(xticks=[], yticks=[], title=f"a {y[i]}")
    ax.set_xlabel(f"{first}: {p[i, first]:.0%}\n{second}: {p[i, second]:.0%}")

# %%
# Are the probabilities right?
# ----------------------------
# The predictions are sorted by their probability, and divided into six groups. In each group, the
# mean probability is compared with the share of correct predictions; the bar is two standard
# errors of that share, if the probabilities are right. On the diagonal, both are equal; above it,
# the network is more often right than it says.
probability, correct = p.max(axis=1), y_pred == y
edges = [0.0, 0.6, 0.8, 0.9, 0.96, 0.99, 1.0]
figure, ax = plt.subplots(figsize=(5.6, 5), layout="constrained")
ax.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="as often right as it says")
print("probability     digits   mean   correct")
for k, (low, high) in enumerate(pairwise(edges)):
    group = (probability > low) & (probability <= high)
    mean, share = probability[group].mean(), correct[group].mean()
    error = 2 * np.sqrt(mean * (1 - mean) / group.sum())
    print(f"{low:4.2f} to {high:4.2f}   {group.sum():6d}   {mean:.3f}   {share:.3f}")
    label = "digits" if k == 0 else None
    ax.errorbar(mean, share, yerr=error, color=BLUE, marker="o", capsize=3, label=label)
ax.set(
    xlim=(0.3, 1.02),
    ylim=(0.3, 1.05),
    xlabel="mean probability of the predicted digit",
    ylabel="share of correct predictions",
)
ax.legend()
print(f"all: said to be right {probability.mean():.3f}, right {correct.mean():.3f}")

# %%
# A probability is useful when the network may abstain: predictions below a threshold are left to a
# person. The curve shows the error rate of those that remain.
order = np.argsort(-probability)
answered = np.arange(1, len(order) + 1)
errors = np.cumsum(~correct[order]) / answered
figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ax.plot(answered / len(order), errors, color=VERMILLION, linewidth=2)
ax.set(xlabel="share of digits that are answered, the surest first", ylabel="share of mistakes")
for share in (0.8, 0.9, 1.0):
    n = round(share * len(order))
    least = probability[order[n - 1]]
    print(f"{share:4.0%} answered: {errors[n - 1]:.1%} wrong, with probabilities from {least:.2f}")
