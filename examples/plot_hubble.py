"""
=======================================
Hubble's law: a line through the origin
=======================================

In 1929 Edwin Hubble compared the distances and velocities of 24 nebulae, and found that the
farther ones recede faster: velocity = H0 · distance. This is a line through the origin with one
weight, H0. Here gradient descent fits it step by step. The example then evaluates the fit, and
shows why there are two definitions of R² without an intercept.
"""

# %%
# The data: distances in megaparsec, as estimated in 1929, and velocities in km/s. Positive
# velocities are directed away from us.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from sklearn_gd import ThroughOriginRegressor
from sklearn_gd.inspection import DescentDisplay, FitDisplay

distance = np.array(
    [
        [0.032, 0.034, 0.214, 0.263, 0.275, 0.275, 0.45, 0.5, 0.5, 0.63, 0.8, 0.9],
        [0.9, 0.9, 0.9, 1.0, 1.1, 1.1, 1.4, 1.7, 2.0, 2.0, 2.0, 2.0],
    ]
).ravel()
velocity = np.array(
    [
        [170, 290, -130, -70, -185, -220, 200, 290, 270, 200, 300, -30],
        [650, 150, 500, 920, 450, 500, 500, 960, 500, 850, 800, 1090],
    ]
).ravel()
X = distance.reshape(-1, 1)
print(f"{len(X)} nebulae, up to {distance.max():g} Mpc and {velocity.max():g} km/s")

# %%
# Plain gradient descent starts at H0 = 0. Each step is proportional to the slope of the mean
# squared error, so the steps become shorter as the slope decreases.
line = ThroughOriginRegressor(solver="gd", learning_rate=0.1).fit(X, velocity)
fit = FitDisplay.from_estimator(line, X, velocity, iterations=[0, 1, 3, 10, -1])
fit.ax_.set(xlabel="distance (Mpc)", ylabel="velocity (km/s)", title="The line after a few steps")

# %%
# The descent ends at the closed-form solution of least squares.
closed = LinearRegression(fit_intercept=False).fit(X, velocity)
print(f"{'ThroughOriginRegressor':38s} {line.coef_[0]:.3f} km/s/Mpc, {line.n_iter_} steps")
print(f"{'LinearRegression(fit_intercept=False)':38s} {closed.coef_[0]:.3f} km/s/Mpc")

# %%
# The reciprocal of H0 is a time: how long ago all nebulae were at the same place, if each has
# always moved at its present velocity.
KM_PER_MPC, SECONDS_PER_YEAR = 3.0857e19, 3.15576e7
years = KM_PER_MPC / line.coef_[0] / SECONDS_PER_YEAR
print(f"1 / H0 = {years / 1e9:.2f} thousand million years")

# %%
# The oldest rocks on Earth are older than that. The velocities were accurate, but the distances
# were several times too small; with modern distances, H0 is near 70.
#
# Two definitions of R²
# ---------------------
# R² compares the squared errors with those of a model that ignores the distances. ``score``, like
# scikit-learn, compares with the *mean* velocity. A constant is not a special case of a line
# through the origin, so the line may be worse than the mean, and R² may be negative. Predicting 0
# is a special case; compared with it, R² is between 0 and 1 on the training data. Many statistics
# programs print this *uncentred* R² for regression through the origin, so values of different
# programs may not be comparable.


def uncentred_r2(y, y_pred):
    """Return the fraction of the sum of squares about zero that the predictions explain."""
    return 1 - np.sum((y - y_pred) ** 2) / np.sum(y**2)


print(f"R2, from the mean: {r2_score(velocity, line.predict(X)):.3f}")
print(f"R2, from zero:     {uncentred_r2(velocity, line.predict(X)):.3f}")

# %%
# Now the distances are measured from the farthest nebula instead of from us. A line with an
# intercept fits equally well. The line through the origin must predict a velocity of 0 for the
# farthest nebula, and is worse than the mean.
from_the_far_end = distance.max() - X
wrong = ThroughOriginRegressor().fit(from_the_far_end, velocity)
free = LinearRegression().fit(from_the_far_end, velocity)
print(f"R2, from the mean:  {wrong.score(from_the_far_end, velocity):.3f}")
print(f"R2, from zero:      {uncentred_r2(velocity, wrong.predict(from_the_far_end)):.3f}")
print(f"with an intercept:  {free.score(from_the_far_end, velocity):.3f}")

# %%
# Animating the descent
# ---------------------
# The left plot shows the line, the right plot the error as a function of H0, on which the point
# moves to the minimum. Each frame is one step. ``animation.save("descent.gif", writer="pillow")``
# saves the animation.
descent = DescentDisplay.from_estimator(line, X, velocity)
plt.close(descent.figure_)
animation = descent.animate(frames=range(18), interval=300)
left, right = plt.gcf().axes
left.set(xlabel="distance (Mpc)", ylabel="velocity (km/s)")
right.set(xlabel="slope (km/s/Mpc)", ylabel="mean squared error ((km/s)²)")
plt.gcf().canvas.draw()  # draws the first frame
