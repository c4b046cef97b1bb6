"""Standard output and error that outlive their readers: what cannot be written is remembered and never stops a run."""

from __future__ import annotations

import io
import os
import select
import sys


class _Descriptor(io.FileIO):
    """A file descriptor whose failures are kept instead of raised."""

    lost: OSError | None = None

    def write(self, data: object) -> int:
        """Number of bytes that were taken, written or not."""
        try:
            while (written := super().write(data)) is None:  # type: ignore[arg-type]
                select.select([], [self], [])  # a terminal that others set to return at once
            return written
        except OSError as error:  # the disk is full, the reader has gone, somebody closed it
            self.lost = self.lost or error
            return memoryview(data).nbytes  # type: ignore[arg-type]


class Output(io.TextIOWrapper):
    """Text on one of the standard descriptors."""

    def __init__(self, descriptor: int, encoding: str, errors: str, line_buffering: bool) -> None:
        self._raw = _Descriptor(descriptor, "w", closefd=False)
        super().__init__(io.BufferedWriter(self._raw), encoding, errors, line_buffering=line_buffering)

    @property
    def lost(self) -> OSError | None:
        """Why something could not be written; None: all of it was."""
        return self._raw.lost

    def close(self) -> None:
        """Nothing but a flush: a policy that closes what it does not own takes no table away."""
        self.flush()


def own_streams() -> None:
    """Replace the streams of this process, unless a caller has done so already (a test, a notebook).

    Characters that their encoding lacks are escaped. A descriptor that the caller closed (``>&-``) is taken: the next file to
    be opened would get its number, and with it whatever is printed.
    """
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):  # writing to 1 shall fail, and be said
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # the lowest free number
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is not None and (stream is not getattr(sys, f"__{name}__") or _number_of(stream) != descriptor):
            continue
        if stream is not None:
            stream.flush()
        encoding, errors = ("utf-8", "strict") if stream is None else (stream.encoding, stream.errors)
        errors = "backslashreplace" if errors == "strict" else errors
        setattr(sys, name, Output(descriptor, encoding, errors, name == "stderr" or os.isatty(descriptor)))


def _number_of(stream: io.TextIOBase) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None
