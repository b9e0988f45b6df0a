"""Rows that lie on workers, and objectives over them, as `_models/rows.py` has them at hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import cloudpickle
import numpy as np
from scipy.optimize import minimize_scalar

from sklearn_gd._models.curvature import Curvature
from sklearn_gd._models.least_squares import Moments
from sklearn_gd._models.network import Network
from sklearn_gd._models.rows import OnHost
from sklearn_gd._pieces import Array
from sklearn_gd._training.learners import Rosenblatt
from sklearn_gd.dask._workers import Workers
from sklearn_gd.losses import SquaredError


class OnWorkers(OnHost):
    """A group of the rows of a source: as `Rows` and `LabelledRows` are, but elsewhere.

    Parameters
    ----------
    workers : Workers
    source, group : str
        Which rows.
    n_features : int
    dtype : dtype
        What X is trained in.
    """

    def __init__(
        self, workers: Workers, source: str, group: str, n_features: int, dtype: Any
    ) -> None:
        self.workers, self.source, self.group = workers, source, group
        self.n_features, self.dtype = n_features, np.dtype(dtype)
        self._totals: dict[int, float] = {}
        self._told: dict[int, dict[str, Any]] = workers.each(source, "summary", group)
        self.n_samples, self.total_weight = 0, 0.0
        starts = {}
        for number, told in self._told.items():
            starts[number] = self.n_samples
            self.n_samples += told["n_samples"]
            self.total_weight += told["weight"]
        workers.do(source, "start_at", group, starts)

    def total_of(self, made: bytes | None, method: str, *arguments: Any) -> list[Any]:
        """Return the sum over all parts of what each answers about this group."""
        return self.workers.total(self.source, made, method, self.group, *arguments)

    def objective(self, network: Network, *ends: float) -> NetworkOnWorkers:
        """Return the objective of a network; of neurons, with their `low` and `high` outputs."""
        return NetworkOnWorkers(network, self, ends)

    def counts(self, n_classes: int) -> Array:
        """Return how many rows there are of each class."""
        counts = np.zeros(n_classes, int)
        for told in self._told.values():
            counts[: len(told["counts"])] += told["counts"]
        return counts

    def set_aside(
        self, fraction: float, generator: np.random.Generator
    ) -> tuple[OnWorkers, OnWorkers, None]:
        """Divide the rows, each class alike, where they lie.

        Returns rows to train on and rows to validate on.
        """
        n_classes = max(len(told["counts"]) for told in self._told.values())
        before, so_far = {}, np.zeros(n_classes, int)
        for number, told in self._told.items():
            before[number] = so_far.copy()
            so_far[: len(told["counts"])] += told["counts"]
        held = np.ceil(fraction * so_far).astype(int)
        if (so_far[so_far > 0] < 2).any() or (held >= so_far)[so_far > 0].any():
            by_class = f", by class {so_far.tolist()}" if n_classes > 1 else ""
            raise ValueError(
                f"early_stopping=True cannot set aside validation_fraction={fraction} of "
                f"{self.n_samples} rows{by_class}. Give X_val and y_val, or more rows."
            )
        seed = int(generator.integers(2**63))
        self.workers.do(self.source, "set_aside", fraction, seed, before)
        train, held_out = (
            type(self)(self.workers, self.source, group, self.n_features, self.dtype)
            for group in ("train", "held")
        )
        return train, held_out, None

    # Of regression.

    @property
    def n_outputs(self) -> int:
        return len(self._with_rows()[0]["mean"])

    def target_ends(self) -> tuple[float, float]:
        """Return the smallest and the largest target."""
        told = self._with_rows()
        return min(t["low"].min() for t in told), max(t["high"].max() for t in told)

    def target_spread(self) -> Array:
        """Return the standard deviation of each output's targets."""
        told = self._with_rows()
        mean = sum(t["weight"] * t["mean"] for t in told) / self.total_weight
        squares = sum(t["squares"] + t["weight"] * (t["mean"] - mean) ** 2 for t in told)
        spread: Array = np.sqrt(squares / self.total_weight)
        return spread

    def _with_rows(self) -> list[dict[str, Any]]:
        return [told for told in self._told.values() if told["n_samples"]]

    # Of a linear model.

    def curvature(self, factor: float, alpha: float, *, intercept: bool = False) -> Curvature:
        """Return the curvature of a linear model's objective over these rows."""
        xx, xy, yy, weight = self.total_of(None, "moments_with_ones")
        moments = Moments(*xy.shape)
        moments.xx, moments.xy, moments.yy, moments.weight = xx, xy, yy, weight
        return Curvature(moments, None, factor, alpha, intercept=intercept)

    def require_finite(self) -> None:
        """Nothing: each block was looked at where it lies."""

    # Of classification.

    def weighed(self, class_weights: Array | None, by_neuron: bool) -> OnWorkers:
        """Return the rows with the weights of their classes, for all neurons or their own."""
        if class_weights is None:
            return self
        self.workers.do(self.source, "weigh", class_weights, by_neuron)
        return type(self)(self.workers, self.source, self.group, self.n_features, self.dtype)

    def total(self, n_neurons: int) -> float:
        """Return the sum of all weights, over rows and neurons."""
        if n_neurons not in self._totals:
            self._totals[n_neurons] = self.total_of(None, "total", n_neurons)[0]
        return self._totals[n_neurons]


class NetworkOnWorkers:
    """The loss of a network over rows on workers, and its gradient.

    The parameters go out, and the sums over each worker's parts come back.

    Parameters
    ----------
    network : Network
    rows : OnWorkers
    ends : tuple of float
        What neurons are to put out for other classes and their own; empty for regression.
    """

    def __init__(self, network: Network, rows: OnWorkers, ends: tuple[float, ...] = ()) -> None:
        self.network, self.rows, self.ends = network, rows, ends
        self.size = network.size
        make = partial(
            _make_network,
            network.sizes,
            network.activations,
            network.loss,
            network.dtype,
            network.biases,
            ends,
        )
        self._made = cloudpickle.dumps(make)

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """Return the mean loss and the gradient over all rows."""
        share = self.rows.total_weight
        loss, gradient = self.on_batch(parameters, (share, (0, 1, None)))
        return loss / share, gradient

    def on_batch(self, parameters: Array, batch: Any) -> tuple[float, Array]:
        """Return the summed loss of a batch and its share of the gradient, with the penalty."""
        loss, gradient = self.rows.total_of(self._made, "gradient", parameters, *batch)
        self.network.add_penalty(parameters, gradient)
        return loss, gradient

    def mean_loss(self, parameters: Array) -> float:
        """Return the mean loss over rows and outputs, without the penalty."""
        (loss,) = self.rows.total_of(self._made, "loss", parameters)
        return float(loss / self.rows.total_weight)

    def baseline_loss(self) -> float:
        """Return the loss of the best constant prediction, which tolerances are relative to."""
        n_outputs = self.network.n_outputs
        if type(self.network.loss) is SquaredError:
            (sums,) = self.rows.total_of(self._made, "target_sums")
            best = sums / self.rows.total_weight
        else:
            best = self._best_constants(*sorted(self.ends or self.rows.target_ends()))
        with np.errstate(all="ignore"):
            constant = self._constant_losses(best).sum() / n_outputs
            zero = self._constant_losses(np.zeros(n_outputs)).sum() / n_outputs
        return self.network.loss._scale(float(constant), float(zero))

    def batches(self, size: int, generator: np.random.Generator | None) -> DealtBatches:
        """Return the batches of each epoch, whose items ``on_batch`` takes."""
        return DealtBatches(self.rows, size, generator)

    def of(self, network: Network) -> NetworkOnWorkers:
        """Return the objective of another network over the same rows."""
        return NetworkOnWorkers(network, self.rows, self.ends)

    def _constant_losses(self, constants: Array) -> Array:
        """Return the mean loss (n_outputs,) of constant predictions."""
        (losses,) = self.rows.total_of(self._made, "constants", constants)
        return np.asarray(losses) / self.rows.total_weight

    def _best_constants(self, low: float, high: float) -> Array:
        """Search for each output's best constant; the losses are convex in it."""
        best = np.full(self.network.n_outputs, float(low))
        for j in range(len(best) if high > low else 0):

            def loss(t: float, j: int = j) -> float:
                trial = best.copy()
                trial[j] = low + t * (high - low)
                return float(self._constant_losses(trial)[j])

            best[j] = low + (high - low) * minimize_scalar(loss, bounds=(0, 1)).x
        return best


class DealtBatches:
    """The rows of a fit, dealt to the steps of an epoch as cards are.

    Each part has its rows in an order of its own, and gives them to one step after the other, so
    that a batch has a piece of every part, and sizes differ by one row at most.

    Parameters
    ----------
    rows : OnWorkers
    size : int
        Rows per batch, at most.
    generator : numpy.random.Generator or None
        Shuffles the rows of each part anew each epoch; None: they come as they are.
    """

    def __init__(self, rows: OnWorkers, size: int, generator: np.random.Generator | None) -> None:
        self.rows, self.generator = rows, generator
        self.n_steps = -(-rows.n_samples // size)
        self.total_weight = rows.total_weight

    def __iter__(self) -> Iterator[tuple[float, Any]]:
        seed = None
        if self.generator is not None and self.n_steps > 1:
            seed = int(self.generator.integers(2**63))
        n_samples = self.rows.n_samples
        for step in range(self.n_steps):
            dealt = len(range(step, n_samples, self.n_steps))
            share = dealt * self.total_weight / n_samples
            yield share, (step, self.n_steps, seed)


class MixedRosenblatt(Rosenblatt):
    """Rosenblatt's rule by iterative parameter mixing.

    Every part meets its rows once, beginning at the same weights; the weights that come back are
    averaged, each by its share of the mistakes. On separable rows this ends without a mistake.

    References
    ----------
    R. McDonald, K. Hall, G. Mann, "Distributed training strategies for the structured
    perceptron", NAACL 2010.
    """

    def __init__(self, *memory: Any, **settings: Any) -> None:
        super().__init__(*memory, **settings)
        shape, dtype, _, schedule, _, fixed = memory
        # A worker begins anew at every question, with a generator that is made then.
        make = partial(Rosenblatt, shape, dtype, None, schedule, None, fixed, **settings)
        self._made = cloudpickle.dumps(make)

    def run_epoch(self, rate: float) -> float:
        rows: Any = self.rows
        seed = None
        if self.shuffle and self.generator is not None:
            seed = int(self.generator.integers(2**63))
        mistakes, parameters, loss, visits, total = rows.total_of(
            self._made, "rosenblatt", self.parameters, rate, seed
        )
        self.finished = not mistakes
        self.updates += mistakes
        if mistakes:
            self.parameters = (parameters / mistakes).astype(self.parameters.dtype)
        if self.average:
            self.sum = self.sum + total
            self.visits += visits
        return float(loss / rows.total(self.n_neurons))

    def averaged(self) -> Array:
        if not (self.average and self.visits):
            return self.parameters
        mean: Array = self.sum / self.visits
        return mean

    def mean_loss_over(self, rows: Any, weights: Array) -> float:
        (loss,) = rows.total_of(self._made, "rosenblatt_loss", weights)
        return float(loss / rows.total(self.n_neurons))

    def constant_losses(self, rows: Any) -> Array:
        (losses,) = rows.total_of(self._made, "constant_losses")
        return np.asarray(losses)


def _make_network(
    sizes: Any, activations: Any, loss: Any, dtype: Any, biases: bool, ends: Any
) -> Network:
    """Return a network whose penalty is left to the one who sums up."""
    network = Network(sizes, activations, loss, 0.0, dtype, biases=biases)
    network.ends = ends  # type: ignore[attr-defined]
    return network
