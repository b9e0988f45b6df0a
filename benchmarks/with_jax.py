"""The same training in JAX, with each epoch compiled by jit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


class Trainer:
    """Train from the initial weights of a problem; an epoch is compiled once, or for each fit."""

    def __init__(self, problem: Any, batch: int, solver: str, rate: float) -> None:
        self.problem, self.batch, self.solver, self.rate = problem, batch, solver, rate
        self.X, self.y = jnp.asarray(problem.X), jnp.asarray(problem.y)
        self.epoch = self._compiled()

    def train(self, epochs: int, again: bool) -> Callable[[np.ndarray], np.ndarray]:
        """Return the ``predict`` of the trained network; with `again`, compile first."""
        epoch = self._compiled() if again else self.epoch
        state = self._start()
        key = jax.random.key(0)
        for _ in range(epochs):
            key, now = jax.random.split(key)
            state = epoch(state, now)
        jax.block_until_ready(state)
        return lambda X: np.asarray(self._predict(state[0], jnp.asarray(X)))

    def _start(self) -> Any:
        layers = [
            (jnp.asarray(W), jnp.asarray(b)) for W, b in zip(*self.problem.fresh(), strict=True)
        ]
        zeros = jax.tree.map(jnp.zeros_like, layers)
        return layers, zeros, zeros, jnp.zeros((), self.X.dtype)

    def _compiled(self) -> Any:
        n_samples, batch = len(self.X), self.batch
        whole = n_samples // batch * batch

        def loss(layers: Any, X: Any, y: Any) -> Any:
            return jnp.mean((self._predict(layers, X) - y) ** 2)

        def step(state: Any, rows: Any) -> Any:
            gradient = jax.grad(loss)(state[0], self.X[rows], self.y[rows])
            return self._update(state, gradient), None

        def epoch(state: Any, key: Any) -> Any:
            order = jax.random.permutation(key, n_samples)
            state, _ = jax.lax.scan(step, state, order[:whole].reshape(-1, batch))
            return step(state, order[whole:])[0] if whole < n_samples else state

        return jax.jit(epoch)

    def _update(self, state: Any, gradient: Any) -> Any:
        layers, means, squares, t = state
        t = t + 1
        if self.solver == "gd":
            moved = jax.tree.map(lambda w, g: w - self.rate * g, layers, gradient)
            return moved, means, squares, t
        means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, gradient)
        squares = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, squares, gradient)
        rate = self.rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        moved = jax.tree.map(
            lambda w, m, s: w - (rate * m / (jnp.sqrt(s) + 1e-8)).astype(w.dtype),
            layers,
            means,
            squares,
        )
        return moved, means, squares, t

    def _predict(self, layers: Any, X: Any) -> Any:
        a, tanh = X, self.problem.activation == "tanh"
        for i, (W, b) in enumerate(layers):
            z = a @ W + b
            last = i == len(layers) - 1
            a = z if last else jnp.tanh(z) if tanh else jnp.maximum(z, 0)
        return a[:, 0]
