"""The loss and the score over the learning rate: positions, marks, and what is left out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import entr
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd.inspection import LearningRateDisplay
from sklearn_gd.schedules import Exponential
from sklearn_gd.solvers import Adam

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

X, Y = load_diabetes(return_X_y=True)
X = StandardScaler().fit_transform(X)[:200]
Y = Y[:200] / 100
LINE = ThroughOriginRegressor(solver="gd")
NET = FeedForwardRegressor(hidden_layer_sizes=(5,), random_state=0, max_iter=10, tol=None)
draw = LearningRateDisplay.from_estimator
draw_search = LearningRateDisplay.from_search


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


class TestFromEstimator:
    def test_the_loss_after_so_many_epochs(self):
        rates = [0.1, 0.001, 0.01]
        display = draw(LINE, X, Y, rates=rates, max_iter=7)
        expected = [
            clone(LINE).set_params(learning_rate=rate, max_iter=7, tol=None).fit(X, Y).loss_
            for rate in sorted(rates)
        ]
        (line,) = display.lines_
        assert line.get_xdata().tolist() == sorted(rates)
        assert line.get_ydata().tolist() == expected == display.values.tolist()
        assert (display.ax_.get_xscale(), display.ax_.get_yscale()) == ("log", "log")
        assert display.ax_.get_xlabel() == "Learning rate"
        assert display.ax_.get_ylabel() == "Loss after 7 epochs"
        assert display.figure_ is display.ax_.figure
        assert display.diverged_ is None

    def test_rates_that_diverge_are_marked_at_the_top(self):
        display = draw(LINE, X, Y, rates=[0.01, 10.0, 100.0])
        assert np.isnan(display.values).tolist() == [False, True, True]
        assert display.diverged_.get_xdata().tolist() == [10.0, 100.0]
        _, top = display.ax_.transAxes.inverted().transform(
            display.diverged_.get_transform().transform([10.0, display.diverged_.get_ydata()[0]])
        )
        assert 0.9 < top < 1
        low, high = display.ax_.get_xlim()
        assert low < 0.01 < 100.0 < high
        assert "diverged" in legend(display)

    def test_the_largest_stable_rate(self):
        largest = clone(LINE).fit(X, Y).max_learning_rate_
        display = draw(LINE, X, Y, rates=[0.01, 0.02])
        assert display.max_learning_rate == pytest.approx(largest)
        assert display.max_rate_line_.get_xdata() == pytest.approx([largest] * 2)
        assert f"largest stable rate: {largest:.3g}" in legend(display)
        nesterov = draw(clone(LINE).set_params(solver="nesterov"), X, Y, rates=[0.01])
        assert f"largest stable rate of plain descent: {largest:.3g}" in legend(nesterov)

    def test_it_is_known_even_where_all_rates_diverge(self):
        display = draw(LINE, X, Y, rates=[1e3])
        assert display.max_learning_rate == pytest.approx(clone(LINE).fit(X, Y).max_learning_rate_)
        assert display.start == pytest.approx(np.mean(Y**2))

    def test_by_default_the_rates_lie_around_it(self):
        display = draw(LINE, X, Y, max_iter=100)
        largest = display.max_learning_rate
        stable = display.rates < largest
        assert stable.sum() == 20
        assert len(display.rates) == 25
        assert np.isfinite(display.values[stable]).all()
        assert np.isnan(display.values[-3:]).all()
        assert np.nanmin(display.values) < display.start

    def test_a_network_has_a_default_too(self):
        display = draw(NET, X, Y, max_iter=2)
        assert display.rates[[0, -1]] == pytest.approx([1e-5, 10])
        assert display.max_learning_rate is None
        assert display.max_rate_line_ is None

    @pytest.mark.parametrize("solver", ["gd", "adam", "adamw", "nesterov"])
    def test_the_loss_before_training(self, solver):
        net = clone(NET).set_params(solver=solver, init="glorot", batch_size=13)
        display = draw(net, X, Y, rates=[1e-12, 0.01])
        # Next to no rate arrives where the descent begins.
        assert display.start == pytest.approx(display.values[0], rel=1e-6)
        assert display.start_line_.get_ydata() == [display.start] * 2
        assert display.start > display.values[1]

    def test_rosenblatts_rule_has_no_loss_before_training(self):
        data, labels = load_breast_cancer(return_X_y=True)
        neuron = PerceptronClassifier(random_state=0)
        display = draw(neuron, data[:100], labels[:100], rates=[0.1, 1.0], max_iter=3)
        assert display.start is None
        assert display.start_line_ is None
        smooth = clone(neuron).set_params(activation="sigmoid")
        display = draw(smooth, data[:100], labels[:100], rates=[1e-9, 1.0], max_iter=3)
        assert display.start == pytest.approx(0.25)  # the sigmoid is one half at 0

    @pytest.mark.parametrize("rate", ["auto", Exponential(0.5, decay=0.5), 3.0])
    def test_whatever_the_rate_was(self, rate):
        model = clone(LINE).set_params(learning_rate=rate)
        display = draw(model, X, Y, rates=[0.01, 0.1])
        assert display.values.tolist() == draw(LINE, X, Y, rates=[0.01, 0.1]).values.tolist()
        assert model.learning_rate is rate
        assert not hasattr(model, "coef_")

    def test_rows_have_weights(self):
        weights = np.r_[np.ones(100), np.zeros(100)]
        display = draw(LINE, X, Y, rates=[0.05], sample_weight=weights)
        half = draw(LINE, X[:100], Y[:100], rates=[0.05])
        assert display.values == pytest.approx(half.values)

    def test_a_pipeline_transforms_its_rows(self):
        raw = X * np.logspace(0, 3, X.shape[1])
        display = draw(make_pipeline(StandardScaler(), LINE), raw, Y, rates=[0.05])
        scaled = StandardScaler().fit_transform(raw)
        assert display.values == pytest.approx(draw(LINE, scaled, Y, rates=[0.05]).values)

    def test_all_rates_begin_alike(self):
        net = clone(NET).set_params(random_state=None, init="glorot")
        display = draw(net, X, Y, rates=[1e-12, 2e-12])
        assert display.values[0] == pytest.approx(display.values[1], rel=1e-6)
        assert net.random_state is None

    def test_callbacks_are_left_alone(self):
        pytest.importorskip("sklearn.callback")

        class Spy:
            def setup(self, estimator, context):
                raise AssertionError("called")

            on_fit_task_begin = on_fit_task_end = teardown = setup

        net = clone(NET).set_callbacks(Spy())
        draw(net, X, Y, rates=[0.01], max_iter=2)
        assert len(net._skl_callbacks) == 1

    def test_an_interrupt_ends_all_fits(self):
        calls = []

        def f(z):
            calls.append(1)
            if len(calls) == 50:
                raise KeyboardInterrupt
            return z

        net = clone(NET).set_params(activation=[(f, np.ones_like)], batch_size=None)
        with pytest.raises(KeyboardInterrupt):
            draw(net, X, Y, max_iter=1000)
        assert len(calls) == 50

    def test_a_loss_of_zero_has_its_place(self):
        inputs, is_and = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]
        display = draw(PerceptronClassifier(random_state=0), inputs, is_and, rates=[0.1, 1.0])
        assert display.values.tolist() == [0.0, 0.0]
        assert display.ax_.get_yscale() == "linear"
        low, high = display.ax_.get_ylim()
        assert low < 0 < high

    def test_names_options_and_shared_axes(self):
        _, ax = plt.subplots()
        display = draw(
            LINE,
            X,
            Y,
            rates=[0.01, 100.0],
            ax=ax,
            name="mine",
            line_kwargs={"c": "red"},
            diverged_kwargs={"marker": "v"},
        )
        assert display.ax_ is ax
        assert display.lines_[0].get_color() == "red"
        assert display.diverged_.get_marker() == "v"
        assert legend(display)[:2] == ["mine", "diverged"]
        assert legend(display.plot())[0] == "ThroughOriginRegressor"

    @pytest.mark.parametrize("rates", [[], [0.1, -1], [0.0], [np.nan], [[0.1]], "fast", 0.1])
    def test_bad_rates_are_named(self, rates):
        with pytest.raises(ValueError, match="'rates' parameter must be an array of one positive"):
            draw(LINE, X, Y, rates=rates)

    def test_bad_input_is_named(self):
        with pytest.raises(TypeError, match="'estimator' parameter must be one of"):
            draw(LinearRegression(), X, Y)
        with pytest.raises(ValueError, match="solver='lbfgs', which does not"):
            draw(clone(NET).set_params(solver="lbfgs"), X, Y)
        with pytest.raises(ValueError, match="'max_iter' parameter"):
            draw(LINE, X, Y, max_iter=0)
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            draw(LINE, X, Y[:-1])


class TestFromSearch:
    RATES = [0.3, 0.001, 0.03]

    def search(self, grid, model=NET, **parameters):
        return GridSearchCV(model, grid, cv=3, **parameters).fit(X, Y)

    def test_scores_and_their_spread(self):
        search = self.search({"learning_rate": self.RATES})
        display = draw_search(search)
        order = np.argsort(self.RATES)
        mean = search.cv_results_["mean_test_score"][order]
        spread = search.cv_results_["std_test_score"][order]
        (line,), (band,) = display.lines_, display.bands_
        assert line.get_xdata().tolist() == sorted(self.RATES)
        assert line.get_ydata().tolist() == mean.tolist()
        corners = band.get_paths()[0].vertices
        for rate, m, s in zip(sorted(self.RATES), mean, spread, strict=True):
            ends = corners[corners[:, 0] == rate, 1]
            assert ends.min() == pytest.approx(m - s)
            assert ends.max() == pytest.approx(m + s)
        assert display.best_point_.get_xdata() == [search.best_params_["learning_rate"]]
        assert display.best_point_.get_ydata() == [search.best_score_]
        assert display.ax_.get_xscale() == "log"
        assert display.ax_.get_ylabel() == "Score, mean over 3 folds"
        assert display.diverged_ is None
        best = f"best: {search.best_params_['learning_rate']:.3g}"
        assert legend(display) == ["FeedForwardRegressor", best]

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
    @pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
    def test_failed_rates_are_marked_at_the_bottom(self):
        model = clone(LINE).set_params(max_iter=100, tol=None)
        display = draw_search(self.search({"learning_rate": [0.01, 0.1, 50.0]}, model))
        assert display.diverged_.get_xdata().tolist() == [50.0]
        place = [50.0, display.diverged_.get_ydata()[0]]
        point = display.diverged_.get_transform().transform(place)
        assert 0 < display.ax_.transAxes.inverted().transform(point)[1] < 0.1
        assert "failed" in legend(display)
        assert display.ax_.get_xlim()[1] > 50.0

    @pytest.mark.parametrize(
        ("model", "parameter"),
        [
            (make_pipeline(StandardScaler(), NET), "feedforwardregressor__learning_rate"),
            (clone(NET).set_params(learning_rate=Exponential()), "learning_rate__initial_rate"),
            (MLPRegressor(solver="sgd", max_iter=1), "learning_rate_init"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
    def test_the_rate_is_found(self, model, parameter):
        display = draw_search(self.search({parameter: [0.01, 0.001]}, model))
        assert display.lines_[0].get_xdata().tolist() == [0.001, 0.01]

    def test_one_line_a_combination(self):
        model = make_pipeline(StandardScaler(), NET)
        grid = {
            "feedforwardregressor__learning_rate": self.RATES,
            "feedforwardregressor__activation": ["relu", "tanh", (np.sin, np.cos)],
            "standardscaler__with_mean": [True],
        }
        search = self.search(grid, model)
        display = draw_search(search)
        names = [f"activation={f}, with_mean=True" for f in ("relu", "tanh", "(sin, cos)")]
        assert [line.get_label() for line in display.lines_] == names
        scores = search.cv_results_["mean_test_score"].reshape(3, 3)
        for line, of_one in zip(display.lines_, scores, strict=True):
            assert line.get_xdata().tolist() == sorted(self.RATES)
            assert line.get_ydata().tolist() == of_one[np.argsort(self.RATES)].tolist()
        assert len({line.get_color() for line in display.lines_}) == 3
        assert display.best_point_.get_ydata() == [search.best_score_]
        assert [s.startswith("net, act") for s in legend(display.plot(name="net"))[:3]] == [
            True
        ] * 3

    def test_many_combinations_are_grey_but_for_the_best(self):
        grid = {"learning_rate": [0.01, 0.1], "alpha": np.logspace(-3, -1, 9)}
        search = self.search(grid)
        display = draw_search(search)
        best = f"alpha={search.best_params_['alpha']:.4g}"
        colours = {line.get_label(): line.get_color() for line in display.lines_}
        rest = {colour for label, colour in colours.items() if label != best}
        assert len(rest) == 1
        assert colours[best] not in rest
        assert set(legend(display)[:2]) == {best, "8 other combinations"}
        assert len(legend(display)) == 3

    def test_random_searches(self):
        search = RandomizedSearchCV(
            NET, {"learning_rate": loguniform(1e-3, 1e-1)}, n_iter=6, cv=3, random_state=0
        ).fit(X, Y)
        display = draw_search(search)
        x = display.lines_[0].get_xdata()
        assert x.tolist() == sorted(search.cv_results_["param_learning_rate"].data)

    @pytest.mark.parametrize("resource", ["n_samples", "max_iter"])
    def test_of_halving_searches_the_last_iteration_counts(self, resource):
        limits = {} if resource == "n_samples" else {"max_resources": 9, "min_resources": 1}
        rates = [1e-4, 1e-3, 1e-2, 1e-1]
        search = HalvingGridSearchCV(
            NET,
            {"learning_rate": rates},
            cv=3,
            factor=2,
            resource=resource,
            random_state=0,
            **limits,
        ).fit(X, Y)
        results = search.cv_results_
        assert len(results["iter"]) > 4
        display = draw_search(search)
        expected, ended = {}, {}
        for params, score, i in zip(
            results["params"], results["mean_test_score"], results["iter"], strict=True
        ):
            expected[params["learning_rate"]] = score
            ended[params["learning_rate"]] = i
        (line,) = display.lines_
        assert line.get_xdata().tolist() == rates
        assert line.get_ydata().tolist() == [expected[rate] for rate in rates]
        early = [rate for rate in rates if ended[rate] < max(results["iter"])]
        assert early
        assert display.dropped_.get_xdata().tolist() == early
        assert display.best_point_.get_xdata() == [search.best_params_["learning_rate"]]
        assert "dropped earlier" in legend(display)

    def test_schedules_lie_at_their_first_rate_and_auto_nowhere(self):
        values = [0.01, 0.1, "auto", Exponential(0.05, decay=0.9)]
        search = self.search(
            {"learning_rate": values}, clone(LINE).set_params(max_iter=3, tol=None)
        )
        plain, auto, schedule = draw_search(search).lines_
        scores = search.cv_results_["mean_test_score"]
        assert plain.get_xdata().tolist() == [0.01, 0.1]
        assert schedule.get_xdata().tolist() == [0.05]
        assert schedule.get_label() == "Exponential(decay=0.9)"
        assert auto.get_label() == "learning_rate=auto"
        assert auto.get_ydata() == [scores[2]] * 2

    def test_grids_that_search_no_rate_have_no_place(self):
        search = self.search([{"learning_rate": [0.01, 0.1]}, {"alpha": [0.0]}])
        labels = [line.get_label() for line in draw_search(search).lines_]
        assert labels == ["FeedForwardRegressor", "alpha=0, learning_rate not searched"]

    def test_metrics(self):
        grid = {"learning_rate": [0.01, 0.1]}
        display = draw_search(self.search(grid, scoring="neg_mean_squared_error"))
        assert display.ax_.get_ylabel() == "neg_mean_squared_error, mean over 3 folds"
        search = self.search(grid, scoring=["r2", "neg_max_error"], refit="neg_max_error")
        display = draw_search(search)
        assert display.ax_.get_ylabel() == "neg_max_error, mean over 3 folds"
        expected = search.cv_results_["mean_test_neg_max_error"].tolist()
        assert display.lines_[0].get_ydata().tolist() == expected
        search = self.search(grid, scoring=["r2", "neg_max_error"], refit=False)
        with pytest.raises(
            ValueError, match="must name the one to draw in its own parameter 'refit'"
        ):
            draw_search(search)

    def test_scores_far_below_do_not_hide_the_others(self):
        rates = [0.001, 0.003, 0.01, 0.03, 0.1]
        usual = {"value_name": "Score", "is_score": True, "rates": rates}
        display = LearningRateDisplay(values=[0.1, 0.2, 0.4, 0.5, -1e6], **usual).plot()
        assert display.ax_.get_yscale() == "symlog"
        heights = display.ax_.transData.transform(np.column_stack([rates, display.values]))[:, 1]
        shares = np.diff(heights[:4]) / display.ax_.bbox.height
        assert (shares > 0.01).all()
        display.spread = [0.1, 0.1, 0.1, 0.1, 1e7]
        assert 0.6 < display.plot().ax_.get_ylim()[1] < 1
        display = LearningRateDisplay(values=[0.1, 0.2, 0.4, 0.5, -5], **usual).plot()
        assert display.ax_.get_yscale() == "linear"

    def test_param_name(self):
        grid = {"learning_rate": [0.01, 0.1], "solver__beta_1": [0.5, 0.9]}
        search = self.search(grid, clone(NET).set_params(solver=Adam()))
        display = draw_search(search, param_name="solver__beta_1")
        assert [line.get_label() for line in display.lines_] == [
            "learning_rate=0.01",
            "learning_rate=0.1",
        ]
        assert display.lines_[0].get_xdata().tolist() == [0.5, 0.9]
        with pytest.raises(
            ValueError, match=r"was searched: 'learning_rate', 'solver__beta_1'\. Got"
        ):
            draw_search(search, param_name="rate")

    def test_bad_input_is_named(self):
        with pytest.raises(TypeError, match="'search' parameter must be a GridSearchCV"):
            draw_search(NET)
        with pytest.raises(NotFittedError, match="call fit before"):
            draw_search(GridSearchCV(NET, {"learning_rate": [0.1]}))
        with pytest.raises(
            ValueError, match=r"no learning rate among .* searched: 'alpha', 'init'"
        ):
            draw_search(self.search({"alpha": [0.1], "init": ["he"]}))
        search = self.search({"learning_rate": ["auto"]}, LINE)
        with pytest.raises(ValueError, match="must have tried positive numbers"):
            draw_search(search)


@pytest.mark.parametrize("standardize", ["robust", "standard"])
def test_rates_of_a_network_in_a_scale(standardize):
    rows, targets = load_diabetes(return_X_y=True, scaled=False)
    net = FeedForwardRegressor(hidden_layer_sizes=(4,), standardize=standardize, random_state=0)
    display = LearningRateDisplay.from_estimator(
        net, rows, targets, rates=[1e-3, 1e-2], max_iter=5
    )
    assert_allclose(display.start, np.var(targets))
    net.set_params(max_iter=5, tol=None, learning_rate=1e-2)
    assert_allclose(display.values[1], net.fit(rows, targets).loss_)
    assert display.values[1] < display.values[0] < display.start


IRIS = load_iris(return_X_y=True)
CLASSIFIER = FeedForwardClassifier(hidden_layer_sizes=(5,), random_state=0, max_iter=10, tol=None)


@pytest.mark.parametrize("kind", ["classes", "two classes", "indicators"])
def test_a_classifier_is_drawn_by_its_log_loss(kind):
    rows, labels = IRIS
    if kind == "two classes":
        rows, labels = rows[labels > 0], labels[labels > 0]
    elif kind == "indicators":
        labels = np.column_stack([labels == 0, labels == 1]).astype(int)
    display = draw(CLASSIFIER, rows, labels, rates=[0.001, 0.01], max_iter=4)
    assert display.ax_.get_ylabel() == "Log loss after 4 epochs"
    (line,) = display.lines_
    model = clone(CLASSIFIER).set_params(max_iter=4, learning_rate=0.01).fit(rows, labels)
    assert line.get_ydata()[1] == model.loss_
    # Before training, the network predicts the class shares.
    shares = labels.mean(axis=0) if kind == "indicators" else np.bincount(labels) / len(labels)
    start = entr(shares).sum() + (entr(1 - shares).sum() if kind == "indicators" else 0)
    assert_allclose(display.start_line_.get_ydata(), [start, start])
    assert start > line.get_ydata()[0] > line.get_ydata()[1]


def test_the_score_of_a_classifier():
    grid = {"learning_rate": [0.001, 0.01]}
    search = GridSearchCV(CLASSIFIER, grid, cv=3, scoring="neg_log_loss").fit(*IRIS)
    display = draw_search(search)
    assert display.ax_.get_ylabel() == "neg_log_loss, mean over 3 folds"
    assert_allclose(display.lines_[0].get_ydata(), search.cv_results_["mean_test_score"])
    assert display.best_point_.get_xdata() == search.best_params_["learning_rate"]
    assert "FeedForwardClassifier" in legend(display)
