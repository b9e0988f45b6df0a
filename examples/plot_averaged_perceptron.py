"""
==================================
What does averaging a neuron gain?
==================================

On data that no line separates, Rosenblatt's rule never comes to rest: the last row it met,
mistaken or not, has as much say as all the others. The averaged perceptron learns in the same way,
but returns the mean of the weights after every row. Here both learn to tell benign from malignant
tumours, and are tested after each epoch on rows that they have not seen.
"""

# %%
# 569 tumours, 30 features in standard scores. Both neurons go through the same rows in the same
# orders, with six seeds, each of which has its own division into training and test rows.
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
    """Return the accuracy on the test rows after each epoch."""
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
# Where they end, and how much they move. The *wobble* is how much the accuracy of one neuron
# changes from an epoch to the next, in the second half of the epochs.


def report(name, scores):
    """Print the mean, the spread between seeds, and the change from epoch to epoch."""
    last = scores[:, EPOCHS // 2 :]
    wobble = np.abs(np.diff(last, axis=1)).mean()
    print(f"{name:24s} {last.mean():.3f} +- {last.mean(axis=1).std():.3f}   {wobble:.4f}")


print(f"{'epochs 16 to 30':24s} accuracy          wobble")
report("plain", plain)
report("averaged", averaged)

# %%
# scikit-learn's ``Perceptron`` has no averaging; its ``SGDClassifier`` does the same with the
# right settings.
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
# Thin lines are single seeds, thick ones their mean.
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
axes[0].set_ylabel("accuracy on test rows")

# %%
# Averaging costs one addition per row, and has no parameter. Where a line does separate the
# classes, the plain rule ends at its first epoch without a mistake and there is less to gain.
