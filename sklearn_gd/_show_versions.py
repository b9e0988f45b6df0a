"""What a bug report needs to know."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from sklearn_gd._kernels import COMPILED


def show_versions() -> None:
    """Print the package's version and its dependencies', and whether its kernels run compiled.

    Examples
    --------
    >>> import sklearn_gd
    >>> sklearn_gd.show_versions()  # doctest: +ELLIPSIS
    sklearn_gd: ...
    compiled kernels: ...
    python: ...
    """
    kernels = "in use" if COMPILED else "not in use (plain Python instead: slower, same results)"
    lines = {
        "sklearn_gd": _version("sklearn-gd"),
        "compiled kernels": kernels,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: _version(name) for name in ("numpy", "scipy", "scikit-learn", "pandas")},
    }
    for name, value in lines.items():
        print(f"{name}: {value}")  # noqa: T201


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
