"""
========================================
Cross-validation with a pandas DataFrame
========================================

Cross-validation works as with any estimator of scikit-learn: columns are selected by name, the
model learns its scaling from the training samples of each fold only, and
:func:`sklearn.model_selection.cross_validate` computes the scores. In addition, the loss curves of
all folds show whether their fits ended in the same way.
"""

# %%
# The diabetes data as a pandas data frame, in original units. ``sex`` is a category, coded 1 and
# 2.
import pandas as pd
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_validate
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_gd import FeedForwardRegressor
from sklearn_gd.inspection import LossCurveDisplay

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
print(X.describe().loc[["mean", "std"]].round(1).to_string())

# %%
# Preprocessing by column
# -----------------------
# The category becomes a column of 0 and 1. ``FeedForwardRegressor`` takes the numeric columns and
# the target as they come. For ``MLPRegressor`` both are standardized within each fold; the scores
# are in the original units of the target.


def on_frame(regressor, numbers="passthrough"):
    """Return the regressor with preprocessing of the columns."""
    columns = make_column_transformer(
        (OneHotEncoder(drop="if_binary", sparse_output=False, dtype=int), ["sex"]),
        remainder=numbers,
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    return make_pipeline(columns, regressor)


def standardized(regressor):
    """Return the regressor on standardized numeric columns and targets."""
    return TransformedTargetRegressor(
        on_frame(regressor, StandardScaler()), transformer=StandardScaler()
    )


settings = {
    "hidden_layer_sizes": (20,),
    "alpha": 0.0,
    "early_stopping": True,
    "validation_fraction": 0.2,
    "n_iter_no_change": 20,
    "max_iter": 500,
    "random_state": 0,
}
models = {
    "FeedForwardRegressor": on_frame(FeedForwardRegressor(learning_rate=0.003, **settings)),
    "MLPRegressor": standardized(MLPRegressor(learning_rate_init=0.003, **settings)),
    "LinearRegression": on_frame(LinearRegression()),
    "HistGradientBoosting": HistGradientBoostingRegressor(random_state=0),
}
folds = KFold(5, shuffle=True, random_state=0)
runs = {
    name: cross_validate(
        model,
        X,
        y,
        cv=folds,
        scoring=["r2", "neg_mean_absolute_error"],
        return_estimator=True,
    )
    for name, model in models.items()
}

# %%
# Mean and standard deviation over five folds. With 442 samples, a linear model is hard to beat,
# and the differences are well within the standard deviation.
table = pd.DataFrame(
    {
        name: {
            "R2": run["test_r2"].mean(),
            "spread": run["test_r2"].std(),
            "absolute error": -run["test_neg_mean_absolute_error"].mean(),
        }
        for name, run in runs.items()
    }
).T
print(table.round(3).to_string())

# %%
# The fit of each fold
# --------------------
# ``return_estimator=True`` keeps the model of each fold with its loss curves. Thin lines show the
# folds, thick lines their means. A fit ends when its validation loss has not improved for 20
# epochs.
networks = [model[-1] for model in runs["FeedForwardRegressor"]["estimator"]]
for number, net in enumerate(networks, start=1):
    print(
        f"fold {number}: {net.n_iter_:3d} epochs; weights of epoch {net.best_iter_ + 1:3d}, "
        f"validation loss {net.best_loss_:.0f}"
    )
display = LossCurveDisplay.from_cv_results({"estimator": networks})
display.ax_.set_title("Five folds of the diabetes data")

# %%
# The network knows the names of its columns, and rejects a data frame whose columns have other
# names or another order.
print(*networks[0].feature_names_in_, sep="\n")
