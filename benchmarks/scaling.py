"""Measure the cost of a step on a Dask cluster, and how it scales with the number of workers.

``python -m benchmarks.scaling`` measures rounds of messages on this machine, and simulates larger
clusters with these costs. ``--out docs/scaling.md`` writes both tables to the page.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from distributed import Client, LocalCluster

from benchmarks import report
from sklearn_gd.dask._shard import packed, unpacked

SIZES = (1_000, 100_000, 1_000_000)  # parameters, of eight bytes each
WORKERS = (1, 2, 4, 8)
# The simulated cluster: 100,000 parameters, one gigabyte per second from each machine.
PARAMETERS, BANDWIDTH = 100_000, 1e9
MANY = (1, 10, 100, 1_000, 10_000)
FAN_OUT = 8


class Echo:
    """An actor with the interface of those of `sklearn_gd.dask` that returns immediately."""

    def call(self, *message: object) -> tuple:
        parameters = unpacked(message)[5][2]
        return packed((True, [0.0, parameters, 0]))


# Sent together with the parameters: the rows, the network, the batch.
QUESTION = ("total", "train", [0, 1, 2], bytes(700), "gradient")
BATCH = (50.0, 3, 10, 123)


def echo(parameters: np.ndarray) -> np.ndarray:
    return parameters


def seconds_a_round(ask: Callable[[np.ndarray], object], size: int, repeats: int) -> float:
    """Return the median time of one request to all workers, including their answers."""
    parameters = np.random.default_rng(0).normal(size=size)
    times = []
    for _ in range(repeats + 2):
        begin = time.perf_counter()
        ask(parameters)
        times.append(time.perf_counter() - begin)
    return float(np.median(times[2:]))


def measure(n_workers: int, sizes: tuple[int, ...], repeats: int) -> dict[str, list[float]]:
    """Return the seconds per round for each size, for each way of sending messages."""
    with (
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        addresses = sorted(client.nthreads())
        futures = [client.submit(Echo, actor=True, workers=[a], pure=False) for a in addresses]
        actors = [future.result() for future in futures]

        def by_actors(parameters: np.ndarray) -> list:
            # `actors` are those of the client that is open now.
            question = (*QUESTION, ("all", (), parameters, BATCH))
            answers = [a.call(*packed(question)) for a in actors]
            return [unpacked(answer.result()) for answer in answers]

        def by_broadcast(parameters: np.ndarray) -> object:
            return client.run(echo, parameters)

        def by_tasks(parameters: np.ndarray) -> object:
            (sent,) = client.scatter([parameters], broadcast=True, hash=False)
            tasks = [client.submit(echo, sent, workers=[a], pure=False) for a in addresses]
            return client.gather(tasks)

        ways = {"actors": by_actors, "broadcast": by_broadcast, "tasks": by_tasks}
        found = {
            name: [seconds_a_round(ask, size, repeats) for size in sizes]
            for name, ask in ways.items()
        }
        with Client(cluster, direct_to_workers=True) as client:
            futures = [client.submit(Echo, actor=True, workers=[a], pure=False) for a in addresses]
            actors = [future.result() for future in futures]
            found["actors, directly"] = [seconds_a_round(by_actors, s, repeats) for s in sizes]
        return found


def costs(rounds: dict[int, dict[str, list[float]]]) -> tuple[float, float]:
    """Return the seconds per message and per byte, for a round trip.

    The time of a round with W workers and s bytes is modelled as fixed + W * (message + s * byte),
    fitted by least squares of the relative errors.
    """
    rows = [
        (n_workers, 8.0 * size, seconds)
        for n_workers, by_way in rounds.items()
        for size, seconds in zip(SIZES, by_way["actors"], strict=False)
    ]
    W, s, t = (np.array(column) for column in zip(*rows, strict=True))
    design = np.column_stack([np.ones(len(W)), W, W * s])
    from scipy.optimize import nnls

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


def through_a_tree(work: np.ndarray, each: float) -> float:
    """Return the seconds of a step in which parameters and sums pass through a tree of workers."""
    levels = max(1, int(np.ceil(np.log(len(work)) / np.log(FAN_OUT) - 1e-9)))
    ready = work + levels * FAN_OUT * each  # on the way down
    for _ in range(levels):
        padded = np.full(-(-len(ready) // FAN_OUT) * FAN_OUT, -np.inf)
        padded[: len(ready)] = ready
        families = np.sort(padded.reshape(-1, FAN_OUT), axis=1)
        waits = families - np.arange(FAN_OUT) * each
        ready = waits.max(axis=1) + FAN_OUT * each
    return float(ready.max())


def simulate(batch_seconds: float, n_workers: int, each: float, way: Callable) -> float:
    """Return the mean seconds of a step with a batch that takes one worker `batch_seconds`.

    The times of the workers vary: they are lognormal with a standard deviation of about 20 %.
    """
    rng = np.random.default_rng(0)
    draws = rng.lognormal(-0.02, 0.2, size=(200 if n_workers <= 100 else 20, n_workers))
    return float(np.mean([way(batch_seconds / n_workers * draw, each) for draw in draws]))


def tables(quick: bool) -> tuple[list[list[str]], list[list[str]], list[str]]:
    """Return the table of rounds, the table of simulated steps, and sentences on the costs."""
    workers, sizes, repeats = ((1, 2), SIZES[:1], 3) if quick else (WORKERS, SIZES, 30)
    rounds = {n: measure(n, sizes, repeats) for n in workers}
    measured = [["Workers", "By", *(f"{size:,} parameters" for size in sizes)]]
    for n, by_way in rounds.items():
        for name, seconds in by_way.items():
            measured.append([str(n), name, *(f"{1e3 * s:.1f} ms" for s in seconds)])
    message, byte = costs(rounds)
    # Half of the time of a round is for sending, half for receiving.
    here = message / 2 + 8 * PARAMETERS * byte / 2
    network = 1e-4 + 8 * PARAMETERS / BANDWIDTH
    columns = (f"{n:,} worker{'s' if n > 1 else ''}" for n in MANY)
    simulated = [["Batch on one worker", "Messages", *columns]]
    for batch_seconds in (0.1, 10.0):
        for name, way, each in [
            ("through one client", through_one, here),
            ("in a tree", through_a_tree, network),
        ]:
            times = [simulate(batch_seconds, n, each, way) for n in MANY]
            simulated.append(
                [f"{batch_seconds:g} s", name] + [_short(batch_seconds / t) for t in times]
            )
    best = np.sqrt(np.array([0.1, 10.0]) / (2 * here))
    facts = [
        f"A message and its answer take {1e3 * message:.2f} ms, plus {1e9 * byte:.1f} ms per "
        "megabyte.",
        f"Sending {PARAMETERS:,} parameters through one client takes {1e3 * here:.2f} ms per "
        f"worker, and so does receiving them: a step is fastest with {best[0]:.0f} workers for a "
        f"batch of 0.1 s, and with {best[1]:.0f} for a batch of 10 s.",
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
