"""The estimators inside what users combine them with: scikit-learn's wrappers, other packages."""

import functools
import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.feature_selection import RFE, RFECV, SequentialFeatureSelector
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence
from sklearn.linear_model import LinearRegression, RANSACRegressor
from sklearn.metrics import balanced_accuracy_score, brier_score_loss
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_score,
    train_test_split,
)
from sklearn.multiclass import OneVsOneClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.semi_supervised import SelfTrainingClassifier

from sklearn_gd import FeedForwardRegressor, PerceptronClassifier, ThroughOriginRegressor
from sklearn_gd.exceptions import DivergenceError

LINE = ThroughOriginRegressor()
LEAST_SQUARES = LinearRegression(fit_intercept=False)  # where the line's descent ends, too
STEP = PerceptronClassifier(random_state=0)
SIGMOID = PerceptronClassifier(activation="sigmoid", random_state=0)
NET = FeedForwardRegressor(
    hidden_layer_sizes=8, learning_rate=0.01, max_iter=30, tol=None, random_state=0
)
NEURONS = pytest.mark.parametrize("neuron", [STEP, SIGMOID], ids=["step", "sigmoid"])


@functools.cache
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return scale(X), y


@functools.cache
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return scale(X), scale(y)


@functools.cache
def rare_cancer():
    """Return five features of all benign tumours and of thirty malignant ones."""
    X, y = cancer()
    rows = np.concatenate([np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:30]])
    return X[rows, :5], y[rows]


@pytest.fixture
def pyplot():
    """Draw without a window, and leave no figure open."""
    matplotlib = pytest.importorskip("matplotlib", reason="needs matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


# --- scikit-learn's wrappers of classifiers ---------------------------------------------------


@NEURONS
def test_calibration_gives_probabilities(neuron):
    X, X_test, y, y_test = train_test_split(*cancer(), random_state=0)
    calibrated = CalibratedClassifierCV(neuron, cv=3).fit(X, y)
    assert calibrated.score(X_test, y_test) > 0.94
    probability = calibrated.predict_proba(X_test)[:, 1]
    assert brier_score_loss(y_test, probability) < 0.05  # that of always saying 1/2 is 0.25


def test_a_frozen_neuron_is_calibrated_and_stays_as_it_is():
    X, y = cancer()
    neuron = clone(SIGMOID).fit(X[:300], y[:300])
    before = neuron.coef_.copy()
    calibrated = CalibratedClassifierCV(FrozenEstimator(neuron)).fit(X[300:], y[300:])
    assert calibrated.score(X[300:], y[300:]) > 0.95
    assert_array_equal(neuron.coef_, before)


@pytest.mark.parametrize("model", [LINE, NET], ids=["line", "net"])
def test_a_frozen_regressor_is_not_fitted_again(model):
    X, y = diabetes()
    fitted = clone(model).fit(X, y)
    frozen = clone(FrozenEstimator(fitted)).fit(X, -y)
    assert_array_equal(frozen.predict(X), clone(model).fit(X, y).predict(X))


@NEURONS
def test_a_threshold_is_tuned(neuron):
    X, y = rare_cancer()
    tuned = TunedThresholdClassifierCV(neuron, scoring="balanced_accuracy", cv=3).fit(X, y)
    bare = clone(neuron).fit(X, y)
    tuned_score = balanced_accuracy_score(y, tuned.predict(X))
    assert tuned_score > balanced_accuracy_score(y, bare.predict(X))
    assert tuned_score > 0.85
    assert_array_equal(tuned.estimator_.coef_, bare.coef_)


def test_a_fixed_threshold_is_that_of_the_probability():
    X, y = cancer()
    fixed = FixedThresholdClassifier(SIGMOID, threshold=0.9, response_method="predict_proba")
    sure = clone(SIGMOID).fit(X, y).predict_proba(X)[:, 1] >= 0.9
    assert_array_equal(fixed.fit(X, y).predict(X), sure)


@NEURONS
def test_several_labels_are_as_many_neurons(neuron):
    X, y = cancer()
    both = np.column_stack([y, X[:, 0] > 0])
    several = MultiOutputClassifier(neuron).fit(X, both)
    for column in range(2):
        alone = clone(neuron).fit(X, both[:, column]).predict(X)
        assert_array_equal(several.predict(X)[:, column], alone)
    chain = ClassifierChain(neuron, order=[0, 1]).fit(X, both)
    assert_array_equal(chain.predict(X)[:, 0], several.predict(X)[:, 0])
    assert chain.estimators_[1].n_features_in_ == X.shape[1] + 1


@NEURONS
def test_one_against_one(neuron):
    X, y = load_iris(return_X_y=True)
    assert OneVsOneClassifier(make_pipeline(StandardScaler(), neuron)).fit(X, y).score(X, y) > 0.9


def test_self_training_uses_rows_without_labels():
    X, y = load_iris(return_X_y=True)
    hidden = np.where(np.arange(150) % 10 == 0, y, -1)
    trained = SelfTrainingClassifier(clone(SIGMOID), threshold=0.7).fit(scale(X), hidden)
    assert (trained.transduction_ >= 0).sum() > 30  # 15 of them had labels
    assert trained.score(scale(X), y) > 0.75


# --- scikit-learn's selections, regressions and pictures --------------------------------------


def test_recursive_elimination_ranks_as_least_squares_does():
    X, y = diabetes()
    ours, theirs = (RFE(m, n_features_to_select=4).fit(X, y) for m in (LINE, LEAST_SQUARES))
    assert_array_equal(ours.ranking_, theirs.ranking_)
    ours, theirs = (RFECV(m, cv=3).fit(X, y) for m in (LINE, LEAST_SQUARES))
    assert_array_equal(ours.support_, theirs.support_)


def test_recursive_elimination_of_the_neurons_features():
    X, y = cancer()
    assert RFE(STEP, n_features_to_select=5).fit(X, y).score(X, y) > 0.92


def strength(net):
    """Return how strongly each feature goes into the first layer."""
    return np.abs(net.coefs_[0]).sum(axis=1)


def test_recursive_elimination_asks_a_network_for_its_first_layer():
    X, y = diabetes()
    noise = np.random.default_rng(0).normal(size=(len(y), 6))
    chosen = RFE(NET, n_features_to_select=5, importance_getter=strength)
    chosen.fit(np.column_stack([noise, X[:, [2, 8]]]), y)
    assert chosen.support_[-2:].all()  # bmi and s5, which tell most of the ten


def test_sequential_selection_chooses_as_least_squares_does():
    X, y = diabetes()
    ours, theirs = (
        SequentialFeatureSelector(m, n_features_to_select=3, cv=3).fit(X, y)
        for m in (LINE, LEAST_SQUARES)
    )
    assert_array_equal(ours.support_, theirs.support_)
    chosen = SequentialFeatureSelector(NET, n_features_to_select=1, cv=2).fit(X[:, [0, 1, 2]], y)
    assert_array_equal(chosen.support_, [False, False, True])  # bmi


def test_a_chain_of_regressors():
    X, y = diabetes()
    both = np.column_stack([y, 2 * y + X[:, 0]])
    chain = RegressorChain(LINE).fit(X, both)
    assert_allclose(chain.predict(X)[:, 0], clone(LINE).fit(X, y).predict(X))
    assert_allclose(chain.estimators_[1].coef_[-1], 2, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_ransac_finds_the_line_among_outliers():
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 5, size=(200, 1))
    y = 3 * X[:, 0] + 0.05 * rng.normal(size=200)
    y[:40] = rng.uniform(-50, 50, 40)
    ours, theirs = (
        RANSACRegressor(m, min_samples=5, residual_threshold=0.5, random_state=0).fit(X, y)
        for m in (LINE, LEAST_SQUARES)
    )
    assert_array_equal(ours.inlier_mask_, theirs.inlier_mask_)
    assert_allclose(ours.estimator_.coef_, 3, atol=0.01)
    assert abs(clone(LINE).fit(X, y).coef_[0] - 3) > 0.05


def test_partial_dependence_on_a_line_is_its_slope(pyplot):
    from sklearn.inspection import PartialDependenceDisplay

    X, y = diabetes()
    line = clone(LINE).fit(X, y)
    found = partial_dependence(line, X, [2], kind="average")
    slope = np.diff(found["average"][0]) / np.diff(found["grid_values"][0])
    assert_allclose(slope, line.coef_[2])
    net = clone(NET).fit(X, y)
    drawn = PartialDependenceDisplay.from_estimator(net, X, [2, (2, 8)], grid_resolution=5)
    curve = drawn.lines_[0, 0].get_ydata()
    assert curve[-1] > curve[0] + 0.5  # the heavier, the worse
    assert drawn.contours_[0, 1] is not None


@pytest.mark.parametrize(
    ("neuron", "method"),
    [(STEP, "predict"), (STEP, "decision_function"), (SIGMOID, "predict_proba")],
    ids=["predict", "decision_function", "predict_proba"],
)
def test_the_boundary_is_drawn_where_the_neuron_has_it(neuron, method, pyplot):
    from sklearn.inspection import DecisionBoundaryDisplay

    X, y = cancer()
    X = X[:, :2]
    fitted = clone(neuron).fit(X, y)
    drawn = DecisionBoundaryDisplay.from_estimator(
        fitted, X, response_method=method, grid_resolution=20
    )
    z = drawn.xx0 * fitted.coef_[0, 0] + drawn.xx1 * fitted.coef_[0, 1] - fitted.threshold_[0]
    if method == "predict_proba":
        assert_allclose(drawn.response, 1 / (1 + np.exp(-z)))
    else:
        assert_array_equal(drawn.response > 0, z > 0)


def test_the_boundaries_of_three_classes_are_drawn(pyplot):
    from sklearn.inspection import DecisionBoundaryDisplay

    X, y = load_iris(return_X_y=True)
    fitted = clone(SIGMOID).fit(scale(X[:, 2:]), y)
    drawn = DecisionBoundaryDisplay.from_estimator(
        fitted, scale(X[:, 2:]), response_method="predict", grid_resolution=20
    )
    assert set(np.unique(drawn.response)) == {0, 1, 2}


# --- imbalanced-learn -------------------------------------------------------------------------


@NEURONS
def test_resampling_in_a_pipeline_helps_the_rare_class(neuron):
    over = pytest.importorskip("imblearn.over_sampling", reason="needs imbalanced-learn")
    pipelines = pytest.importorskip("imblearn.pipeline", reason="needs imbalanced-learn")
    X, y = rare_cancer()
    pipe = pipelines.make_pipeline(over.SMOTE(random_state=0), neuron)
    plain, resampled = (
        cross_val_score(model, X, y, cv=3, scoring="balanced_accuracy").mean()
        for model in (neuron, pipe)
    )
    assert resampled > plain + 0.03
    fitted = clone(pipe).fit(X, y)
    rows = over.SMOTE(random_state=0).fit_resample(X, y)
    assert_array_equal(fitted[-1].coef_, clone(neuron).fit(*rows).coef_)


def test_a_search_through_a_resampling_pipeline():
    under = pytest.importorskip("imblearn.under_sampling", reason="needs imbalanced-learn")
    pipelines = pytest.importorskip("imblearn.pipeline", reason="needs imbalanced-learn")
    X, y = rare_cancer()
    pipe = pipelines.make_pipeline(under.RandomUnderSampler(random_state=0), clone(SIGMOID))
    grid = {
        "randomundersampler__sampling_strategy": [0.1, 1.0],  # malignant rows a benign one
        "perceptronclassifier__learning_rate": ["auto", 0.1],
    }
    search = GridSearchCV(pipe, grid, cv=3, scoring="balanced_accuracy").fit(X, y)
    assert search.best_params_["randomundersampler__sampling_strategy"] == 1.0
    assert search.best_score_ > 0.85


@NEURONS
def test_bagging_with_as_many_of_each_class(neuron):
    ensemble = pytest.importorskip("imblearn.ensemble", reason="needs imbalanced-learn")
    X, y = rare_cancer()
    bag = ensemble.BalancedBaggingClassifier(neuron, n_estimators=5, random_state=0).fit(X, y)
    bare = balanced_accuracy_score(y, clone(neuron).fit(X, y).predict(X))
    assert balanced_accuracy_score(y, bag.predict(X)) > bare


# --- Optuna -----------------------------------------------------------------------------------


@pytest.fixture
def optuna():
    package = pytest.importorskip("optuna", reason="needs optuna")
    before = package.logging.get_verbosity()
    package.logging.set_verbosity(package.logging.ERROR)
    yield package
    package.logging.set_verbosity(before)


def suggest(trial):
    """Return a network of one or two layers, and a rate, as the trial has them."""
    n_layers = trial.suggest_int("layers", 1, 2)
    return clone(NET).set_params(
        hidden_layer_sizes=[trial.suggest_int(f"n{i}", 2, 16, log=True) for i in range(n_layers)],
        activation=[trial.suggest_categorical(f"f{i}", ["tanh", "relu"]) for i in range(n_layers)],
        learning_rate=trial.suggest_float("rate", 1e-4, 1.0, log=True),
        solver="gd",
    )


# A rate that is too high for a fit that does not diverge: its score, a low one, stands for it.
@pytest.mark.filterwarnings("ignore:FeedForwardRegressor learned nothing")
def test_optuna_finds_rate_and_architecture_and_survives_divergence(optuna):
    X, y = diabetes()

    def objective(trial):
        return cross_val_score(suggest(trial), X, y, cv=2, error_score="raise").mean()

    def searched():
        sampler = optuna.samplers.TPESampler(seed=0)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(objective, n_trials=12, catch=DivergenceError)
        return study

    study = searched()
    failed = [t for t in study.trials if t.state == optuna.trial.TrialState.FAIL]
    ended = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
    assert failed
    assert len(failed) + len(ended) == 12
    assert min(t.params["rate"] for t in failed) > study.best_params["rate"]
    assert study.best_value > 0.35
    assert searched().best_params == study.best_params


def test_optuna_prunes_between_epochs(optuna):
    X, X_test, y, y_test = train_test_split(*diabetes(), random_state=0)

    def objective(trial):
        net = clone(NET).set_params(learning_rate=trial.suggest_float("rate", 1e-5, 0.1))
        for epoch in range(20):
            trial.report(net.partial_fit(X, y).score(X_test, y_test), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return net.score(X_test, y_test)

    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=2)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    for rate in (0.05, 1e-5):
        study.enqueue_trial({"rate": rate})
    study.optimize(objective, n_trials=2)
    assert [t.state.name for t in study.trials] == ["COMPLETE", "PRUNED"]
    assert len(study.trials[1].intermediate_values) < 20
    assert study.best_value > 0.25


# --- MLflow -----------------------------------------------------------------------------------

TYPES = [
    "sklearn_gd._feed_forward.FeedForwardRegressor",
    "sklearn_gd.activations.Identity",
    "sklearn_gd.activations.SiLU",
]


# Its own ways of opening files and of asking NumPy and pydantic are no business of ours.
FROM_MLFLOW = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    """MLflow, with all that it writes in a folder of the test's."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("GIT_PYTHON_REFRESH", "quiet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports
        package = pytest.importorskip("mlflow", reason="needs mlflow-skinny")
        for module in ("mlflow.sklearn", "mlflow.pyfunc"):
            pytest.importorskip(module, reason="needs mlflow-skinny")
    before = package.get_tracking_uri()
    package.set_tracking_uri((tmp_path / "runs").as_uri())
    package.set_experiment("interop")
    yield package
    package.set_tracking_uri(before)


def stores_by_skops(mlflow):
    return "skops_trusted_types" in inspect.signature(mlflow.sklearn.log_model).parameters


@FROM_MLFLOW
def test_mlflow_logs_loads_and_predicts(mlflow):
    X, y = diabetes()
    model = make_pipeline(StandardScaler(), clone(NET)).fit(X, y)
    # Given, or MLflow starts a process to find out.
    given = {"pip_requirements": ["sklearn-gd"]}
    if stores_by_skops(mlflow):
        given |= {"name": "net", "skops_trusted_types": TYPES}
    else:
        given |= {"artifact_path": "net"}
    with mlflow.start_run():
        mlflow.log_params(model[-1].get_params(deep=False))
        for epoch, loss in enumerate(model[-1].loss_curve_):
            mlflow.log_metric("loss", loss, step=epoch)
        logged = mlflow.sklearn.log_model(model, **given)
    again = mlflow.sklearn.load_model(logged.model_uri)
    assert_array_equal(again.predict(X), model.predict(X))
    assert again[-1].loss_curve_ == model[-1].loss_curve_
    served = mlflow.pyfunc.load_model(logged.model_uri)
    assert_array_equal(served.predict(X), model.predict(X))
    run = mlflow.last_active_run()
    assert run.data.params["hidden_layer_sizes"] == "8"
    assert run.data.metrics["loss"] == model[-1].loss_curve_[-1]


# --- SHAP -------------------------------------------------------------------------------------


@pytest.fixture
def shap():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports
        return pytest.importorskip("shap", reason="needs shap")


@pytest.mark.parametrize("name", ["net", "decision_function", "predict_proba"])
def test_the_shares_of_the_features_add_up_to_the_prediction(name, shap):
    if name == "net":
        X, y = diabetes()
        predict = clone(NET).fit(X, y).predict
    else:
        X, y = cancer()
        X = X[:, :5]
        predict = getattr(clone(SIGMOID).fit(X, y), name)
    explainer = shap.KernelExplainer(predict, X[:20], seed=0)
    shares = explainer.shap_values(X[50:53], silent=True)
    assert shares.shape[:2] == (3, X.shape[1])
    assert_allclose(shares.sum(axis=1) + explainer.expected_value, predict(X[50:53]))
    assert_allclose(explainer.expected_value, predict(X[:20]).mean(axis=0))


def test_the_shares_in_a_line_are_its_terms(shap):
    X, y = diabetes()
    line = clone(LINE).fit(X, y)
    background = X[:50]
    expected = (X[50:60] - background.mean(axis=0)) * line.coef_
    explainer = shap.Explainer(line, background)
    assert type(explainer).__name__.startswith("Linear")  # coef_ and intercept_ are enough for it
    assert_allclose(explainer(X[50:60]).values, expected, atol=1e-12)
    by_calls = shap.KernelExplainer(line.predict, background, seed=0)
    assert_allclose(by_calls.shap_values(X[50:52], silent=True), expected[:2], atol=1e-9)


# --- the page ---------------------------------------------------------------------------------

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "works_with.md").read_text(encoding="utf-8")


def rows_of_tables():
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [line for line in lines if not line.endswith("| Kept by |")]


@pytest.mark.parametrize("row", rows_of_tables(), ids=lambda row: row.split(" | ")[0][2:])
def test_every_row_of_the_page_names_tests_that_there_are(row):
    *_, kept_by = row.strip("| ").split(" | ")
    tests = re.findall(r"\[(test_\w+)\]\(\.\./(tests/[\w/]*test_\w+\.py)\)", kept_by)
    assert len(tests) == kept_by.count("](") > 0
    assert "✓" in row
    for test, file in tests:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), test


def shown_under(heading):
    """Return the page's code below a heading, and what it says that it prints."""
    code = re.search(rf"^### {heading}\n.*?^```py\n(.*?)^```$", PAGE, flags=re.M | re.S)[1]
    return code, re.findall(r"^print\(.*\)  # (.*)$", code, flags=re.MULTILINE)


def run_what_is_shown(heading, capsys):
    code, shown = shown_under(heading)
    capsys.readouterr()
    exec(compile(code, heading, "exec"), {"__name__": "block"})
    assert capsys.readouterr().out.splitlines() == shown
    assert shown


def test_the_page_on_imbalanced_learn(capsys):
    pytest.importorskip("imblearn", reason="needs imbalanced-learn")
    run_what_is_shown("imbalanced-learn", capsys)


@pytest.mark.usefixtures("optuna")
def test_the_page_on_optuna(capsys):
    run_what_is_shown("Optuna", capsys)


@FROM_MLFLOW
def test_the_page_on_mlflow(mlflow, capsys):
    if not stores_by_skops(mlflow):
        pytest.skip("the page is for versions of MLflow that store models by skops")
    run_what_is_shown("MLflow", capsys)


@pytest.mark.usefixtures("shap")
def test_the_page_on_shap(capsys):
    run_what_is_shown("SHAP", capsys)
