"""
=======================
The averaged perceptron
=======================

On data that are not linearly separable, Rosenblatt's rule does not converge: each mistake moves
the weights by a whole sample, no matter how many samples came before. The averaged perceptron
learns in the same way, but returns the mean of the weights after every sample. Here both learn to
distinguish benign from malignant tumours, and are tested after each epoch on held-out samples.
"""

# %%
# 569 tumours with 30 standardized features. Both neurons see the same samples in the same order,
# for six seeds, each with its own split into training and test samples.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_gd import PerceptronClassifier

BLUE, VERMILLION = "#0072B2", "#D55E00"
EPOCHS, SEEDS = 30, range(6)
X, y = load_breast_cancer(return_X_y=True)


def accuracies(model, seed):
    """Return the accuracy on the test samples after each epoch."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=seed
    )
    scaler = StandardScaler().fit(X_train)
    X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    by_epoch = []
    for _ in range(EPOCHS):
        model.partial_fit(X_train, y_train, classes=np.unique(y))
        by_epoch.append(model.score(X_test, y_test))
    return by_epoch


plain = np.array([accuracies(PerceptronClassifier(random_state=s), s) for s in SEEDS])
averaged = np.array(
    [accuracies(PerceptronClassifier(average=True, random_state=s), s) for s in SEEDS]
)

# %%
# The accuracy in the second half of the epochs. *Change* is the mean absolute difference between
# the accuracies of consecutive epochs.


def report(name, scores):
    """Print the mean, the spread between seeds, and the change from epoch to epoch."""
    last = scores[:, EPOCHS // 2 :]
    change = np.abs(np.diff(last, axis=1)).mean()
    print(f"{name:24s} {last.mean():.3f} +- {last.mean(axis=1).std():.3f}   {change:.4f}")


print(f"{'epochs 16 to 30':24s} accuracy          change")
report("plain", plain)
report("averaged", averaged)

# %%
# scikit-learn's ``Perceptron`` does not average; its ``SGDClassifier`` does with these settings.
theirs = np.array(
    [
        accuracies(
            SGDClassifier(
                loss="perceptron",
                penalty=None,
                learning_rate="constant",
                eta0=1.0,
                average=True,
                random_state=seed,
            ),
            seed,
        )
        for seed in SEEDS
    ]
)
report("SGDClassifier, averaged", theirs)

# %%
# Thin lines show single seeds, thick lines their mean.
figure, axes = plt.subplots(
    1, 2, figsize=(10, 4.4), layout="constrained", sharex=True, sharey=True
)
epochs = np.arange(1, EPOCHS + 1)
for ax, scores, colour, name in (
    (axes[0], plain, VERMILLION, "plain"),
    (axes[1], averaged, BLUE, "averaged"),
):
    ax.plot(epochs, scores.T, color=colour, alpha=0.3, linewidth=1)
    ax.plot(epochs, scores.mean(axis=0), color=colour, linewidth=3)
    ax.set(title=name, xlabel="epoch")
    ax.grid(alpha=0.3)
axes[0].set_ylabel("accuracy on test samples")

# %%
# Averaging costs one addition per sample, and has no parameter. If the classes are linearly
# separable, the plain rule ends at its first epoch without a mistake, and averaging improves less.
