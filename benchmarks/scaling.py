"""Measure the cost of a step on a Dask cluster, and how it scales with the number of workers.

``python -m benchmarks.scaling`` measures steps on this machine, and computes those of larger
clusters from a model with these costs. ``--out docs/scaling.md`` writes both tables to the page.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from scipy.optimize import nnls

from benchmarks import report
from sklearn_gd._models.network import Network
from sklearn_gd._training.learners import GradientLearner
from sklearn_gd.activations import Identity
from sklearn_gd.dask import DaskFeedForwardRegressor
from sklearn_gd.dask._chunks import lazy_chunks
from sklearn_gd.dask._exchange import _FAN_OUT
from sklearn_gd.dask._workers import Workers
from sklearn_gd.losses import SquaredError
from sklearn_gd.schedules import Constant
from sklearn_gd.solvers import GradientDescent

SIZES = (1_000, 100_000, 1_000_000)  # parameters, of eight bytes each
WORKERS = (1, 2, 4, 8)
NAMES = {"workers": "the workers", "client": "the client", "sockets": "sockets alone"}
# The larger clusters: 100,000 parameters, one gigabyte per second from each machine.
PARAMETERS, BANDWIDTH = 100_000, 1e9
MANY = (1, 8, 100, 1_000, 10_000)


def measure(n_workers: int, sizes: tuple[int, ...], n_steps: int) -> dict[str, list[float]]:
    """Return the seconds of a step for each size, for each way of summing gradients."""
    with (
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        found = {name: [] for name in ("workers", "client")}
        for size in sizes:
            for name, seconds in seconds_a_step(client, n_workers, size, n_steps).items():
                found[name].append(seconds)
    found["sockets"] = [by_sockets(n_workers, size, n_steps) for size in sizes]
    return found


def seconds_a_step(client: Client, n_workers: int, size: int, n_steps: int) -> dict[str, float]:
    """Return the seconds of a step of a line of so many weights, with a sample per worker."""
    n_steps = max(3, min(n_steps, 20_000_000 // (size * n_workers)))
    X = da.ones((n_steps * n_workers, size - 1), chunks=(n_steps, -1))
    line = DaskFeedForwardRegressor(hidden_layer_sizes=())
    workers = Workers(client)
    try:
        line._workers = workers
        rows, _ = line._load_regression("train", lazy_chunks(line, X, X[:, 0], None))
        network = Network((size - 1, 1), [Identity()], SquaredError(), 0.0, np.float64)
        objective = rows.objective(network)
        learner = GradientLearner(
            np.zeros(size), GradientDescent(), Constant(1.0), None, {}, np.float64
        ).learn_from(objective, None, n_workers)
        found = {}
        for name, run in (
            ("workers", learner.run_epoch),
            ("client", lambda rate: learner.descend(objective, learner._batches, rate)),
        ):
            times = []
            for _ in range(4):
                begin = time.perf_counter()
                run(0.0)
                times.append((time.perf_counter() - begin) / n_steps)
            found[name] = float(np.median(times[1:]))
        return found
    finally:
        workers.close()


def by_sockets(n_workers: int, size: int, n_steps: int) -> float:
    """Return the seconds in which processes send a vector to one of them, and get the sum."""
    server = socket.create_server(("127.0.0.1", 0))
    address = server.getsockname()
    context = multiprocessing.get_context("spawn")
    others = [
        context.Process(target=_send_and_receive, args=(address, size, n_steps))
        for _ in range(n_workers - 1)
    ]
    for other in others:
        other.start()
    connections = [server.accept()[0] for _ in others]
    vector, received, times = np.ones(size), np.empty(size), []
    for each in connections:
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(n_steps):
        begin = time.perf_counter()
        total = vector.copy()
        for each in connections:
            _receive(each, received)
            total += received
        for each in connections:
            each.sendall(total.data)
        times.append(time.perf_counter() - begin)
    for other in others:
        other.join()
    server.close()
    return float(np.median(times))


def _send_and_receive(address: tuple[str, int], size: int, n_steps: int) -> None:
    vector = np.ones(size)
    with socket.create_connection(address) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(n_steps):
            connection.sendall(vector.data)
            _receive(connection, vector)


def _receive(connection: socket.socket, into: np.ndarray) -> None:
    view = memoryview(into).cast("B")
    while view:
        view = view[connection.recv_into(view) :]


def costs(rounds: dict[int, dict[str, list[float]]], way: str) -> tuple[float, float]:
    """Return the seconds per message and per byte, each with its answer.

    The time of a step with W workers and s bytes is modelled as fixed + W * (message + s * byte),
    fitted by least squares of the relative errors.
    """
    rows = [
        (n_workers, 8.0 * size, seconds)
        for n_workers, by_way in rounds.items()
        for size, seconds in zip(SIZES, by_way[way], strict=False)
    ]
    W, s, t = (np.array(column) for column in zip(*rows, strict=True))
    design = np.column_stack([np.ones(len(W)), W, W * s])
    (_, message, byte), _ = nnls(design / t[:, None], np.ones(len(t)))
    return float(message), float(byte)


def through_one(work: np.ndarray, each: float) -> float:
    """Return the seconds of a step in which one machine sends to and receives from all others.

    It sends one message after the other, `each` seconds apart, and then receives the answers.
    """
    n_workers = len(work)
    ready = np.sort(np.arange(1, n_workers + 1) * each + work)
    ready = np.maximum(ready, n_workers * each)
    # When the k-th answer arrives, it and all later ones remain to be received.
    return float((ready + np.arange(n_workers, 0, -1) * each).max())


def in_trees(work: np.ndarray, message: float, wire: float) -> float:
    """Return the seconds of a step in which workers sum up trees, each of a piece of the vector.

    It waits for the slowest worker. Then each level of a tree takes `message` seconds per child,
    and what a worker sends and receives is the vector twice, however many workers there are.
    """
    n_workers, levels = len(work), 0
    while (_FAN_OUT ** (levels + 1) - 1) // (_FAN_OUT - 1) < n_workers:
        levels += 1
    return float(work.max() + levels * min(_FAN_OUT, n_workers - 1) * message + 2 * wire)


def simulate(batch_seconds: float, n_workers: int, step: Callable) -> float:
    """Return the mean seconds of a step with a batch that takes one worker `batch_seconds`.

    The times of the workers vary: they are lognormal with a standard deviation of about 20 %.
    """
    rng = np.random.default_rng(0)
    draws = rng.lognormal(-0.02, 0.2, size=(200 if n_workers <= 100 else 20, n_workers))
    return float(np.mean([step(batch_seconds / n_workers * draw) for draw in draws]))


def tables(quick: bool) -> tuple[list[list[str]], list[list[str]], list[str]]:
    """Return the table of steps, the table of larger clusters, and sentences on the costs."""
    workers, sizes, n_steps = ((1, 2), SIZES[:1], 3) if quick else (WORKERS, SIZES, 200)
    rounds = {n: measure(n, sizes, n_steps) for n in workers}
    measured = [["Workers", "Gradients are summed by", *(f"{n:,} parameters" for n in sizes)]]
    for n, by_way in rounds.items():
        for name, seconds in by_way.items():
            if n > 1 or name != "sockets":
                measured.append([str(n), NAMES[name], *(f"{1e3 * s:.2f} ms" for s in seconds)])
    message, byte = costs(rounds, "client")
    of_workers, _ = costs(rounds, "workers")
    # Half of the time of a round is for sending, half for receiving.
    here = message / 2 + 8 * PARAMETERS * byte / 2
    wire = 8 * PARAMETERS / BANDWIDTH
    columns = (f"{n:,} worker{'s' if n > 1 else ''}" for n in MANY)
    simulated = [["Batch on one worker", "Gradients are summed by", *columns]]
    for batch_seconds in (0.1, 10.0):
        for name, step in [
            ("client", partial(through_one, each=here)),
            ("workers", partial(in_trees, message=of_workers, wire=wire)),
        ]:
            times = [simulate(batch_seconds, n, step) for n in MANY]
            simulated.append(
                [f"{batch_seconds:g} s", NAMES[name]] + [_short(batch_seconds / t) for t in times]
            )
    facts = [
        f"Through the client, a message and its answer take {1e3 * message:.2f} ms, plus "
        f"{1e9 * byte:.1f} ms per megabyte; between workers, each further worker adds "
        f"{1e3 * of_workers:.2f} ms.",
    ]
    return measured, simulated, facts


def _short(ratio: float) -> str:
    """Return a number as text, with about two significant digits."""
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to check that it runs")
    parser.add_argument("--out", type=Path, help="Markdown page to write the tables to")
    chosen = parser.parse_args()
    if chosen.quick and chosen.out:
        raise SystemExit("--quick measures nothing worth writing down: leave out --out.")
    measured, simulated, facts = tables(chosen.quick)
    for lines in (measured, simulated):
        print(report.plain(lines), flush=True)
    print("\n".join(facts))
    if chosen.out:
        text = f"{report.machine()} Dask {version('dask')}.\n\n{report.markdown(measured)}"
        report.replace_section(chosen.out, "rounds", text)
        text = "\n\n".join([*facts, report.markdown(simulated)])
        report.replace_section(chosen.out, "simulation", text)


if __name__ == "__main__":
    main()
