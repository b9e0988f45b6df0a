# What the scripts of this folder share; they source it first of all.
# shellcheck shell=bash
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

# The Pythons that pyproject.toml names.
supported="3.11 3.12 3.13 3.14"

python="${PYTHON:-python3}"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or later is needed; $python is $("$python" --version). Set PYTHON." >&2
    exit 1
}

# Nothing that is set outside decides what is tested.
unset CC SKLEARN_GD_PURE_PYTHON SKLEARN_GD_REQUIRE_KERNELS PYTHONPATH PYTHONWARNINGS PYTEST_ADDOPTS
export PIP_DISABLE_PIP_VERSION_CHECK=1

temporary="$(mktemp -d)"
trap 'rm -rf "$temporary"' EXIT

say() { printf '\n== %s\n' "$*"; }

# Make a virtual environment in the folder $1 with the interpreter $2, and enter it.
enter() {
    "$2" -m venv "$1"
    # shellcheck disable=SC1091
    source "$1/bin/activate"
}

# Print the path of a Python of version $1, from PATH or pyenv, which can make environments.
interpreter() {
    local each
    for each in "$(command -v "python$1" || true)" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        if [ -x "$each" ] && "$each" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$each"
            return
        fi
    done
}

# Copy the tree, without what it ignores, to the folder $1.
copy_tree() {
    mkdir "$1"
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
            if [ -e "$file" ]; then printf '%s\0' "$file"; fi
        done | tar --null -T - -cf - | tar -xf - -C "$1"
    else
        cp -R . "$1"
    fi
}
