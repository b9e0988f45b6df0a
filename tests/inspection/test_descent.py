"""DescentDisplay draws the loss over the weights, and the weights that a descent visited."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd._training.learners import GradientLearner
from sklearn_gd.activations import Step

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

from sklearn_gd.inspection import DescentDisplay  # noqa: E402

X = np.array([[1.0], [2.0], [3.0]])
y = np.array([2.0, 4.5, 6.0])
GD = ThroughOriginRegressor(solver="gd", learning_rate=0.05)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_one_weight_is_the_error_over_the_slope():
    display = DescentDisplay.from_estimator(GD, X, y)
    slopes, errors = display.line_.get_data()
    by_hand = [np.mean((X[:, 0] * slope - y) ** 2) for slope in slopes]
    assert_allclose(errors, by_hand)
    best = X[:, 0] @ y / (X[:, 0] @ X[:, 0])
    assert_allclose(slopes[len(slopes) // 2], best)  # the optimum is in the middle
    assert slopes[0] < 0 < slopes[-1]
    assert_array_equal(display.path_.get_xdata(), display.path[:, 0])
    assert_allclose(
        display.path_.get_ydata(), [mean_squared_error(y, X @ w) for w in display.path]
    )
    assert display.ax_.get_xlabel() == "slope"
    assert display.ax_.get_ylabel() == "mean squared error"


def test_the_path_is_that_of_plain_descent():
    display = DescentDisplay.from_estimator(GD, X, y)
    w, x = 0.0, X[:, 0]
    for visited in display.path[:10]:
        assert_allclose(visited, [w], atol=1e-12)
        w -= 0.05 * 2 * np.mean(x * (x * w - y))
    fitted = ThroughOriginRegressor(solver="gd", learning_rate=0.05).fit(X, y)
    assert_allclose(display.path[-1], fitted.coef_)
    assert len(display.path) == fitted.n_iter_ + 1


def test_two_weights_are_contours():
    data = load_diabetes(as_frame=True)
    two, target = data.data[["bmi", "s5"]], data.target
    display = DescentDisplay.from_estimator(ThroughOriginRegressor(), two, target)
    assert display.line_ is None
    fitted = ThroughOriginRegressor().fit(two, target)
    assert_allclose(display.coordinates[-1], fitted.coef_)
    assert_array_equal(display.path_.get_xydata(), display.coordinates)
    assert display.ax_.get_xlabel() == "weight of bmi"
    assert display.ax_.get_ylabel() == "weight of s5"
    i, j = 10, 70
    weights = [display.grid[0][j], display.grid[1][i]]
    expected = mean_squared_error(target, two.to_numpy() @ weights)
    assert_allclose(display.grid_losses[i, j], expected)
    assert (np.diff(display.contours_.levels) > 0).all()


def test_more_weights_lie_along_the_directions_of_the_path():
    data, target = load_diabetes(return_X_y=True)
    net = FeedForwardRegressor(hidden_layer_sizes=(4,), max_iter=15, tol=None, random_state=0)
    display = DescentDisplay.from_estimator(net, data, target, grid_resolution=9)
    n_weights = 10 * 4 + 4 + 4 + 1
    assert display.path.shape == (16, n_weights)
    assert_allclose(display.directions @ display.directions.T, np.eye(2), atol=1e-12)
    assert_allclose(display.coordinates[-1], 0.0, atol=1e-12)
    # The middle of the picture is the fitted network.
    net.fit(data, target)
    assert_allclose(display.grid_losses[4, 4], net.loss_)
    assert_allclose(display.losses[-1], net.loss_)
    spread = np.linalg.svd(display.path - display.path[-1], compute_uv=False) ** 2
    share = f"{spread[0] / spread.sum():.0%}"
    assert display.ax_.get_xlabel() == f"first direction of the path, {share} of it"


def test_a_neuron_of_two_inputs_and_a_bias():
    data, target = load_iris(return_X_y=True)
    neuron = PerceptronClassifier(activation="sigmoid", max_iter=30, tol=None, random_state=0)
    pipe = make_pipeline(StandardScaler(), neuron)
    display = DescentDisplay.from_estimator(pipe, data[:100, :2], target[:100], grid_resolution=5)
    assert display.path.shape == (31, 3)
    pipe.fit(data[:100, :2], target[:100])
    assert_allclose(display.path[-1], [*pipe[-1].coef_[0], *pipe[-1].intercept_])
    assert_allclose(display.losses[-1], pipe[-1].loss_)


@pytest.mark.filterwarnings("ignore:PerceptronClassifier learned nothing")
def test_a_step_neuron_counts_mistakes():
    data, target = load_iris(return_X_y=True)
    neuron = PerceptronClassifier(fit_intercept=False, max_iter=5, tol=None, shuffle=False)
    display = DescentDisplay.from_estimator(neuron, data[50:, 2:], target[50:])
    assert display.path.shape == (6, 2)
    neuron.fit(data[50:, 2:], target[50:])
    assert_allclose(display.losses[-1], 1 - neuron.score(data[50:, 2:], target[50:]))
    assert display.loss_name == "share of mistakes"


@pytest.mark.parametrize("activation", ["step", "sigmoid"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 1.0}])
def test_class_weights_count(activation, n_classes, class_weight):
    data, target = load_iris(return_X_y=True)
    rows = slice(30, 100 if n_classes == 2 else 150)
    neuron = PerceptronClassifier(
        activation=activation, class_weight=class_weight, max_iter=4, tol=None, random_state=0
    )
    display = DescentDisplay.from_estimator(neuron, data[rows], target[rows], grid_resolution=2)
    neuron.fit(data[rows], target[rows])
    assert_allclose(display.losses[-1], neuron.loss_)


def test_a_step_given_as_an_instance_counts_mistakes():
    data, target = load_iris(return_X_y=True)
    neuron = PerceptronClassifier(activation=Step(), fit_intercept=False, max_iter=2, tol=None)
    display = DescentDisplay.from_estimator(neuron, data[:100, :1], target[:100])
    assert display.loss_name == "share of mistakes"


def test_weights_and_bias_have_names():
    frame = load_iris(as_frame=True)
    neuron = PerceptronClassifier(max_iter=3, tol=None, random_state=0)
    pipe = make_pipeline(StandardScaler(), neuron)
    display = DescentDisplay.from_estimator(
        pipe, frame.data.iloc[:100, [2]], frame.target[:100], grid_resolution=5
    )
    assert display.axis_names == ["weight of petal length (cm)", "bias"]


def test_a_long_path_is_thinned():
    model = ThroughOriginRegressor(solver="gd", learning_rate=1e-4, max_iter=3000, tol=None)
    display = DescentDisplay.from_estimator(model, X, y, grid_resolution=5)
    assert len(display.path) == len(display.losses) == len(display.iterations) <= 1000
    assert display.iterations[:500] == list(range(500))
    assert display.iterations[-1] == 3000
    assert display.path_.get_label() == "3000 iterations"


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
def test_sparse_rows(kind):
    display = DescentDisplay.from_estimator(GD, kind(X), y)
    assert_allclose(display.path, DescentDisplay.from_estimator(GD, X, y).path)
    left = display.animate(frames=[0, 1])._fig.axes[0]
    assert left.get_xlabel() == "iteration"  # no points to draw a line through


def test_nothing_is_printed(capsys):
    DescentDisplay.from_estimator(ThroughOriginRegressor(verbose=True), X, y)
    assert capsys.readouterr().out == ""


def test_contours_of_one_colour():
    data, target = load_diabetes(return_X_y=True)
    display = DescentDisplay.from_estimator(
        ThroughOriginRegressor(), data[:, :2], target, contour_kwargs={"colors": "k"}
    )
    assert_array_equal(display.contours_.get_edgecolor()[0], [0, 0, 0, 1])


def test_weights_of_rows_count():
    weights = np.array([1.0, 0.0, 5.0])
    display = DescentDisplay.from_estimator(GD, X, y, sample_weight=weights)
    slope = display.grid[0][3]
    expected = np.average((X[:, 0] * slope - y) ** 2, weights=weights)
    assert_allclose(display.grid_losses[3], expected)


def test_a_diverging_descent_is_drawn_up_to_where_it_did():
    wild = ThroughOriginRegressor(solver="gd", learning_rate=0.5, max_iter=50)
    display = DescentDisplay.from_estimator(wild, X, y)
    assert display.diverged
    assert display.losses[-1] > 1e3 * display.losses[0]
    assert len(display.path) > 3
    assert "diverged" in display.path_.get_label()


def test_lbfgs_iterations_are_recorded():
    net = FeedForwardRegressor(hidden_layer_sizes=(3,), solver="lbfgs", max_iter=5, tol=None)
    net.set_params(random_state=0)
    display = DescentDisplay.from_estimator(net, X, y, grid_resolution=3)
    assert len(display.path) == 6
    assert display.losses[-1] < display.losses[0]


def test_animation_shows_fit_and_error_side_by_side(tmp_path):
    display = DescentDisplay.from_estimator(GD, X, y)
    animation = display.animate(frames=[0, 1, 5])
    assert list(animation.new_frame_seq()) == [0, 1, 5]
    animation.save(tmp_path / "descent.gif", writer="pillow")  # ends at the last frame
    left, right = animation._fig.axes
    (curve,) = left.get_lines()
    assert_allclose(curve.get_ydata(), display.path[5] * curve.get_xdata())
    segments = np.array(left.collections[-1].get_segments())
    assert_allclose(segments[:, 1, 1], X[:, 0] * display.path[5])
    trail = right.get_lines()[1]
    assert_allclose(trail.get_xdata(), display.path[:6, 0])
    assert right.get_title().startswith("iteration 5: mean squared error")


def test_animation_without_a_line_to_draw_shows_the_loss(tmp_path):
    data, target = load_diabetes(return_X_y=True)
    model = ThroughOriginRegressor(max_iter=30, tol=None)
    display = DescentDisplay.from_estimator(model, data[:, :2], target, grid_resolution=5)
    animation = display.animate(frames=4)
    animation.save(tmp_path / "descent.gif", writer="pillow")
    frames = list(animation.new_frame_seq())
    assert frames[0] == 0
    assert frames[-1] == 30
    assert len(frames) == 4
    assert (tmp_path / "descent.gif").stat().st_size > 1000
    left = animation._fig.axes[0]
    assert_allclose(left.get_lines()[0].get_ydata(), display.losses)


def test_frames_are_iterations():
    display = DescentDisplay.from_estimator(GD, X, y)
    with pytest.raises(ValueError, match=r"'frames' parameter.*Got 99999"):
        display.animate(frames=[99_999])
    with pytest.raises(ValueError, match=r"'frames' parameter.*Got 0"):
        display.animate(frames=0)
    for frames in ([], 2.5, True):
        with pytest.raises(ValueError, match=r"'frames' parameter must be a number, or"):
            display.animate(frames=frames)
    with pytest.raises(ValueError, match=r"grid_resolution == 0, must be >= 2"):
        DescentDisplay.from_estimator(GD, X, y, grid_resolution=0)


def test_other_estimators_are_refused_and_nothing_is_stored():
    with pytest.raises(TypeError, match=r"'estimator' parameter.*Got StandardScaler"):
        DescentDisplay.from_estimator(StandardScaler(), X, y)
    model = ThroughOriginRegressor()
    DescentDisplay.from_estimator(model, X, y)
    assert not hasattr(model, "coef_")
    assert not vars(model).get("_skl_callbacks")


def test_the_callbacks_of_the_estimator_are_not_called():
    heard = []

    class Listener:
        def setup(self, *args, **kwargs):
            heard.append("setup")

        teardown = on_fit_task_begin = on_fit_task_end = setup

    model = ThroughOriginRegressor(max_iter=3, tol=None)
    if not hasattr(model, "set_callbacks"):
        pytest.skip("callbacks came with scikit-learn 1.9")
    model.set_callbacks(Listener())
    display = DescentDisplay.from_estimator(model, X, y)
    assert len(display.path) == 4
    assert heard == []
    model.fit(X, y)
    assert heard


def test_an_interrupt_ends_the_picture_too(monkeypatch):
    model = FeedForwardRegressor(hidden_layer_sizes=(3,), solver="gd", max_iter=5, tol=None)
    # The first epoch passes, or there would be nothing to keep, and a plain interrupt.
    monkeypatch.setattr(GradientLearner, "run_epoch", _one_epoch_then_interrupt())
    with pytest.raises(KeyboardInterrupt):
        DescentDisplay.from_estimator(model, X, y)


def _one_epoch_then_interrupt():
    calls, run_epoch = [], GradientLearner.run_epoch

    def run(learner, rate):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return run_epoch(learner, rate)

    return run


@pytest.mark.parametrize("standardize", ["robust", "standard"])
def test_a_descent_in_a_scale_ends_at_the_loss_of_the_fit(standardize):
    rows, targets = load_diabetes(return_X_y=True, scaled=False)
    net = FeedForwardRegressor(
        hidden_layer_sizes=(4,), standardize=standardize, learning_rate=0.02, max_iter=15,
        tol=None, random_state=0,
    )  # fmt: skip
    display = DescentDisplay.from_estimator(net, rows, targets, grid_resolution=5)
    assert_allclose(display.losses[0], np.var(targets))  # the mean is the first prediction
    assert_allclose(display.losses[-1], net.fit(rows, targets).loss_)
    assert_allclose(display.grid_losses[2, 2], display.losses[-1])
    line = net.set_params(hidden_layer_sizes=(), max_iter=60, learning_rate=0.1)
    display = DescentDisplay.from_estimator(line, rows[:, [2]], targets, grid_resolution=5)
    line.fit(rows[:, [2]], targets)
    assert_allclose(display.coordinates[-1], [line.coefs_[0][0, 0], line.intercepts_[0][0]])
    slope = {"robust": "slope, scaled", "standard": "slope"}[standardize]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == (slope, "bias")


@pytest.mark.parametrize("kind", ["classes", "two classes", "indicators"])
def test_the_log_loss_of_a_network_that_classifies(kind):
    rows, labels = load_iris(return_X_y=True)
    if kind == "two classes":
        rows, labels = rows[labels > 0], labels[labels > 0]
    elif kind == "indicators":
        labels = np.column_stack([labels == 0, labels == 1]).astype(int)
    net = FeedForwardClassifier(hidden_layer_sizes=(3,), max_iter=4, tol=None, random_state=0)
    display = DescentDisplay.from_estimator(net, rows, labels)
    net.fit(rows, labels)
    p = net.predict_proba(rows)
    columns = range(2) if kind == "indicators" else [None]
    by_hand = sum(
        log_loss(labels, p) if k is None else log_loss(labels[:, k], p[:, k]) for k in columns
    )
    assert_allclose(display.losses[-1], by_hand)
    assert display.loss_name == "log loss"
    assert display.figure_.axes[-1].get_ylabel() == "log loss"
    assert len(display.path) == 5


def test_logistic_regression_over_its_weight_and_bias():
    labels = [0, 1, 1]
    neuron = FeedForwardClassifier(
        hidden_layer_sizes=(), standardize=False, batch_size=None, max_iter=30, tol=None
    )
    display = DescentDisplay.from_estimator(neuron, X, labels, grid_resolution=11)
    slopes, biases = display.grid
    z = X[:, 0] * slopes[3] + biases[8]
    assert_allclose(display.grid_losses[8, 3], log_loss(labels, expit(z)))
    assert display.ax_.get_xlabel() == "slope"
    assert display.ax_.get_ylabel() == "bias"
