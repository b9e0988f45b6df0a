"""Speed and memory beside peers, measured in turn in one process: ``python -m benchmarks``."""
