"""The package that reads and writes Parquet is an extra: one line where it is missing."""

from __future__ import annotations

from eval.errors import needs_extra


def need_pyarrow(what: str) -> None:
    """Raises UserError, which calls it ``what``, if there is no ``pyarrow``."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise needs_extra(what, "pyarrow", "datasets") from None
