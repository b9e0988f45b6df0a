"""Frames of an animation: which there are, and what they draw."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.compose import TransformedTargetRegressor

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")

from sklearn_gd import FeedForwardRegressor, ThroughOriginRegressor  # noqa: E402
from sklearn_gd.inspection import DescentDisplay  # noqa: E402
from sklearn_gd.inspection._animation import _resolve, animate  # noqa: E402

X = np.linspace(1, 2, 10)[:, None]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


LINE = ThroughOriginRegressor(solver="gd", learning_rate=0.1, max_iter=6, tol=None)


def test_frames_are_chosen_by_number_or_by_iteration():
    iterations = list(range(11))
    assert _resolve(None, iterations)[0] == 0
    assert _resolve(None, iterations)[-1] == 10
    assert len(_resolve(4, iterations)) == 4
    assert _resolve([0, 3, 10], iterations) == [0, 3, 10]
    with pytest.raises(ValueError, match="'frames' parameter"):
        _resolve([0, 99], iterations)


def test_a_frame_shows_the_line_of_its_iteration():
    display = DescentDisplay.from_estimator(LINE, X, 3 * X[:, 0])
    animation = animate(display, [0, 6], 100)
    left = animation._fig.axes[0]
    fitted = LINE.fit(X, 3 * X[:, 0])
    animation._func(6)
    grid, drawn = left.lines[0].get_data()
    assert_allclose(drawn, fitted.predict(np.asarray(grid)[:, None]))
    assert "iteration 6" in animation._fig.axes[1].get_title()


@pytest.mark.parametrize("standardize", ["robust", "standard"])
def test_a_frame_of_a_network_in_a_scale(standardize):
    rows, targets = 1e4 + 100 * X, 1e3 * np.sin(X[:, 0])
    net = FeedForwardRegressor(
        hidden_layer_sizes=(4,), standardize=standardize, max_iter=6, tol=None, random_state=0
    )
    display = DescentDisplay.from_estimator(net, rows, targets, grid_resolution=5)
    animation = animate(display, [0, 6], 100)
    animation._func(6)
    grid, drawn = animation._fig.axes[0].lines[0].get_data()
    assert_allclose(drawn, net.fit(rows, targets).predict(np.asarray(grid)[:, None]))
    animation._func(0)
    assert_allclose(animation._fig.axes[0].lines[0].get_ydata(), targets.mean())


@pytest.mark.parametrize("as_target", [pd.Series, pd.DataFrame, np.asarray])
def test_axes_have_the_names_of_the_frame(as_target):
    frame = pd.DataFrame(X, columns=["distance"])
    target = as_target(3 * frame["distance"].rename("speed"))
    panel = animate(DescentDisplay.from_estimator(LINE, frame, target), [0], 100)._fig.axes[0]
    expected = "y" if as_target is np.asarray else "speed"
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("distance", expected)
    panel = animate(DescentDisplay.from_estimator(LINE, X, 3 * X[:, 0]), [0], 100)._fig.axes[0]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("x", "y")


def test_transformed_targets_are_drawn_in_their_units():
    y = np.exp(X[:, 0])
    model = TransformedTargetRegressor(LINE, func=np.log, inverse_func=np.exp)
    animation = animate(DescentDisplay.from_estimator(model, X, y), [0, 6], 100)
    animation._func(6)
    panel = animation._fig.axes[0]
    assert_allclose(panel.collections[0].get_offsets()[:, 1], y)
    grid, drawn = panel.lines[0].get_data()
    assert_allclose(drawn, model.fit(X, y).predict(np.asarray(grid)[:, None]))
