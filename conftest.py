"""What is not collected: doctests of modules whose optional packages are not installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("distributed") else ["sklearn_gd/dask/*"]
