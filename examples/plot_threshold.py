"""
==========================
A neuron and its threshold
==========================

This example shows how a neuron computes its output: the threshold determines when it fires, and
the activation determines the output, which is a step, as in Rosenblatt's perceptron, or smooth.
Finally, a neuron learns its threshold from the petals of 150 irises.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

from sklearn_gd import PerceptronClassifier
from sklearn_gd.inspection import ActivationDisplay

BLUE, VERMILLION, GREEN, ORANGE, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#7F7F7F"
plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})

# %%
# The neuron
# ----------
# A neuron multiplies each input by a weight and adds the products. This sum is its weighted input.
# The neuron fires, which means that its output is 1, if the weighted input exceeds a threshold,
# here 8.

weights, threshold = np.array([3.0, 2.0]), 8.0
for inputs in ([1.0, 2.0], [2.0, 1.0], [2.0, 2.0]):
    weighted_input = weights @ inputs
    fires = weighted_input > threshold
    print(f"inputs {inputs}: weighted input {weighted_input:g}, output {int(fires)}")

fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
ax.set(xlim=(0, 10), ylim=(0, 4.5), aspect="equal")
ax.axis("off")
body = (4.6, 2.25)
for height, name, value, weight in ((3.5, "$x_1$", 2, 3), (1.0, "$x_2$", 2, 2)):
    ax.add_patch(plt.Circle((1.0, height), 0.48, facecolor="white", edgecolor=BLUE, linewidth=2))
    ax.text(1.0, height, f"{name} = {value}", ha="center", va="center", fontsize=10.5)
    ax.annotate(
        "",
        body,
        xytext=(1.0, height),
        arrowprops={
            "arrowstyle": "-|>",
            "color": GREY,
            "linewidth": 2,
            "shrinkA": 25,
            "shrinkB": 47,
        },
    )
    lift = 0.35 if height > body[1] else -0.35
    ax.text(
        2.6, (height + body[1]) / 2 + lift, f"$w_{name[3]}$ = {weight}", ha="center", va="center"
    )
ax.add_patch(plt.Circle(body, 0.95, facecolor="#DDEEF8", edgecolor=BLUE, linewidth=2))
ax.text(*body, "weighted\ninput\n3·2 + 2·2\n= 10", ha="center", va="center", fontsize=10)
ax.add_patch(
    plt.Rectangle((6.5, 1.5), 1.7, 1.5, facecolor="#FBEBDD", edgecolor=VERMILLION, linewidth=2)
)
ax.text(7.35, 2.25, "more than\nthe threshold,\n8?", ha="center", va="center", fontsize=10)
for begin, end in ((5.58, 6.48), (8.22, 9.1)):
    ax.annotate(
        "",
        (end, 2.25),
        xytext=(begin, 2.25),
        arrowprops={
            "arrowstyle": "-|>",
            "color": GREY,
            "linewidth": 2,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )
ax.text(9.2, 2.25, "output\n1: it fires", va="center", ha="left")
_ = ax.set_title("A neuron with two inputs")

# %%
# Four activations
# ----------------
# The activation is applied to the weighted input minus the threshold. The step jumps from 0 to 1
# at a weighted input of 8. The sigmoid also goes from 0 to 1, but gradually, and is 0.5 at 8. The
# tanh goes from -1 to 1, and is 0 at 8. The ReLU is 0 up to the threshold, and then increases
# linearly without a limit.

fig, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
for ax, name in zip(axes.flat, ("step", "sigmoid", "tanh", "relu"), strict=True):
    ActivationDisplay.from_activations(
        name, threshold=threshold, limits=(0, 16), derivative=False, ax=ax
    )
    ax.get_legend().remove()  # the title names the activation
    ax.set(title=name, xlabel="", ylabel="", xticks=range(0, 17, 4))
fig.supxlabel("weighted input")
fig.supylabel("output of the neuron")
_ = fig.suptitle("Four neurons with the threshold 8 (dotted)")

# %%
# The step is flat on both sides: its derivative is 0 wherever it exists, so gradient descent
# cannot use it. The others have a nonzero derivative, which tells how much a change of the input
# changes the output.

fig, axes = plt.subplots(1, 3, figsize=(8, 3.6), layout="constrained")
for ax, name in zip(axes, ("sigmoid", "tanh", "relu"), strict=True):
    ActivationDisplay.from_activations(
        name, threshold=threshold, limits=(4, 12), ax=ax, derivative_kwargs={"color": VERMILLION}
    )
    ax.set(title=name, xlabel="weighted input", ylabel="", xticks=(4, 6, 8, 10, 12))
    if name != "relu":
        ax.get_legend().remove()
axes[-1].legend(["output", "derivative", "threshold"], loc="upper left", frameon=False)
_ = fig.suptitle("Outputs and their derivatives")

# %%
# A threshold that is learned
# ---------------------------
# There are one input, the petal length, and two classes: Iris setosa, and the two other species.
# The neuron learns its weight and its threshold, and fires for the second class, the other
# species. The threshold divided by the weight is the petal length above which the neuron fires.

irises = load_iris()
petal_length = irises.data[:, [2]]
other_species = (irises.target > 0).astype(int)

step = PerceptronClassifier(random_state=0).fit(petal_length, other_species)
smooth = PerceptronClassifier(activation="sigmoid", tol=1e-6, max_iter=20_000, random_state=0)
smooth.fit(petal_length, other_species)
print("          weight  threshold  as petal length")
for name, neuron in (("step", step), ("sigmoid", smooth)):
    w, t = neuron.coef_[0, 0], neuron.threshold_[0]
    print(f"{name:8s}  {w:6.2f}  {t:9.2f}  {t / w:12.2f} cm")
    assert neuron.score(petal_length, other_species) == 1.0

lengths = np.linspace(0.5, 7.2, 500)
fig, ax = plt.subplots(figsize=(8, 4.4), layout="constrained")
ax.plot(lengths, step.predict(lengths.reshape(-1, 1)), color=VERMILLION, linewidth=2)
ax.plot(lengths, smooth.predict_proba(lengths.reshape(-1, 1))[:, 1], color=BLUE, linewidth=2)
jitter = np.random.default_rng(0).uniform(-0.06, 0.06, len(petal_length))
for label, name, colour, marker in ((0, "setosa", ORANGE, "o"), (1, "others", GREEN, "^")):
    rows = other_species == label
    height = -0.15 if label == 0 else 1.15
    ax.plot(
        petal_length[rows, 0], height + jitter[rows], marker, color=colour, markersize=4, alpha=0.7
    )
    ax.text(petal_length[rows, 0].max() + 0.12, height, name, va="center")
ax.text(2.15, 0.8, "step", color=VERMILLION, ha="right")
ax.text(2.75, 0.5, "sigmoid", color=BLUE)
_ = ax.set(
    xlabel="petal length (cm)",
    ylabel="output",
    title="Two neurons that tell Iris setosa from other irises",
    yticks=[0, 0.5, 1],
)
