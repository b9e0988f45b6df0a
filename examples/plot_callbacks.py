"""
===============================
Monitoring a fit with callbacks
===============================

scikit-learn's callbacks can show a progress bar, record any score after each epoch, or run custom
code that inspects the network after every epoch and may end the fit. Callbacks are an experimental
feature of scikit-learn 1.9 and later. With older versions the estimators work without them, and
this example ends with a message.
"""

# %%
import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from sklearn_gd import FeedForwardRegressor

try:
    from sklearn.callback import ProgressBar, ScoringMonitor
except ImportError:
    raise SystemExit("scikit-learn's callbacks need scikit-learn 1.9 or later.") from None

X, y = load_diabetes(return_X_y=True, scaled=False)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.33, random_state=0)


def new_net():
    """Return a network that is large for so few samples, and always runs 200 epochs."""
    return FeedForwardRegressor(
        activation="relu",
        batch_size=200,
        hidden_layer_sizes=(50, 50),
        learning_rate=0.003,
        max_iter=200,
        tol=None,
        random_state=0,
    )


# %%
# A progress bar
# --------------
# The bar requires rich (``pip install rich``). In a terminal, it is updated during the fit; here,
# where the output is not a terminal, it is printed once at the end. Each epoch is a task.
try:
    bar = ProgressBar()
except ImportError:
    print("The progress bar needs rich, which is not installed.")
else:
    new_net().set_callbacks(bar).fit(X_train, y_train)

# %%
# Scores after each epoch
# -----------------------
# ``ScoringMonitor`` scores the network on the training data after every epoch, with any of
# scikit-learn's metrics. Its log has one row per task; the rows of the whole fit are omitted here.
monitor = ScoringMonitor(scoring=["r2", "neg_median_absolute_error"])
net = new_net().set_callbacks(monitor).fit(X_train, y_train)
epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
print(f"{len(epochs)} scores, of {net.n_iter_} epochs")
for row in (epochs[0], epochs[9], epochs[-1]):
    print(f"epoch {row['task_id'] + 1:3d}: R2 on the training rows {row['r2']:.3f}")

# %%
# A custom callback
# -----------------
# A callback has four methods. If ``on_fit_task_end`` takes ``fitted_estimator``, it receives the
# network as it is after the epoch; if it returns True, the fit ends. This callback scores the
# network on test data, and ends the fit if the score has not improved for ``patience`` epochs.


class TestScore:
    """Record the score on given data after each epoch; end the fit when it stops improving."""

    def __init__(self, X, y, patience):
        self.X, self.y, self.patience = X, y, patience

    def setup(self, estimator, context):
        self.scores = []

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.parent is None:  # the whole fit, after its last epoch
            return False
        self.scores.append(fitted_estimator.score(self.X, self.y))
        best = self.scores.index(max(self.scores))
        return len(self.scores) - 1 - best >= self.patience

    def teardown(self, estimator, context):
        pass


watch = TestScore(X_test, y_test, patience=200)
net = new_net().set_callbacks(watch).fit(X_train, y_train)
print(f"all {net.n_iter_} epochs: R2 on the test rows {watch.scores[-1]:.3f}")
short = TestScore(X_test, y_test, patience=20)
net = new_net().set_callbacks(short).fit(X_train, y_train)
best = max(short.scores)
print(f"ended after epoch {net.n_iter_}; best {best:.3f}, epoch {short.scores.index(best) + 1}")

# %%
# The training score keeps rising, but the test score soon falls: the network overfits. To obtain
# the weights of the best epoch, use ``early_stopping=True`` or ``fit(..., X_val=..., y_val=...)``;
# no callback is needed for that.
figure, ax = plt.subplots(figsize=(8, 4.6), layout="constrained")
n_epochs = range(1, len(epochs) + 1)
ax.plot(n_epochs, [row["r2"] for row in epochs], color="#0072B2", label="training samples")
ax.plot(n_epochs, watch.scores, color="#D55E00", label="test samples")
ax.axvline(net.n_iter_, color="0.4", linestyle="--", label="where the callback ended the fit")
ax.set(xlabel="epoch", ylabel="R²", ylim=(-0.25, 1), title="R² by epoch")
ax.grid(alpha=0.3)
ax.legend(loc="center right", fontsize=11)
