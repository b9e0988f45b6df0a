"""What NetworkDisplay draws: which neurons, where, with which weights and words."""

import pickle

import numpy as np
import pytest

pytest.importorskip("matplotlib")
import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex, to_rgba
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_linnerud
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd.inspection import NetworkDisplay
from sklearn_gd.inspection._axes import COLOURS

OR = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 1]


@pytest.fixture(autouse=True)
def _figures():
    mpl.use("Agg")
    yield
    plt.close("all")


def network(n_features, hidden, **options):
    """Return a network fitted for a few epochs, by which its biases have moved."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(40, n_features))
    y = X @ np.arange(1.0, n_features + 1) + 1
    options = {"max_iter": 3, "tol": None, "random_state": 0, "activation": "relu", **options}
    return FeedForwardRegressor(hidden_layer_sizes=hidden, **options).fit(X, y)


def words(texts):
    return [text.get_text() for text in texts]


def as_written(value):
    return f"{value:.3g}".replace("-", "−")


def test_layers_are_columns_centred_at_one_height():
    display = NetworkDisplay.from_estimator(network(5, (3,)))
    assert [len(places) for places in display.positions_] == [5, 3, 1]
    for x, places in enumerate(display.positions_):
        np.testing.assert_array_equal(places[:, 0], x)
        assert places[:, 1].mean() == 0
        np.testing.assert_array_equal(np.diff(places[:, 1]), -1)  # from the top
    for neurons, places in zip(display.neurons_, display.positions_, strict=True):
        np.testing.assert_array_equal(neurons.get_xydata(), places)
        assert neurons.get_marker() == "o"


def test_each_connection_joins_its_neurons():
    net = network(5, (3,))
    display = NetworkDisplay.from_estimator(net)
    assert [len(lines.get_segments()) for lines in display.connections_] == [15, 3]
    for k, lines in enumerate(display.connections_):
        np.testing.assert_array_equal(display.weights_[k], net.coefs_[k])
        n_target = display.weights_[k].shape[1]
        for at, (start, end) in enumerate(lines.get_segments()):
            i, j = divmod(at, n_target)
            np.testing.assert_array_equal(start, display.positions_[k][i])
            np.testing.assert_array_equal(end, display.positions_[k + 1][j])


def test_sign_is_colour_and_dash_and_size_is_width_and_opacity():
    display = NetworkDisplay(
        coefs=[np.array([[4.0, -2.0], [0.0, 1.0]])],
        intercepts=None,
        activations=["identity"],
        feature_names=["a", "b"],
        target_names=["c", "d"],
    ).plot()
    (lines,) = display.connections_
    colours = lines.get_colors()
    assert [to_hex(colour).upper() for colour in colours] == [
        COLOURS[hue] for hue in ("blue", "vermillion", "grey", "blue")
    ]
    np.testing.assert_allclose(colours[:, 3], [1, 0.625, 0.25, 0.4375])
    np.testing.assert_allclose(lines.get_linewidths(), [3.6, 2.1, 0.6, 1.35])
    dashes = [dash for _, dash in lines.get_linestyles()]
    assert [dash is None for dash in dashes] == [True, False, True, True]
    np.testing.assert_allclose(dashes[1], [6, 3])
    legend = ["positive weight", "negative weight", "weight of 0"]
    assert words(display.legend_.get_texts()) == legend
    assert "largest weight (4)" in display.note_.get_text()


def test_weights_all_zero_are_drawn_thin():
    net = network(2, (3,))
    net.coefs_[1][:] = 0
    display = NetworkDisplay.from_estimator(net)
    np.testing.assert_allclose(display.connections_[1].get_linewidths(), 0.6)
    assert "weight of 0" in words(display.legend_.get_texts())


def test_a_large_layer_is_shortened_and_says_so():
    net = network(10, (100,))
    display = NetworkDisplay.from_estimator(net)
    shown = [0, 1, 2, 97, 98, 99]
    assert [list(each) for each in display.shown_] == [list(range(10)), shown, [0]]
    assert words(display.gap_texts_) == ["… 94 more"]
    np.testing.assert_array_equal(display.positions_[1][:, 1], [3, 2, 1, -1, -2, -3])
    assert display.gap_texts_[0].xy == pytest.approx((1, 0))
    np.testing.assert_array_equal(display.weights_[0], net.coefs_[0][:, shown])
    np.testing.assert_array_equal(display.weights_[1], net.coefs_[1][shown])
    assert len(display.connections_[0].get_segments()) == 60
    assert "left out with their connections" in display.note_.get_text()
    assert display.captions_[1].get_text() == "hidden\n100 neurons\nrelu"
    assert words(display.bias_texts_[:6]) == [as_written(net.intercepts_[0][k]) for k in shown]


def test_widths_compare_with_the_largest_weight_even_if_it_is_not_drawn():
    net = network(2, (100,))
    net.coefs_[1][50] = 10 * np.abs(net.coefs_[1]).max()
    display = NetworkDisplay.from_estimator(net)
    assert display.connections_[1].get_linewidths().max() <= 0.6 + 0.3 + 1e-6


@pytest.mark.parametrize(
    ("max_neurons", "shown"), [(100, 100), (99, 48), (12, 6), (7, 2), (3, 2), (2, 2)]
)
def test_max_neurons(max_neurons, shown):
    display = NetworkDisplay.from_estimator(network(2, (100,)), max_neurons=max_neurons)
    assert len(display.shown_[1]) == shown
    assert len(display.gap_texts_) == (shown < 100)


def test_captions_count_the_neurons_and_name_the_activations():
    net = network(3, (2, 4, 1), activation=["tanh", (np.sin, np.cos), "relu"])
    display = NetworkDisplay.from_estimator(net)
    assert words(display.captions_) == [
        "3 scaled inputs",
        "hidden 1\n2 neurons\ntanh",
        "hidden 2\n4 neurons\nsin",
        "hidden 3\n1 neuron\nrelu",
        "output\n1 neuron\nidentity",
    ]
    assert [caption.xy[0] for caption in display.captions_] == [0, 1, 2, 3, 4]


def test_biases_are_written_under_their_neurons():
    net = network(2, (3,))
    display = NetworkDisplay.from_estimator(net)
    biases = np.concatenate(net.intercepts_)
    assert words(display.bias_texts_) == [as_written(b) for b in biases]
    places = np.concatenate(display.positions_[1:])
    for text, place in zip(display.bias_texts_, places, strict=True):
        np.testing.assert_array_equal(text.xy, place)
        assert text.get_position()[1] < 0  # points, downwards
    assert "number under a neuron is its bias" in display.note_.get_text()


def test_a_perceptron_writes_its_weights_and_its_threshold():
    neuron = PerceptronClassifier(shuffle=False).fit(OR[0], [0, 0, 0, 1])
    display = NetworkDisplay.from_estimator(neuron)
    assert words(display.weight_texts_) == ["3", "2"]
    assert words(display.target_texts_) == ["1\nfires above 3"]
    assert words(display.feature_texts_) == ["x1", "x2"]
    assert display.bias_texts_ == []
    assert display.captions_[1].get_text() == "output\n1 neuron\nstep"
    assert display.ax_.get_title() == "PerceptronClassifier"
    for text, (start, end) in zip(
        display.weight_texts_, display.connections_[0].get_segments(), strict=True
    ):
        x, y = text.xy  # on its line
        assert y == pytest.approx(np.interp(x, [start[0], end[0]], [start[1], end[1]]))


def test_a_perceptron_of_three_classes_has_a_neuron_a_class():
    iris = load_iris()
    model = PerceptronClassifier(random_state=0, max_iter=20, tol=None)
    model.fit(iris.data, iris.target)
    display = NetworkDisplay.from_estimator(
        model, feature_names=iris.feature_names, target_names=iris.target_names
    )
    np.testing.assert_array_equal(display.weights_[0], model.coef_.T)
    assert words(display.target_texts_) == [
        f"{name}\nfires above {as_written(threshold)}"
        for name, threshold in zip(iris.target_names, model.threshold_, strict=True)
    ]
    assert words(display.weight_texts_) == [as_written(w) for w in model.coef_.T.ravel()]
    assert words(display.feature_texts_) == iris.feature_names


def test_many_connections_have_no_numbers():
    assert NetworkDisplay.from_estimator(network(5, (3,))).weight_texts_ == []
    assert len(NetworkDisplay.from_estimator(network(3, (3,))).weight_texts_) == 12


def test_a_line_through_the_origin_has_no_biases():
    X, Y = load_linnerud(return_X_y=True, as_frame=True)
    line = ThroughOriginRegressor().fit(X, Y)
    display = NetworkDisplay.from_estimator(line, target_names=Y.columns)
    np.testing.assert_array_equal(display.weights_[0], line.coef_.T)
    assert words(display.target_texts_) == ["Weight", "Waist", "Pulse"]
    assert words(display.feature_texts_) == ["Chins", "Situps", "Jumps"]
    assert display.intercepts is None
    assert display.bias_texts_ == []
    assert "There are no biases." in display.note_.get_text()
    assert words(NetworkDisplay.from_estimator(line).target_texts_) == ["y1", "y2", "y3"]
    one = ThroughOriginRegressor().fit(X, Y["Waist"])
    assert NetworkDisplay.from_estimator(one).weights_[0].shape == (3, 1)


def test_the_two_names_of_a_binary_target_are_those_of_its_classes():
    neuron = PerceptronClassifier().fit(*OR)
    display = NetworkDisplay.from_estimator(neuron, target_names=["neither", "any"])
    assert display.target_names == ["any"]


def test_names_come_from_the_data_frame():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    net = FeedForwardRegressor(hidden_layer_sizes=(2,), max_iter=2, tol=None).fit(X, y)
    assert words(NetworkDisplay.from_estimator(net).feature_texts_) == list(X.columns)


@pytest.mark.parametrize(
    ("steps", "as_frame", "expected"),
    [
        ([StandardScaler()], True, ["Chins", "Situps", "Jumps"]),
        ([StandardScaler()], False, ["x1", "x2", "x3"]),
        ([PCA(n_components=2)], False, ["pca0", "pca1"]),
        ([FunctionTransformer(np.log1p), StandardScaler()], True, ["x1", "x2", "x3"]),
        ([], True, ["Chins", "Situps", "Jumps"]),
    ],
)
def test_names_come_through_a_pipeline(steps, as_frame, expected):
    X, Y = load_linnerud(return_X_y=True, as_frame=as_frame)
    model = make_pipeline(*steps, ThroughOriginRegressor()).fit(X, Y)
    assert words(NetworkDisplay.from_estimator(model).feature_texts_) == expected


def test_a_very_long_name_loses_its_middle():
    name = "onehot__occupation_Executive and managerial"
    net = network(2, (2,))
    display = NetworkDisplay.from_estimator(net, feature_names=[name, "age"])
    long, short = words(display.feature_texts_)
    assert short == "age"
    assert len(long) <= 32
    start, end = long.split("…")
    assert name.startswith(start)
    assert name.endswith(end)


def boxes(display, *groups):
    display.figure_.canvas.draw()
    renderer = display.figure_.canvas.get_renderer()
    texts = [text for group in groups for text in group]
    return [text.get_window_extent(renderer) for text in texts]


def test_no_two_texts_overlap_and_none_is_cut():
    data = load_breast_cancer()
    names = [str(name) for name in data.feature_names]
    for net, options in (
        (network(30, (100,)), {"feature_names": names}),
        (network(12, (12, 12, 12, 12)), {}),
        (network(2, (2,)), {}),
    ):
        display = NetworkDisplay.from_estimator(net, **options)
        found = boxes(
            display,
            display.feature_texts_,
            display.target_texts_,
            display.bias_texts_,
            display.gap_texts_,
            display.captions_,
            [display.note_, display.legend_, display.ax_.title],
        )
        page = display.figure_.bbox
        for i, box in enumerate(found):
            assert page.x0 <= box.x0 <= box.x1 <= page.x1
            assert page.y0 <= box.y0 <= box.y1 <= page.y1
            assert not any(box.overlaps(other) for other in found[:i])


def test_numbers_on_the_connections_do_not_overlap():
    iris = load_iris()
    neuron = PerceptronClassifier(random_state=0).fit(iris.data, iris.target)
    display = NetworkDisplay.from_estimator(neuron, feature_names=iris.feature_names)
    found = boxes(display, display.weight_texts_, display.feature_texts_, display.target_texts_)
    for i, box in enumerate(found):
        assert not any(box.overlaps(other) for other in found[:i])


def test_options_and_axes_of_the_user():
    figure, ax = plt.subplots()
    display = NetworkDisplay.from_estimator(
        network(2, (2,)),
        ax=ax,
        name="Two by two",
        neuron_kwargs={"mfc": "yellow", "ms": 9},
        connection_kwargs={"lw": 2, "alpha": 0.5, "color": "black"},
        text_kwargs={"size": 7, "c": "purple"},
    )
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert ax.get_title() == "Two by two"
    assert {neurons.get_markersize() for neurons in display.neurons_} == {9}
    assert display.neurons_[0].get_markerfacecolor() == "yellow"
    for lines in display.connections_:
        np.testing.assert_array_equal(lines.get_linewidths(), 2)
        np.testing.assert_allclose(lines.get_colors(), [to_rgba("black", 0.5)])
    for text in (*display.feature_texts_, *display.captions_, display.note_):
        assert (text.get_fontsize(), text.get_color()) == (7, "purple")


def test_a_second_plot_goes_to_new_axes():
    display = NetworkDisplay.from_estimator(network(2, (20,)))
    first = display.ax_
    assert display.plot(max_neurons=20, name="All of it") is display
    assert display.ax_ is not first
    assert len(display.shown_[1]) == 20
    assert display.ax_.get_title() == "All of it"


def test_the_estimator_stays_as_it_was():
    net = network(2, (2,))
    before = pickle.dumps(net)
    NetworkDisplay.from_estimator(net)
    assert pickle.dumps(net) == before


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_neurons": 1}, ValueError, "'max_neurons' parameter must be an int of at least 2"),
        ({"max_neurons": 2.5}, ValueError, "'max_neurons' .*Got 2.5"),
        ({"max_neurons": True}, ValueError, "'max_neurons' .*Got True"),
        ({"feature_names": ["a"]}, ValueError, "'feature_names' .* 2 names, one per feature"),
        ({"feature_names": "ab"}, TypeError, "'feature_names' .*Got 'ab'"),
        ({"target_names": ["a", "b"]}, ValueError, "'target_names' .* 1 name, one per output"),
        ({"ax": 3}, TypeError, "'ax' parameter must be one matplotlib Axes"),
    ],
)
def test_bad_input_is_named(options, error, message):
    with pytest.raises(error, match=message):
        NetworkDisplay.from_estimator(network(2, (2,)), **options)


def test_only_a_fitted_estimator_of_ours_is_drawn():
    with pytest.raises(NotFittedError):
        NetworkDisplay.from_estimator(FeedForwardRegressor())
    with pytest.raises(NotFittedError):
        NetworkDisplay.from_estimator(make_pipeline(StandardScaler(), PerceptronClassifier()))
    with pytest.raises(TypeError, match=r"'estimator' parameter .*StandardScaler"):
        NetworkDisplay.from_estimator(StandardScaler())
    neurons = PerceptronClassifier(random_state=0).fit(*load_iris(return_X_y=True))
    with pytest.raises(ValueError, match=r"'target_names' .* 3 names, one per class"):
        NetworkDisplay.from_estimator(neurons, target_names=["setosa"])


@pytest.mark.parametrize("standardize", ["robust", "standard", False])
def test_inputs_in_a_scale_are_called_so(standardize):
    net = network(2, (3,), standardize=standardize)
    display = NetworkDisplay.from_estimator(net)
    inputs = {"robust": "2 scaled inputs"}.get(standardize, "2 inputs")
    assert words(display.captions_) == [
        inputs,
        "hidden\n3 neurons\nrelu",
        "output\n1 neuron\nidentity",
    ]
    for drawn, weights in zip(display.weights_, net.coefs_, strict=True):
        np.testing.assert_array_equal(drawn, weights)
    assert words(display.bias_texts_) == [as_written(b) for b in np.concatenate(net.intercepts_)]


def iris_network(labels, rows=None, **options):
    """Return a small network that tells irises apart for a few epochs, on named columns."""
    X = load_iris(as_frame=True).data
    options = {"hidden_layer_sizes": (4,), "max_iter": 3, "tol": None, "random_state": 0} | options
    rows = np.full(len(X), True) if rows is None else rows
    return FeedForwardClassifier(**options).fit(X[rows], labels[rows])


SPECIES = load_iris().target_names[load_iris().target]


def test_a_network_has_one_output_per_class():
    net = iris_network(SPECIES)
    display = NetworkDisplay.from_estimator(net)
    assert words(display.target_texts_) == ["setosa", "versicolor", "virginica"]
    assert words(display.captions_)[-1] == "output\n3 neurons\nsoftmax"
    assert words(display.feature_texts_) == load_iris().feature_names
    biases = [as_written(bias) for layer in net.intercepts_ for bias in layer]
    assert words(display.bias_texts_) == biases
    assert display.name == "FeedForwardClassifier"
    assert "The number under a neuron is its bias." in display.note_.get_text()
    display = NetworkDisplay.from_estimator(net, target_names=["a", "b", "c"])
    assert words(display.target_texts_) == ["a", "b", "c"]


def test_two_classes_have_one_output_for_the_second():
    net = iris_network(SPECIES, SPECIES != "setosa")
    display = NetworkDisplay.from_estimator(net)
    assert words(display.target_texts_) == ["virginica"]
    assert words(display.captions_)[-1] == "output\n1 neuron\nsigmoid"
    display = NetworkDisplay.from_estimator(net, target_names=["blue", "purple"])
    assert words(display.target_texts_) == ["purple"]
    with pytest.raises(ValueError, match="must hold 2 names, one per class"):
        NetworkDisplay.from_estimator(net, target_names=["purple"])


def test_label_indicators_are_named_by_column():
    net = iris_network(np.column_stack([SPECIES == "setosa", SPECIES != "virginica"]).astype(int))
    display = NetworkDisplay.from_estimator(net)
    assert words(display.target_texts_) == ["column 0", "column 1"]
    assert words(display.captions_)[-1] == "output\n2 neurons\nsigmoid"
    display = NetworkDisplay.from_estimator(net, target_names=["no petals", "short"])
    assert words(display.target_texts_) == ["no petals", "short"]


def test_outputs_of_another_loss_have_their_activation():
    net = iris_network(SPECIES, loss="squared_error")
    caption = words(NetworkDisplay.from_estimator(net).captions_)[-1]
    assert caption == "output\n3 neurons\nsigmoid"
