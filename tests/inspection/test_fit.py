"""FitDisplay draws the data, the curves of the iterations asked for, and the residuals."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

from sklearn_gd.inspection import FitDisplay  # noqa: E402

X = np.array([[1.0], [2.0], [3.0]])
y = np.array([2.1, 3.9, 6.0])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_a_fitted_line_and_its_residuals():
    line = ThroughOriginRegressor().fit(X, y)
    display = FitDisplay.from_estimator(line, X, y)
    assert_array_equal(display.scatter_.get_offsets(), np.column_stack([X[:, 0], y]))
    (curve,) = display.lines_
    assert_allclose(curve.get_ydata(), line.coef_[0] * curve.get_xdata())
    assert curve.get_xdata()[0] == 0.0
    assert curve.get_xdata()[-1] == 3.0
    segments = np.array(display.residuals_.get_segments())
    assert_array_equal(segments[:, 0], np.column_stack([X[:, 0], y]))
    assert_allclose(segments[:, 1], np.column_stack([X[:, 0], line.predict(X)]))
    assert display.figure_ is display.ax_.figure
    assert curve.get_label() == "estimated"


def test_chosen_iterations_are_those_of_the_descent():
    model = ThroughOriginRegressor(solver="gd", learning_rate=0.05)
    display = FitDisplay.from_estimator(model, X, y, iterations=[0, 1, -1], name="the end")
    slopes = [line.get_ydata()[-1] / 3.0 for line in display.lines_]
    # The first step by hand: from 0, against the slope -2 mean(x y) of the error.
    by_hand = 0.05 * 2 * np.mean(X[:, 0] * y)
    assert_allclose(slopes, [0.0, by_hand, clone(model).fit(X, y).coef_[0]], atol=1e-12)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["residuals", "observed", "first guess", "iteration 1", "the end"]
    assert not hasattr(model, "coef_")


def test_an_ordinary_fit_records_nothing():
    model = ThroughOriginRegressor().fit(X, y)
    before = set(vars(model))
    FitDisplay.from_estimator(model, X, y, iterations=[0, -1])
    assert set(vars(model)) == before
    assert "_skl_callbacks" not in before


def test_a_network_and_its_first_guess():
    net = FeedForwardRegressor(hidden_layer_sizes=(5,), max_iter=20, tol=None, random_state=0)
    display = FitDisplay.from_estimator(net, X, y, iterations=[0, 20])
    net.fit(X, y)
    assert_allclose(display.lines_[-1].get_ydata(), net.predict(display.grid[:, None]), rtol=1e-12)
    assert display.grid[0] == 1.0  # it need not pass through the origin


@pytest.mark.filterwarnings("ignore:PerceptronClassifier learned nothing")
def test_a_neuron_is_drawn_by_its_output():
    labels = np.array(["off", "off", "on"])
    neuron = PerceptronClassifier(shuffle=False).fit(X, labels)
    display = FitDisplay.from_estimator(neuron, X, labels)
    assert_array_equal(display.y, [0, 0, 1])
    fires = display.grid * neuron.coef_[0, 0] > neuron.threshold_[0]
    assert_array_equal(display.lines_[0].get_ydata(), fires)


@pytest.mark.parametrize("iterations", [None, [0, -1]])
def test_pipelines_and_names(iterations):
    frame, series = pd.DataFrame({"distance": X[:, 0]}), pd.Series(y, name="velocity")
    pipe = make_pipeline(StandardScaler(with_mean=False), ThroughOriginRegressor())
    pipe.fit(frame, series)
    display = FitDisplay.from_estimator(pipe, frame, series, iterations=iterations)
    assert display.ax_.get_xlabel() == "distance"
    assert display.ax_.get_ylabel() == "velocity"
    slope = ThroughOriginRegressor().fit(X, y).coef_[0]
    assert_allclose(display.lines_[-1].get_ydata(), slope * display.grid, atol=1e-12)


def test_options_reach_the_artists_and_axes_can_be_given():
    figure, ax = plt.subplots()
    line = ThroughOriginRegressor().fit(X, y)
    display = FitDisplay.from_estimator(
        line,
        X,
        y,
        ax=ax,
        scatter_kwargs={"s": 77},
        line_kwargs={"lw": 5.0},
        residual_kwargs={"linewidths": 3.0},
    )
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert display.scatter_.get_sizes()[0] == 77
    assert display.lines_[0].get_linewidth() == 5.0
    assert display.residuals_.get_linewidths()[0] == 3.0
    assert display.plot() is display
    assert display.ax_ is not ax


def test_a_column_transformer_gets_its_columns_by_name():
    frame = pd.DataFrame({"distance": X[:, 0]})
    scale = ColumnTransformer([("scale", StandardScaler(with_mean=False), ["distance"])])
    pipe = make_pipeline(scale, ThroughOriginRegressor()).fit(frame, y)
    slope = ThroughOriginRegressor().fit(X, y).coef_[0]
    for iterations in (None, [-1]):
        display = FitDisplay.from_estimator(pipe, frame, y, iterations=iterations)
        assert_allclose(display.lines_[-1].get_ydata(), slope * display.grid, atol=1e-12)


def test_a_pipeline_of_one_step():
    pipe = make_pipeline(ThroughOriginRegressor()).fit(X, y)
    display = FitDisplay.from_estimator(pipe, X, y)
    assert_allclose(display.y_pred, pipe.predict(X))


def test_weights_of_rows_are_those_of_the_recorded_fit():
    weights = np.array([5.0, 1.0, 0.0])
    line = ThroughOriginRegressor().fit(X, y, sample_weight=weights)
    display = FitDisplay.from_estimator(line, X, y, sample_weight=weights, iterations=[-1])
    assert_allclose(display.y_pred, line.predict(X))


@pytest.mark.filterwarnings("ignore:PerceptronClassifier learned nothing")
def test_labels_are_those_of_the_fit():
    labels = np.array(["off", "off", "on"])
    neuron = PerceptronClassifier(shuffle=False).fit(X, labels)
    display = FitDisplay.from_estimator(neuron, X[:2], labels[:2])
    assert_array_equal(display.y, [0, 0])
    with pytest.raises(ValueError, match=r"y has labels \['other'\] that are none of"):
        FitDisplay.from_estimator(neuron, X, ["off", "on", "other"])


def test_a_refused_picture_leaves_no_figure():
    line = ThroughOriginRegressor().fit(X, y)
    for bad in (y[:2], [1.0, np.nan, 2.0], None):
        with pytest.raises(ValueError, match=r"inconsistent|NaN|'y' parameter"):
            FitDisplay.from_estimator(line, X, bad)
    assert plt.get_fignums() == []


def test_colours_by_value():
    line = ThroughOriginRegressor().fit(X, y)
    display = FitDisplay.from_estimator(line, X, y, scatter_kwargs={"c": [1.0, 2.0, 3.0]})
    assert_array_equal(display.scatter_.get_array(), [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"X": np.ones((3, 2))}, "X must have one column.*Got 2 columns"),
        ({"y": np.ones((3, 2))}, "one output.*Got 2"),
        ({"iterations": [99_999]}, "'iterations' parameter.*Got 99999"),
        ({"iterations": 3}, "'iterations' parameter.*sequence.*Got 3"),
        ({"iterations": []}, "'iterations' parameter.*sequence"),
        ({"iterations": [0.5]}, "'iterations' parameter.*Got 0.5"),
        ({"iterations": 1.5}, "'iterations' parameter.*sequence.*Got 1.5"),
        ({"grid_resolution": 1}, "grid_resolution == 1, must be >= 2"),
    ],
)
def test_bad_input_is_named(kwargs, message):
    given = {"X": X, "y": y, **kwargs}
    line = ThroughOriginRegressor().fit(X, y)
    with pytest.raises(ValueError, match=message):
        FitDisplay.from_estimator(line, **given)


def test_other_estimators_and_axes_are_refused():
    with pytest.raises(TypeError, match=r"'estimator' parameter.*Got LinearRegression"):
        FitDisplay.from_estimator(LinearRegression(), X, y)
    with pytest.raises(NotFittedError):
        FitDisplay.from_estimator(ThroughOriginRegressor(), X, y)
    line = ThroughOriginRegressor().fit(X, y)
    with pytest.raises(TypeError, match=r"'ax' parameter must be one matplotlib Axes"):
        FitDisplay.from_estimator(line, X, y, ax="here")


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    import sys

    line = ThroughOriginRegressor().fit(X, y)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"FitDisplay draws with matplotlib.*pip install"):
        FitDisplay.from_estimator(line, X, y)


@pytest.mark.parametrize("standardize", ["robust", "standard"])
def test_a_network_in_a_scale_is_drawn_over_the_feature_as_given(standardize):
    x = np.linspace(1e4, 1.1e4, 40)[:, None]
    net = FeedForwardRegressor(
        hidden_layer_sizes=(9,), standardize=standardize, max_iter=30, tol=None, random_state=0
    )
    target = 100 + np.sin(x[:, 0] / 300)
    display = FitDisplay.from_estimator(net, x, target, iterations=[0, -1])
    net.fit(x, target)
    first, last = display.lines_
    assert_allclose(first.get_ydata(), target.mean())
    assert_allclose(last.get_ydata(), net.predict(last.get_xdata()[:, None]))
    assert_allclose(display.y_pred, net.predict(x))
    fitted = FitDisplay.from_estimator(net, x, target)
    assert_allclose(fitted.lines_[0].get_ydata(), last.get_ydata())


def test_two_classes_are_drawn_by_the_probability_of_the_second():
    x = np.linspace(-2, 2, 40)[:, None]
    labels = np.where(np.abs(x[:, 0]) > 1, "outside", "inside")
    net = FeedForwardClassifier(hidden_layer_sizes=(8,), max_iter=5, tol=None, random_state=0)
    display = FitDisplay.from_estimator(net, x, labels, iterations=[0, -1])
    net.fit(x, labels)
    assert_array_equal(display.y, labels == "outside")
    assert_allclose(display.y_pred, net.predict_proba(x)[:, 1])
    grid = display.grid[:, None]
    assert_allclose(display.lines_[-1].get_ydata(), net.predict_proba(grid)[:, 1])
    assert_allclose(display.lines_[0].get_ydata(), np.mean(labels == "outside"))
    assert display.ax_.get_ylabel() == "probability of outside"
    with pytest.raises(ValueError, match=r"draws one output\. Got 3"):
        FitDisplay.from_estimator(net.fit(x, np.arange(40) % 3), x, np.arange(40) % 3)


def test_a_classifier_without_probabilities_is_drawn_by_its_target():
    labels = pd.Series([0, 0, 1], name="on")
    net = FeedForwardClassifier(
        hidden_layer_sizes=(2,), loss="squared_error", output_activation="identity", max_iter=2,
        tol=None,
    )  # fmt: skip
    assert FitDisplay.from_estimator(net.fit(X, labels), X, labels).ax_.get_ylabel() == "on"
