"""A line, neurons and networks on real data, compared with estimators of scikit-learn.

Run it with ``python examples/quickstart.py``; it takes a few seconds and draws nothing.
"""

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LinearRegression, Perceptron
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RepeatedKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import (
    FeedForwardClassifier,
    FeedForwardRegressor,
    PerceptronClassifier,
    ThroughOriginRegressor,
)
from sklearn_gd.exceptions import DivergenceError

HUBBLE = Path(__file__).parent / "data" / "hubble_1929.csv"


def main():
    line_through_the_origin()
    neurons()
    network()
    search_for_a_learning_rate()


def line_through_the_origin():
    """Fit Hubble's law of 1929, velocity = H0 * distance, by plain gradient descent."""
    title("1. A line through the origin: 24 nebulae, velocity = H0 * distance")
    distance, velocity = np.loadtxt(HUBBLE, delimiter=",", skiprows=1, usecols=(1, 2)).T
    X = distance.reshape(-1, 1)

    plain = ThroughOriginRegressor(solver="gd", learning_rate=0.05).fit(X, velocity)
    print("Plain gradient descent from H0 = 0, at the rate 0.05:")
    print("  steps taken   mean squared error, (km/s)^2")
    for step in (0, 1, 2, 5, 10, 20, 50, len(plain.loss_curve_) - 1):
        print(f"  {step:11d}   {plain.loss_curve_[step]:28,.1f}")

    line = ThroughOriginRegressor().fit(X, velocity)
    lstsq = np.linalg.lstsq(X, velocity, rcond=None)[0]
    linear = LinearRegression(fit_intercept=False).fit(X, velocity)
    print("\nH0 in km/s/Mpc:")
    for name, slope in (
        ("ThroughOriginRegressor, rate 0.05", plain.coef_),
        ("ThroughOriginRegressor, defaults", line.coef_),
        ("numpy.linalg.lstsq", lstsq),
        ("LinearRegression(fit_intercept=False)", linear.coef_),
    ):
        print(f"  {name:38s} {slope[0]:8.3f}")

    print(
        f"\nThe largest stable rate is {line.max_learning_rate_:.3f}. At 1.0 the fit stops with:"
    )
    try:
        ThroughOriginRegressor(solver="gd", learning_rate=1.0).fit(X, velocity)
    except DivergenceError as error:
        print_wrapped(str(error))


def neurons():
    """Compare neurons and a network with scikit-learn's Perceptron.

    Rosenblatt's rule needs standardized columns. The others standardize them by themselves.
    """
    title("2. One neuron per class, and a network: accuracy over 5 folds")
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    averaged = PerceptronClassifier(average=True, random_state=0)
    models = {
        "sklearn.linear_model.Perceptron": scaled(Perceptron(random_state=0)),
        "PerceptronClassifier, step": scaled(PerceptronClassifier(random_state=0)),
        "PerceptronClassifier, step, averaged": scaled(averaged),
        "PerceptronClassifier, sigmoid": PerceptronClassifier(
            activation="sigmoid", random_state=0
        ),
        "FeedForwardClassifier": FeedForwardClassifier(random_state=0),
    }
    for name, load in (("breast cancer", load_breast_cancer), ("digits", load_digits)):
        X, y = load(return_X_y=True)
        print(f"{name}, {X.shape[0]} rows, {len(np.unique(y))} classes:")
        for label, model in models.items():
            print_scores(label, cross_val_score(model, X, y, cv=folds))
    print("+- is the spread between folds; differences well below it mean little.")


def network():
    """Compare a network with MLPRegressor, with the same settings and folds."""
    title("3. A network on the diabetes data: R2 over 3 x 5 folds")
    X, y = diabetes()
    folds = RepeatedKFold(n_splits=5, n_repeats=3, random_state=0)
    # MLPRegressor minimises half the mean squared error, FeedForwardRegressor the mean squared
    # error itself. Adam's steps do not depend on a constant factor, so the same rate gives the
    # same steps; plain gradient descent would need twice the rate in MLPRegressor.
    rate = 0.003
    same = {
        "hidden_layer_sizes": (20, 20),
        "alpha": 0.0,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "n_iter_no_change": 20,
        "max_iter": 500,
        "random_state": 0,
    }
    models = {
        "LinearRegression": LinearRegression(),
        "MLPRegressor, standardized": on_scaled(MLPRegressor(learning_rate_init=rate, **same)),
        "FeedForwardRegressor": FeedForwardRegressor(learning_rate=rate, **same),
    }
    for label, model in models.items():
        print_scores(label, cross_val_score(model, X, y, cv=folds))
    print("On these 442 rows neither network does better than a linear model.")

    net = clone(models["FeedForwardRegressor"]).fit(X, y)
    print(
        f"\nOne fit on all rows: {net.n_iter_} epochs; it keeps the weights of epoch "
        f"{net.best_iter_ + 1}, whose validation loss, {net.best_loss_:,.0f}, was the smallest."
    )


def search_for_a_learning_rate():
    """Search over learning rates; one that diverges gets no score and does not stop the search."""
    title("4. A grid search over learning rates, one of them far too large")
    X, y = diabetes(quiet=True)
    net = FeedForwardRegressor(
        hidden_layer_sizes=(20,), solver="gd", max_iter=50, tol=None, random_state=0
    )
    rates = [0.001, 0.01, 0.1, 10.0]
    search = GridSearchCV(net, {"learning_rate": rates}, cv=KFold(5, shuffle=True, random_state=0))
    with warnings.catch_warnings():
        # Both warnings are expected: the fits at rate 10 fail, and so have no score.
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
        search.fit(X, y)
    print("Plain gradient descent, 50 epochs, 5 folds:")
    print("      rate   mean R2   rank")
    results = search.cv_results_
    for rate, score, rank in zip(
        rates,
        results["mean_test_score"],
        results["rank_test_score"],
        strict=True,
    ):
        print(f"  {rate:8g}   {score:7.3f}   {rank:4d}")
    chosen = search.best_params_["learning_rate"]
    print(f"Chosen: {chosen:g}. The rate that diverged has no score, only nan.")


def scaled(model):
    """Standardize features with the statistics of the training samples only."""
    return make_pipeline(StandardScaler(), model)


def on_scaled(regressor):
    """Standardize features and target with the statistics of the training samples only."""
    return TransformedTargetRegressor(scaled(regressor), transformer=StandardScaler())


def diabetes(quiet=False):
    """Return the diabetes data in original units, as a data frame if pandas is installed."""
    with_pandas = find_spec("pandas") is not None
    if not quiet:
        state = "installed: X is a DataFrame" if with_pandas else "not installed: X is an array"
        print(f"(pandas is {state}.)")
    return load_diabetes(return_X_y=True, as_frame=with_pandas, scaled=False)


def title(text):
    print(f"\n{text}\n{'-' * len(text)}")


def print_scores(label, scores):
    print(f"  {label:38s} {np.mean(scores):.3f} +- {np.std(scores):.3f}")


def print_wrapped(text):
    print("  " + text.replace(". ", ".\n  "))


if __name__ == "__main__":
    main()
