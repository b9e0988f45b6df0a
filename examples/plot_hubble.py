"""
===============================
How fast do the nebulae recede?
===============================

In 1929 Edwin Hubble had distances and velocities of 24 nebulae, and saw that the farther ones
recede faster: velocity = H0 · distance. That is a line through the origin with one weight, H0.
Here gradient descent finds it, step by step; then we ask how good the line is, and why R² has two
answers where there is no intercept.
"""

# %%
# The data: distances in megaparsec, as they were estimated in 1929, and velocities in km/s.
# Positive is away from us.
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
# Plain gradient descent starts at H0 = 0, where no nebula moves, and makes each step in proportion
# to the slope of the mean squared error. The steps shorten as the slope does.
line = ThroughOriginRegressor(solver="gd", learning_rate=0.1).fit(X, velocity)
fit = FitDisplay.from_estimator(line, X, velocity, iterations=[0, 1, 3, 10, -1])
fit.ax_.set(xlabel="distance (Mpc)", ylabel="velocity (km/s)", title="The line after a few steps")

# %%
# The descent ends where least squares in closed form does.
closed = LinearRegression(fit_intercept=False).fit(X, velocity)
print(f"{'ThroughOriginRegressor':38s} {line.coef_[0]:.3f} km/s/Mpc, {line.n_iter_} steps")
print(f"{'LinearRegression(fit_intercept=False)':38s} {closed.coef_[0]:.3f} km/s/Mpc")

# %%
# Turned upside down, H0 is a time: how long ago all the nebulae were here, if each has always had
# its velocity of today.
KM_PER_MPC, SECONDS_PER_YEAR = 3.0857e19, 3.15576e7
years = KM_PER_MPC / line.coef_[0] / SECONDS_PER_YEAR
print(f"1 / H0 = {years / 1e9:.2f} thousand million years")

# %%
# The oldest rocks on Earth are older than that. The velocities were sound, but the distances were
# several times too small; with today's distances H0 is near 70.
#
# Two kinds of R²
# ---------------
# R² compares the squared errors with those of a model that ignores the distances. What ``score``
# returns, as scikit-learn does, is compared with the *mean* velocity. A line through the origin
# does not contain that model, so nothing keeps it from being worse, and its R² from being
# negative. It does contain the model that always predicts 0; compared with that, R² lies between
# 0 and 1, on the rows of the fit. This *uncentred* R² is what many statistics programs print for
# regression through the origin, so compare like with like.


def uncentred_r2(y, y_pred):
    """Return the share of the sum of squares, about zero, that the predictions explain."""
    return 1 - np.sum((y - y_pred) ** 2) / np.sum(y**2)


print(f"R2, from the mean: {r2_score(velocity, line.predict(X)):.3f}")
print(f"R2, from zero:     {uncentred_r2(velocity, line.predict(X)):.3f}")

# %%
# The same nebulae with their distances measured from the farthest of them, instead of from us: a
# line with an intercept would not notice. The line through the origin has to say that the nebulae
# *there* are at rest, and does worse than the mean.
from_the_far_end = distance.max() - X
wrong = ThroughOriginRegressor().fit(from_the_far_end, velocity)
free = LinearRegression().fit(from_the_far_end, velocity)
print(f"R2, from the mean:  {wrong.score(from_the_far_end, velocity):.3f}")
print(f"R2, from zero:      {uncentred_r2(velocity, wrong.predict(from_the_far_end)):.3f}")
print(f"with an intercept:  {free.score(from_the_far_end, velocity):.3f}")

# %%
# The descent as a film
# ---------------------
# On the left the line, on the right the error as a function of H0, which is a bowl; the point
# rolls down to its bottom. Each frame is one step. ``animation.save("descent.gif",
# writer="pillow")`` would keep the film.
descent = DescentDisplay.from_estimator(line, X, velocity)
plt.close(descent.figure_)
animation = descent.animate(frames=range(18), interval=300)
left, right = plt.gcf().axes
left.set(xlabel="distance (Mpc)", ylabel="velocity (km/s)")
right.set(xlabel="slope (km/s/Mpc)", ylabel="mean squared error ((km/s)²)")
plt.gcf().canvas.draw()  # its first frame
