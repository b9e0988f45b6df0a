"""Checkpoint files: how they are written, and checked before anything is built from them.

A header line, a line with the SHA-256 of the rest, and the rest: a zip archive as skops writes it.
The digest finds damage. It has no key and stops nobody who means harm: what does is that all names
in the archive are compared with an exact list first.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from sklearn_gd._training.stored_tree import StoredTreeError, names_in

__all__ = ["dumps", "read", "require_restorable", "require_writable", "skops_io", "write"]

_HEADER = b"sklearn_gd checkpoint 1\n"
_DIGEST_LINE = 65  # 64 hexadecimal digits and a line feed
_PART = ".part-of-checkpoint"


def dumps(content: Any) -> bytes:
    """Return `content` as skops stores it."""
    try:
        stored: bytes = skops_io().dumps(content)
    except Exception as error:
        # The archive that skops writes to makes another error of an interrupt.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, KeyboardInterrupt):
            cause = cause.__context__
        if cause is not None:
            raise cause from error
        raise
    return stored


def require_restorable(content: Any) -> None:
    """Raise a ValueError if the content could not be read back later."""
    try:
        with ZipFile(io.BytesIO(dumps(content))) as archive:
            names = names_in(_schema(archive), archive, max_size=1 << 62)
        local = sorted(name for name in names.objects | names.others if "<" in name)
        if local:  # skops finds them by name, which a lambda does not have
            raise StoredTreeError(f"no module has {local} under a name of their own")
    except Exception as error:
        raise ValueError(f"the estimator's parameters cannot be read back: {error}") from error


def require_writable(target: Path) -> None:
    """Raise a ValueError where no file can be written; remove what killed writes have left."""
    folder = target.parent
    try:
        if not folder.is_dir():
            raise ValueError(
                f"path must be in an existing directory. Got {folder}, which is not one."
            )
        if os.path.lexists(target) and not target.is_file():
            kind = "a directory" if target.is_dir() else "no regular file"
            raise ValueError(f"path must be that of a file. Got {target}, which is {kind}.")
        left_over = re.compile(re.escape(f"{target.name}.") + "[a-z0-9_]{8}" + re.escape(_PART))
        for path in folder.iterdir():
            if left_over.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)
        handle, temporary = _open_temporary(target)
        os.close(handle)
        os.unlink(temporary)
    except OSError as error:
        raise ValueError(f"path must be one that can be written. Got {target}: {error}") from error


def write(target: Path, payload: bytes) -> None:
    """Write all or nothing: a temporary file next to the target, flushed to disk, then renamed.

    A file that is there keeps its mode; a new one is the owner's alone.
    """
    handle, temporary = _open_temporary(target)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_HEADER + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _open_temporary(target: Path) -> tuple[int, str]:
    return tempfile.mkstemp(prefix=f"{target.name}.", suffix=_PART, dir=target.parent)


def read(path: Path, trusted: set[str], max_size: int) -> Any:
    """Return the content of a checkpoint; all of it is checked before anything is built.

    Raises
    ------
    OSError
        Where there is no file, or none that can be read.
    Exception
        Of any kind, where the file is not one that was written here.
    """
    payload = _payload(path, max_size)
    with ZipFile(io.BytesIO(payload)) as archive:
        if any(member.compress_type != ZIP_STORED for member in archive.infolist()):
            raise StoredTreeError("is compressed, which no checkpoint is.")
        schema, here = _schema(archive), _protocol_here()
        if schema["protocol"] != here:
            raise StoredTreeError(
                f"is of skops' protocol {schema['protocol']!r}, and the skops that is here writes "
                f"{here}. Resume it with the version that wrote it."
            )
        names = names_in(schema, archive, max_size)
    refused = names.refused(trusted)
    if refused:
        raise StoredTreeError(
            f"holds types that are not trusted: {sorted(refused)}. Where you know them to be "
            f"harmless, name them in trusted.{_hint(refused)}"
        )
    return skops_io().loads(payload, trusted=sorted(names.objects | names.others))


def _hint(refused: set[str]) -> str:
    if any(name.startswith("sklearn_gd.dask.") for name in refused):
        return " Those of sklearn_gd.dask are known once it is imported."
    return ""


def _payload(path: Path, max_size: int) -> bytes:
    """Return what stands behind the header, where that and the digest are right."""
    if path.exists() and not path.is_file():  # reading from a pipe might never end
        raise StoredTreeError("is no regular file.")
    with open(path, "rb") as file:
        if file.read(len(_HEADER)) != _HEADER:
            raise StoredTreeError("is no checkpoint of sklearn_gd.")
        digest = file.read(_DIGEST_LINE)
        size = os.fstat(file.fileno()).st_size - file.tell()
        if size > max_size:
            raise StoredTreeError(f"is larger than max_size={max_size} bytes.")
        payload = file.read(max(0, size))
    if hashlib.sha256(payload).hexdigest().encode() + b"\n" != digest:
        raise StoredTreeError("is truncated or was altered: its digest does not match.")
    return payload


def _schema(archive: ZipFile) -> Any:
    return json.loads(archive.read("schema.json"))


def _protocol_here() -> Any:
    """Return how the skops that is here writes: nodes of other protocols have other parts."""
    with ZipFile(io.BytesIO(dumps(None))) as archive:
        return _schema(archive)["protocol"]


def skops_io() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            "Checkpoints need skops: pip install 'sklearn-gd[checkpoint]'"
        ) from error
    return skops.io
