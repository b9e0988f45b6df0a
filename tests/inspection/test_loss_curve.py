"""Loss curves: what is drawn is what the fits tell, epoch by epoch."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd.inspection import LossCurveDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

X, Y = load_diabetes(return_X_y=True)
NET = FeedForwardRegressor(hidden_layer_sizes=(8,), learning_rate=0.01, max_iter=12, tol=None)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def net(**parameters):
    return FeedForwardRegressor(**{**NET.get_params(), "random_state": 0, **parameters})


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_the_first_epoch_is_at_1():
    model = net().fit(X, Y)
    display = LossCurveDisplay.from_estimator(model)
    (line,) = display.lines_
    assert line.get_xdata().tolist() == list(range(1, 13))
    assert line.get_ydata().tolist() == model.loss_curve_
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Epoch", "Loss")
    assert display.ax_.get_yscale() == "linear"
    assert display.figure_ is display.ax_.figure
    assert legend(display) == ["training loss"]


def test_without_a_validation_set_no_epoch_is_the_best():
    display = LossCurveDisplay.from_estimator(net().fit(X, Y))
    assert display.validation_lines_ == display.best_points_ == [None]
    assert display.mean_line_ is None
    assert display.validation_mean_line_ is None


def test_validation_loss_and_the_best_epoch():
    model = net(early_stopping=True, learning_rate=0.1, hidden_layer_sizes=(64,), max_iter=60).fit(
        X, Y
    )
    assert 0 < model.best_iter_ < 59
    display = LossCurveDisplay.from_estimator(model)
    (held_out,), (best,) = display.validation_lines_, display.best_points_
    assert held_out.get_ydata().tolist() == model.validation_loss_curve_
    assert best.get_xdata() == [model.best_iter_ + 1]
    assert best.get_ydata() == [min(model.validation_loss_curve_)] == [model.best_loss_]
    epoch = f"best epoch: {model.best_iter_ + 1}"
    assert legend(display) == ["training loss", "validation loss", epoch]
    assert display.lines_[0].get_color() != held_out.get_color()


def test_the_curve_of_the_line_begins_before_training():
    line = ThroughOriginRegressor(solver="gd", learning_rate=0.1).fit([[1.0], [2.0]], [2.0, 4.0])
    display = LossCurveDisplay.from_estimator(line)
    assert display.lines_[0].get_ydata()[0] == np.mean([4.0, 16.0])


def test_neurons_and_pipelines():
    X, y = load_breast_cancer(return_X_y=True)
    pipe = make_pipeline(StandardScaler(), PerceptronClassifier(random_state=0)).fit(X, y)
    display = LossCurveDisplay.from_estimator(pipe)
    assert display.lines_[0].get_ydata().tolist() == pipe[-1].loss_curve_


def test_estimators_are_not_changed():
    model = net(early_stopping=True).fit(X, Y)
    before = {name: repr(value) for name, value in vars(model).items()}
    LossCurveDisplay.from_estimator(model, log_scale=True)
    assert {name: repr(value) for name, value in vars(model).items()} == before


def test_several_estimators_share_the_axes():
    models = [net(learning_rate=rate).fit(X, Y) for rate in (0.01, 0.1)]
    models.append(net(early_stopping=True).fit(X, Y))
    models.append(ThroughOriginRegressor(max_iter=9, tol=None).fit(X, Y))
    display = LossCurveDisplay.from_estimator(models)
    for line, model in zip(display.lines_, models, strict=True):
        assert line.get_ydata().tolist() == model.loss_curve_
    assert len({line.get_color() for line in display.lines_}) == 4
    assert [line is None for line in display.validation_lines_] == [True, True, False, True]
    held_out, train = display.validation_lines_[2], display.lines_[2]
    assert held_out.get_color() == train.get_color()
    assert held_out.get_linestyle() != train.get_linestyle()
    assert legend(display) == [
        "FeedForwardRegressor 1",
        "FeedForwardRegressor 2",
        "FeedForwardRegressor 3, training",
        "FeedForwardRegressor 3, validation",
        "best epoch",
        "ThroughOriginRegressor",
    ]


def test_names():
    models = [net(early_stopping=True, random_state=seed).fit(X, Y) for seed in (0, 1)]
    display = LossCurveDisplay.from_estimator(models, name=["one", "other"])
    assert legend(display) == [
        "one, training",
        "one, validation",
        "best epoch",
        "other, training",
        "other, validation",
    ]
    display = LossCurveDisplay.from_estimator(net().fit(X, Y), name="mine")
    assert legend(display) == ["mine, training loss"]
    assert legend(display.plot(name="yours")) == ["yours, training loss"]


def test_displays_share_given_axes_and_take_options():
    _, ax = plt.subplots()
    model = net(early_stopping=True).fit(X, Y)
    display = LossCurveDisplay.from_estimator(
        model,
        ax=ax,
        train_kwargs={"c": "red", "lw": 3},
        validation_kwargs={"linestyle": ":"},
        best_kwargs={"ms": 3},
    )
    assert display.ax_ is ax
    assert display.lines_[0].get_color() == "red"
    assert display.lines_[0].get_linewidth() == 3
    assert display.validation_lines_[0].get_linestyle() == ":"
    assert display.best_points_[0].get_markersize() == 3
    LossCurveDisplay.from_estimator(model, ax=ax)
    assert len(ax.lines) == 6


def test_log_scale():
    display = LossCurveDisplay.from_estimator(net().fit(X, Y), log_scale=True)
    assert display.ax_.get_yscale() == "log"


def test_a_loss_of_zero_is_seen_on_the_log_scale():
    inputs, is_and = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]
    neuron = PerceptronClassifier(shuffle=False, tol=None).fit(inputs, is_and)
    assert neuron.loss_curve_[-1] == 0
    display = LossCurveDisplay.from_estimator(neuron, log_scale=True)
    assert display.ax_.get_yscale() == "symlog"
    low, high = display.ax_.get_ylim()
    assert -min(filter(None, neuron.loss_curve_)) < low < 0
    assert max(neuron.loss_curve_) <= high
    display = LossCurveDisplay(loss_curves=[[1.0, 1e-24, 0.0]]).plot(log_scale=True)
    heights = display.ax_.transAxes.inverted().transform(
        display.ax_.transData.transform(display.lines_[0].get_xydata())
    )[:, 1]
    assert heights[1] - heights[2] > 0.05
    display = LossCurveDisplay(loss_curves=[[0.0, 0.0]]).plot(log_scale=True)
    assert display.ax_.get_yscale() == "linear"


def test_epochs_are_whole_numbers():
    display = LossCurveDisplay.from_estimator(net(max_iter=3).fit(X, Y))
    display.figure_.canvas.draw()
    assert all(tick == int(tick) for tick in display.ax_.get_xticks())


def test_a_single_epoch_is_a_point():
    display = LossCurveDisplay.from_estimator(net(max_iter=1).fit(X, Y))
    assert display.lines_[0].get_marker() == "o"
    assert LossCurveDisplay(loss_curves=[[2.0, 1.0]]).plot().lines_[0].get_marker() == "None"


def test_folds_and_their_mean():
    model = net(early_stopping=True, n_iter_no_change=2, tol=1e-3, max_iter=500, learning_rate=0.1)
    results = cross_validate(model, X, Y, cv=4, return_estimator=True)
    fits = results["estimator"]
    lengths = [fit.n_iter_ for fit in fits]
    assert len(set(lengths)) > 1
    display = LossCurveDisplay.from_cv_results(results, name="net")
    for line, held_out, best, fit in zip(
        display.lines_, display.validation_lines_, display.best_points_, fits, strict=True
    ):
        assert line.get_ydata().tolist() == fit.loss_curve_
        assert held_out.get_ydata().tolist() == fit.validation_loss_curve_
        assert best.get_xdata() == [fit.best_iter_ + 1]
        assert line.get_linewidth() < display.mean_line_.get_linewidth()
    common = min(lengths)
    expected = np.mean([fit.loss_curve_[:common] for fit in fits], axis=0)
    assert display.mean_line_.get_xdata().tolist() == list(range(1, common + 1))
    np.testing.assert_allclose(display.mean_line_.get_ydata(), expected)
    expected = np.mean([fit.validation_loss_curve_[:common] for fit in fits], axis=0)
    np.testing.assert_allclose(display.validation_mean_line_.get_ydata(), expected)
    assert legend(display) == [
        "net, training loss, each fold",
        "net, validation loss, each fold",
        "net, best epoch, each fold",
        "net, training loss, mean of 4 folds",
        "net, validation loss, mean of 4 folds",
    ]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_folds_that_diverged_are_left_out():
    x = np.r_[np.full(10, 0.1), np.full(10, 10.0)][:, None]
    model = ThroughOriginRegressor(solver="gd", learning_rate=0.5, max_iter=20, tol=None)
    folds = KFold(2)  # one trains on the small x, the other on the large ones
    results = cross_validate(model, x, x[:, 0], cv=folds, return_estimator=True)
    display = LossCurveDisplay.from_cv_results(results)
    assert len(display.lines_) == 1
    assert display.mean_line_.get_label() == "training loss, mean of 1 of 2 folds"
    results["estimator"] = [ThroughOriginRegressor()] * 2
    with pytest.raises(ValueError, match="Got 2 folds that failed"):
        LossCurveDisplay.from_cv_results(results)


def test_bad_input_is_named():
    model = net().fit(X, Y)
    draw = LossCurveDisplay.from_estimator
    with pytest.raises(NotFittedError, match="FeedForwardRegressor"):
        draw(net())
    with pytest.raises(TypeError, match="'estimator' parameter must be one of"):
        draw(LinearRegression().fit(X, Y))
    with pytest.raises(ValueError, match="Got an empty list"):
        draw([])
    with pytest.raises(TypeError, match="'name' parameter must be a string"):
        draw(model, name=3)
    with pytest.raises(ValueError, match="must hold 2 names"):
        draw([model, model], name="one")
    with pytest.raises(TypeError, match="'ax' parameter must be one matplotlib Axes"):
        draw(model, ax=3)
    with pytest.raises(ValueError, match="return_estimator=True"):
        LossCurveDisplay.from_cv_results(cross_validate(model, X, Y, cv=2))
    weightless = net().partial_fit(X, Y, sample_weight=np.zeros(len(Y)))
    with pytest.raises(ValueError, match="has run no epoch"):
        draw(weightless)


def test_fits_inside_others_are_drawn():
    scaled = TransformedTargetRegressor(net(), transformer=StandardScaler()).fit(X, Y)
    search = GridSearchCV(net(), {"learning_rate": [0.1]}, cv=2).fit(X, Y)
    display = LossCurveDisplay.from_estimator([scaled, search])
    assert_allclose(display.lines_[0].get_ydata(), scaled.regressor_.loss_curve_)
    assert_allclose(display.lines_[1].get_ydata(), search.best_estimator_.loss_curve_)


@pytest.mark.parametrize("standardize", ["robust", "standard"])
def test_losses_of_a_network_in_a_scale_are_in_the_units_of_the_targets(standardize):
    rows, targets = load_diabetes(return_X_y=True, scaled=False)
    model = net(standardize=standardize, early_stopping=True).fit(rows, targets)
    display = LossCurveDisplay.from_estimator(model)
    train = display.lines_[0].get_ydata()
    validation = display.validation_lines_[0].get_ydata()
    assert_allclose(train, model.loss_curve_)
    assert_allclose(validation, model.validation_loss_curve_)
    assert 0.3 * np.var(targets) < train[-1] < train[0] < 1.2 * np.var(targets)


CANCER = load_breast_cancer(return_X_y=True)


def classifier(**parameters):
    given = {"hidden_layer_sizes": (4,), "max_iter": 6, "tol": None, "random_state": 0}
    return FeedForwardClassifier(**given | parameters)


def test_the_log_loss_is_named_and_is_that_of_the_predictions():
    model = classifier(early_stopping=False, batch_size=None)
    X_val, y_val = CANCER[0][::3], CANCER[1][::3]
    model.fit(*CANCER, X_val=X_val, y_val=y_val)
    display = LossCurveDisplay.from_estimator(model)
    assert display.ax_.get_ylabel() == "Log loss"
    (train,), (validation,) = display.lines_, display.validation_lines_
    first = np.array([np.mean(CANCER[1] == label) for label in (0, 1)])
    assert_allclose(train.get_ydata()[0], -(first * np.log(first)).sum())  # of the class shares
    best = model.best_iter_
    (point,) = display.best_points_
    assert point.get_xdata().tolist() == [best + 1]
    assert_allclose(point.get_ydata(), [log_loss(y_val, model.predict_proba(X_val))])
    assert_allclose(validation.get_ydata(), model.validation_loss_curve_)
    assert legend(display) == ["training loss", "validation loss", f"best epoch: {best + 1}"]


def test_a_log_loss_beside_another_is_a_loss():
    model = classifier().fit(*CANCER)
    squared = classifier(loss="squared_error").fit(*CANCER)
    assert LossCurveDisplay.from_estimator([model, squared]).ax_.get_ylabel() == "Loss"
    neuron = PerceptronClassifier(activation="sigmoid", loss="log_loss", max_iter=2, tol=None)
    display = LossCurveDisplay.from_estimator([model, neuron.fit(*CANCER)])
    assert display.ax_.get_ylabel() == "Log loss"
    assert LossCurveDisplay.from_estimator(neuron).plot().ax_.get_ylabel() == "Log loss"


def test_folds_of_a_classifier():
    results = cross_validate(classifier(early_stopping=True), *CANCER, cv=3, return_estimator=True)
    display = LossCurveDisplay.from_cv_results(results)
    assert display.ax_.get_ylabel() == "Log loss"
    curves = [model.validation_loss_curve_ for model in results["estimator"]]
    assert_allclose(display.validation_mean_line_.get_ydata(), np.mean(curves, axis=0))


def test_label_indicators_have_a_loss_summed_over_the_columns():
    X, y = CANCER
    labels = np.column_stack([y, X[:, 0] > 14]).astype(int)
    model = classifier().fit(X, labels, X_val=X[::3], y_val=labels[::3])
    display = LossCurveDisplay.from_estimator(model)
    p = model.predict_proba(X[::3])
    by_hand = sum(log_loss(labels[::3, k], p[:, k]) for k in range(2))
    assert_allclose(display.best_points_[0].get_ydata(), [by_hand])
