"""The processes that train one model together, each with a share of the samples of a step, of the weights, and of the
optimizer (PyTorch's FSDP2); a process alone is a group of one, in which all of this does nothing.

Every process must come to each of these calls: what one waits for, the others must be there to give.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import warnings
from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from eval.errors import UserError
from policies.phi3v.device import choose_device, device_name
from policies.phi3v.model import Phi3V
from policies.training import Place

PATIENCE = datetime.timedelta(days=2)
"""How long a process waits for the others, which may be playing or writing; who started them sees if one dies."""


class Group:
    """A process among the others.

    Args:
        place: which of them it is; None: it is alone.
        device: as ``--device`` says it.

    Raises:
        UserError: the device is not there, or there are fewer GPUs than processes.
    """

    def __init__(self, place: Place | None, device: str) -> None:
        self.rank, self.count = (0, 1) if place is None else (place.rank, place.count)
        if place is None:
            self.device = choose_device(device)
            return
        self.device = _own_device(place, device)
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // self.count))
        if self.rank:
            warnings.filterwarnings("ignore")  # the first one has said them
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        else:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all are on this machine, whatever its name resolves to
        on_gpu = self.device.type == "cuda"
        dist.init_process_group(
            "nccl" if on_gpu else "gloo", init_method=f"file://{place.meeting}", rank=self.rank, world_size=self.count,
            timeout=PATIENCE, device_id=self.device if on_gpu else None,
        )  # fmt: skip

    def close(self) -> None:
        """Part; call it when all is done."""
        if self.count > 1:
            dist.destroy_process_group()

    @property
    def name(self) -> str:
        """Where it trains, for the user."""
        name = device_name(self.device)
        return name if self.count == 1 else f"{self.count} processes, the first on {name}"

    @contextlib.contextmanager
    def first_alone(self) -> Iterator[None]:
        """What is in it is done by the first process, then by all others, who find the files that the first one wrote."""
        if self.rank:
            dist.barrier()
        yield
        if self.count > 1 and not self.rank:
            dist.barrier()

    def first_says(self, flag: bool) -> bool:
        """What the first process thinks."""
        if self.count == 1:
            return flag
        said = torch.tensor(int(flag), device=self.device)
        dist.broadcast(said, 0)
        return bool(said)

    def total(self, numbers: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.count == 1:
            return numbers
        numbers = numbers.to(self.device, torch.float64)
        dist.all_reduce(numbers)
        return numbers

    # ---- weights -------------------------------------------------------------------------------------------------

    def divide(self, network: nn.Module, model: Phi3V) -> None:
        """Leave every process with its share of all weights, in place; parameters are others afterwards.

        Args:
            network: what is called; the model is in it. Outside of its call, weights are in pieces.
            model: whose blocks are put together one at a time, when it is their turn.
        """
        if self.count == 1:
            return
        mesh = init_device_mesh(self.device.type, (self.count,))
        on_gpu = self.device.type == "cuda"
        precision = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if on_gpu else MixedPrecisionPolicy()
        for block in model.blocks:
            fully_shard(block, mesh=mesh, mp_policy=precision)
        fully_shard(network, mesh=mesh, mp_policy=precision)

    def whole(self, tensor: Tensor) -> Tensor:
        """A weight in one piece, which the first process gets; the others get nothing, an empty one."""
        if self.count == 1:
            return tensor
        full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        return full.cpu() if not self.rank else torch.empty(0)


def divided_as(parameter: Tensor, stored: Tensor) -> Tensor:
    """The share of a stored tensor that a process has of a parameter; all of it where the parameter is in one piece."""
    stored = stored.to(parameter.device, parameter.dtype)
    if not isinstance(parameter, DTensor):
        return stored
    divided: Tensor = distribute_tensor(stored, parameter.device_mesh, parameter.placements, src_data_rank=None)
    return divided


def _own_device(place: Place, text: str) -> torch.device:
    device = choose_device(text)
    if device.type == "cpu" and text != "cpu":
        raise UserError(
            f"--gpus {place.count} is not possible: torch finds no GPU. Leave it out, or say --device cpu for as many "
            "processes on the CPU."
        )
    if device.type == "cpu":
        return device
    if device.index is not None:
        raise UserError(f"--gpus takes the first GPUs, not --device {text}; choose them with CUDA_VISIBLE_DEVICES.")
    there = torch.cuda.device_count()
    if place.count > there:
        raise UserError(f"--gpus {place.count} is not possible: {there} can be seen here (`nvidia-smi`, CUDA_VISIBLE_DEVICES).")
    return torch.device("cuda", place.rank)
