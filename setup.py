"""The compiled loops. All else about the package stands in pyproject.toml.

They stand here because what is built depends on where. One wheel serves every Python from the
oldest supported one on, by the stable ABI, which free-threaded Pythons do not have. Compilers have
flags of their own. With ``SKLEARN_GD_PURE_PYTHON=1`` nothing is compiled, and the wheel is for any
machine.
"""

import os
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

OLDEST = (3, 11)  # as requires-python in pyproject.toml
PURE = os.environ.get("SKLEARN_GD_PURE_PYTHON", "0") not in ("", "0")
STABLE_ABI = not PURE and not sysconfig.get_config_var("Py_GIL_DISABLED")

# No product and sum become one instruction, so that results are the same everywhere. MSVC does not
# contract unless it is asked to, and its square roots never set errno.
FLAGS = ["-O3", "-g0", "-ffp-contract=off", "-fno-math-errno"]
FLAGS_OF_MSVC = ["/O2"]

KERNELS = Extension(
    "sklearn_gd._kernels.loops",
    sources=["sklearn_gd/_kernels/loops.pyx", "sklearn_gd/_kernels/network.c"],
    depends=sorted(path.as_posix() for path in Path("sklearn_gd/_kernels").glob("*.h")),
    define_macros=[("Py_LIMITED_API", "0x{:02X}{:02X}0000".format(*OLDEST))] if STABLE_ABI else [],
    py_limited_api=STABLE_ABI,
    optional=True,  # without a compiler the same loops run in plain Python
)


class BuildWithFlags(build_ext):
    """Compile with the flags of the compiler at hand, which is known only now."""

    def build_extension(self, ext):
        """Compile one extension."""
        msvc = self.compiler.compiler_type == "msvc"
        ext.extra_compile_args = FLAGS_OF_MSVC if msvc else FLAGS
        super().build_extension(ext)


setup(
    ext_modules=[] if PURE else [KERNELS],
    cmdclass={"build_ext": BuildWithFlags},
    options={"bdist_wheel": {"py_limited_api": "cp{}{}".format(*OLDEST)}} if STABLE_ABI else {},
)
