"""What ActivationDisplay draws: the curves themselves, number by number."""

import pickle

import numpy as np
import pytest

pytest.importorskip("matplotlib")
import matplotlib as mpl
from matplotlib import pyplot as plt
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import FeedForwardClassifier, FeedForwardRegressor, PerceptronClassifier
from sklearn_gd.activations import _BUILT_IN, ELU, Activation
from sklearn_gd.inspection import ActivationDisplay

OR = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 1]


@pytest.fixture(autouse=True)
def _figures():
    mpl.use("Agg")
    yield
    plt.close("all")


def drawn(activation, **options):
    """Return the inputs and outputs of the one curve drawn, with threshold 8 over 0 to 16."""
    options = {"threshold": 8, "limits": (0, 16), **options}
    display = ActivationDisplay.from_activations(activation, **options)
    return display.lines_[0].get_data()


def legend_of(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_the_step_jumps_upright_at_the_threshold():
    x, y = drawn("step")
    assert (x[0], x[-1]) == (0, 16)
    np.testing.assert_array_equal(y[x < 8], 0)
    np.testing.assert_array_equal(y[x > 8], 1)
    rises = np.diff(y) != 0
    assert rises.sum() == 1
    assert x[:-1][rises] == x[1:][rises] == 8
    assert y[x == 8].tolist()[:2] == [0, 0]  # at the threshold itself the neuron does not fire


def test_an_own_jump_is_upright_as_well():
    x, y = drawn((np.sign, np.zeros_like))
    rises = np.diff(y) != 0
    assert set(x[:-1][rises]) | set(x[1:][rises]) == {8}
    assert (y[0], y[-1]) == (-1, 1)


def test_the_sigmoid_is_one_half_at_the_threshold():
    x, y = drawn("sigmoid")
    assert set(y[x == 8]) == {0.5}
    np.testing.assert_allclose(y, 1 / (1 + np.exp(8 - x)))
    assert (np.diff(y) >= 0).all()


def test_tanh_lies_between_minus_one_and_one():
    x, y = drawn("tanh")
    assert -1 <= y.min() < -0.999
    assert 0.999 < y.max() <= 1
    assert set(np.abs(y[x == 8])) <= {0.0, np.finfo(float).tiny}


def test_relu_is_flat_and_then_linear():
    x, y = drawn("relu")
    np.testing.assert_array_equal(y[x <= 8].round(300), 0)
    np.testing.assert_allclose(y[x > 8], x[x > 8] - 8)
    assert y[-1] == 8


def test_derivatives_are_dashed_in_the_colour_of_their_activation():
    display = ActivationDisplay.from_activations(["sigmoid", "relu", "step"], threshold=2)
    sigmoid, relu, step = display.derivative_lines_
    assert step is None
    assert sigmoid.get_ydata().max() == 0.25
    assert set(sigmoid.get_xdata()[sigmoid.get_ydata() == 0.25]) == {2.0}
    x, y = relu.get_data()
    np.testing.assert_array_equal(y, (x > 2) | ((x == 2) & (display.outputs[1] > 0)))
    for line, derivative in zip(display.lines_[:2], [sigmoid, relu], strict=True):
        assert (line.get_linestyle(), derivative.get_linestyle()) == ("-", "--")
        assert line.get_color() == derivative.get_color()


@pytest.mark.parametrize("name", sorted(set(_BUILT_IN) - {"step"}))
def test_every_derivative_is_the_slope_of_its_curve(name):
    display = ActivationDisplay.from_activations(name, threshold=-1.5, limits=(-4, 3))
    x, y, slope = display.inputs[0], display.outputs[0], display.derivatives[0]
    apart = np.diff(x) > 0
    middle = (slope[1:] + slope[:-1])[apart] / 2
    np.testing.assert_allclose((np.diff(y)[apart] / np.diff(x)[apart]), middle, atol=1e-4)


def test_without_derivatives():
    display = ActivationDisplay.from_activations(["tanh", "relu"], derivative=False)
    assert display.derivative_lines_ == [None, None]
    assert legend_of(display) == ["tanh", "relu", "threshold 0"]


def test_the_legend_names_one_curve_and_its_derivative():
    display = ActivationDisplay.from_activations("sigmoid", threshold=-2.5)
    assert legend_of(display) == ["sigmoid", "its derivative", "threshold −2.5"]
    assert display.threshold_lines_[0].get_xdata() == [-2.5, -2.5]
    assert display.ax_.get_xlabel() == "weighted input"


def test_names_of_activations_of_all_kinds():
    display = ActivationDisplay.from_activations([ELU(alpha=0.5), ELU(), (np.sin, np.cos)])
    assert display.names == ["ELU(alpha=0.5)", "elu", "sin"]
    assert legend_of(display)[:3] == display.names
    assert legend_of(display)[-1] == "derivative"


def test_names_of_the_users_choice():
    display = ActivationDisplay.from_activations(["tanh", "relu"], name=["bent", "kinked"])
    assert legend_of(display)[:2] == ["bent", "kinked"]
    assert legend_of(display.plot())[:2] == ["tanh", "relu"]
    assert legend_of(ActivationDisplay.from_activations("tanh", name="bent"))[0] == "bent"


def test_limits_lie_about_the_thresholds():
    display = ActivationDisplay.from_activations(["tanh", "relu"], threshold=[-1, 3])
    assert display.ax_.get_xlim() == (-7, 9)
    assert display.thresholds == [-1, 3]
    marks = display.threshold_lines_
    assert [line.get_xdata()[0] for line in marks] == [-1, 3]
    assert [line.get_color() for line in marks] == [line.get_color() for line in display.lines_]


def test_a_threshold_outside_the_limits_is_fine():
    x, y = drawn("relu", threshold=20)
    assert (x[0], x[-1], y.max()) == (0, 16, 0)


def test_all_curves_differ_to_the_eye():
    display = ActivationDisplay.from_activations(sorted(_BUILT_IN))
    looks = {(line.get_color(), line.get_linestyle()) for line in display.lines_}
    assert len(looks) == len(_BUILT_IN)
    display.figure_.canvas.draw()  # and their legend covers none of them
    legend = display.ax_.get_legend().get_window_extent()
    assert display.ax_.bbox.x1 < legend.x0 < legend.x1 <= display.figure_.bbox.x1


def test_a_perceptron_at_its_own_threshold():
    neuron = PerceptronClassifier(activation="sigmoid", standardize=False, random_state=0)
    neuron.fit(*OR)
    before = pickle.dumps(neuron)
    display = ActivationDisplay.from_estimator(neuron)
    assert pickle.dumps(neuron) == before
    (threshold,) = neuron.threshold_
    assert display.thresholds == [threshold]
    x, y = display.lines_[0].get_data()
    assert set(y[x == threshold]) == {0.5}
    z = neuron.decision_function(OR[0])
    assert display.ax_.get_xlim() == (threshold - 6, threshold + 6)
    np.testing.assert_allclose(np.interp(z + threshold, x, y), 1 / (1 + np.exp(-z)), atol=1e-4)


def test_a_pipeline_of_three_classes_has_three_curves():
    iris = load_iris(as_frame=True)
    species = iris.target_names[iris.target]
    model = make_pipeline(StandardScaler(), PerceptronClassifier(random_state=0))
    model.fit(iris.data, species)
    display = ActivationDisplay.from_estimator(model, limits=(-9, 9), derivative=False)
    assert display.thresholds == model[-1].threshold_.tolist()
    for line, threshold, label in zip(
        display.lines_, display.thresholds, model.classes_, strict=True
    ):
        x, y = line.get_data()
        rises = np.diff(y) != 0
        assert x[:-1][rises] == threshold
        assert line.get_label().startswith(f"{label}, above")


def test_options_and_axes_of_the_user():
    figure, ax = plt.subplots()
    display = ActivationDisplay.from_activations(
        "tanh", ax=ax, line_kwargs={"c": "red", "lw": 3}, derivative_kwargs={"ls": ":"}
    )
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert (display.lines_[0].get_color(), display.lines_[0].get_linewidth()) == ("red", 3)
    assert display.derivative_lines_[0].get_color() == "red"
    assert display.derivative_lines_[0].get_linestyle() == ":"


class Careless(Activation):
    """Writes over what it is given."""

    def __call__(self, z):
        np.tanh(z, out=z)
        return z

    def derivative(self, z, a):
        a *= -a
        a += 1
        return a


def test_an_activation_that_writes_over_its_input_is_refused():
    with pytest.raises(ValueError, match="must not write to z"):
        ActivationDisplay.from_activations(Careless())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"activations": "quadratic"}, ValueError, "'activations' parameter must be one of 'elu'"),
        ({"activations": ["tanh", 3]}, TypeError, "or a list of these. Got 3"),
        ({"activations": []}, ValueError, "'activations' parameter must hold one at least"),
        ({"threshold": np.nan}, ValueError, "'threshold' parameter must be one finite number"),
        ({"threshold": "high"}, ValueError, "'threshold' .*Got 'high'"),
        ({"threshold": [1, 2]}, ValueError, r"'threshold' .*Got \[1, 2\]"),
        ({"limits": (2, 1)}, ValueError, r"'limits' .*Got \(2, 1\)"),
        ({"limits": 3}, ValueError, "'limits' .*Got 3"),
        ({"limits": (0, np.inf)}, ValueError, "'limits' parameter must be two finite numbers"),
        ({"name": ["a", "b"]}, ValueError, "'name' parameter must hold 1 name"),
        ({"name": 5}, TypeError, "'name' .*Got 5"),
        ({"ax": "here"}, TypeError, "'ax' parameter must be one matplotlib Axes"),
    ],
)
def test_bad_input_is_named(options, error, message):
    with pytest.raises(error, match=message):
        ActivationDisplay.from_activations(**{"activations": "tanh", **options})


def test_only_a_fitted_perceptron_has_a_threshold():
    with pytest.raises(NotFittedError):
        ActivationDisplay.from_estimator(PerceptronClassifier())
    with pytest.raises(TypeError, match="must be a fitted PerceptronClassifier, or a Pipeline"):
        ActivationDisplay.from_estimator(FeedForwardRegressor())
    with pytest.raises(TypeError, match=r"fitted PerceptronClassifier.*Got FeedForwardClassifier"):
        ActivationDisplay.from_estimator(FeedForwardClassifier())
    with pytest.raises(TypeError, match=r"'estimator' parameter .*StandardScaler"):
        ActivationDisplay.from_estimator(make_pipeline(StandardScaler()))
