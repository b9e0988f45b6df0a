"""Compare speed and memory with other estimators in one process: ``python -m benchmarks``."""
