"""The same training in torch, in eager mode with fused optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def train(
    problem: Any, batch: int, epochs: int, solver: str, rate: float
) -> Callable[[np.ndarray], np.ndarray]:
    """Train from the initial weights of the problem; return ``predict`` of the network."""
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
    net = network(problem)
    kind = torch.optim.Adam if solver == "adam" else torch.optim.SGD
    optimizer = kind(net.parameters(), lr=rate, fused=True)
    loss_of = torch.nn.MSELoss()
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        order = torch.randperm(len(X), generator=generator)
        for start in range(0, len(X), batch):
            rows = order[start : start + batch]
            optimizer.zero_grad(set_to_none=True)
            loss_of(net(X[rows])[:, 0], y[rows]).backward()
            optimizer.step()

    def predict(X: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return net(torch.from_numpy(X)).numpy()

    return predict


def network(problem: Any) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for W, b in zip(*problem.fresh(), strict=True):
        linear = torch.nn.utils.skip_init(
            torch.nn.Linear, *W.shape, dtype=torch.from_numpy(W).dtype
        )
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
            linear.bias.copy_(torch.from_numpy(b))
        layers += [linear, torch.nn.Tanh() if problem.activation == "tanh" else torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])
