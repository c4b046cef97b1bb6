"""Device and number format of the model, and the error for a lack of memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar, cast

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from eval.errors import UserError
from policies.base import CARD
from policies.device_names import DTYPES, check_device, check_dtype

ATTENTION = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)


def attention_kernels(device: torch.device) -> AbstractContextManager[None]:
    """Which kernels compute attention on a GPU: not cuDNN's, which are built anew for every length, and fail in a process in
    which SAPIEN renders, too (cuDNN 9 of torch 2.11 on an H200: ``mha_graph.execute`` is not good)."""
    return nullcontext() if device.type != "cuda" else cast(AbstractContextManager[None], sdpa_kernel(list(ATTENTION)))


def choose_device(text: str) -> torch.device:
    """``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``."""
    available = torch.cuda.is_available()
    if text == "auto":
        return torch.device("cuda" if available else "cpu")
    check_device(text)
    device = torch.device(text)
    if device.type == "cuda":
        if not available:
            why = "this torch was built without CUDA" if torch.version.cuda is None else "torch finds no GPU or no driver"
            raise UserError(f"--device {text} is not possible: {why}. Use --device cpu, or see `nvidia-smi`.")
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            known = "there is 1 GPU, cuda:0" if count == 1 else f"there are {count} GPUs, from cuda:0 to cuda:{count - 1}"
            raise UserError(f"--device {text} is not possible: {known}.")
    return device


def choose_dtype(text: str, device: torch.device) -> torch.dtype:
    """``auto`` is bfloat16 on a GPU, float32 on the CPU."""
    check_dtype(text)
    if text == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return cast(torch.dtype, getattr(torch, DTYPES[text]))


def device_name(device: torch.device) -> str:
    """``cpu``, or the GPU with its model."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def known_name(device: torch.device) -> str:
    """The same as whoever started several processes, each with a GPU of its own, knows it: they all call theirs cuda:0."""
    name = device_name(device)
    return name.replace(str(device), os.environ[CARD], 1) if device.type == "cuda" and CARD in os.environ else name


def brought(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The tensor on ``device``; a GPU fetches it when it comes to it, and nobody waits for what it still works on."""
    if device.type == "cuda" and not tensor.is_cuda:
        return tensor.contiguous().pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def check_memory(device: torch.device, needed: int) -> None:
    """``UserError`` if the GPU has less than ``needed`` bytes left."""
    if device.type != "cuda":
        return
    free, total = torch.cuda.mem_get_info(device)
    if needed > free:
        raise UserError(
            f"The weights need {needed / 1e9:.1f} GB, but {device} has {free / 1e9:.1f} of {total / 1e9:.1f} GB free. {_REMEDY}"
        )


@contextmanager
def explain_out_of_memory(device: torch.device | str, remedy: str | None = None) -> Iterator[None]:
    """Turns running out of memory, of a GPU or of the machine, into one line.

    Args:
        device: where the model is, or as ``--device`` says it.
        remedy: what to do about it.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and NO_MEMORY not in str(error):
            raise
        where = f" on {device}" if isinstance(error, torch.OutOfMemoryError) and str(device) != "auto" else ""
        raise UserError(f"There is not enough memory{where} for this batch. {remedy or _REMEDY}") from error


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a GPU."""
    free, _ = torch.cuda.mem_get_info(device)
    return int(free)


Made = TypeVar("Made")


def in_batches_that_fit(work: Callable[[], Made], smaller: Callable[[], bool], device: torch.device) -> Made:
    """``work()``, again after every out of memory as long as ``smaller()`` finds a way with less.

    Raises UserError if there is no other way.
    """
    while True:
        try:
            return work()
        except torch.OutOfMemoryError as error:
            reason = UserError(f"There is not enough memory on {device} for this batch. {_REMEDY}")
            reason.__cause__ = error.with_traceback(None)  # the frames hold what must be freed
        again = smaller()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        if not again:
            raise reason


def say(line: str) -> None:
    """A line for the user, beside whatever the run prints."""
    print(f"simpler-eval: {line}", file=sys.stderr, flush=True)


@contextmanager
def threads_for(parameters: int, device: torch.device) -> Iterator[None]:
    """One thread for a small model on the CPU: its steps are so short that threads wait for each other, and where
    simulators use the cores as well, they wait twentyfold. ``parameters``: how many the model has."""
    before = torch.get_num_threads()
    if device.type == "cpu" and parameters < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


SMALL = 50_000_000
NO_MEMORY = "can't allocate memory"
"""What torch says in a plain RuntimeError where the machine has no more."""
_REMEDY = (
    "Free the GPU, use fewer --workers or --policy-arg batch=N (smaller batches), --dtype bfloat16, another --device cuda:N, "
    "or --device cpu."
)
