"""Several processes that train one network, started by torchrun, one for each GPU."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from napari_deepblur.errors import DeviceError

__all__ = ["Processes", "joined", "own_device"]

# The others wait as long as the first one validates.
_PATIENCE = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Processes:
    """One process among all that share the training.

    Attributes
    ----------
    rank
        Its number, from 0.
    n
        How many there are.
    """

    rank: int = 0
    n: int = 1

    @classmethod
    def of_environment(cls) -> Processes:
        """Read the environment that torchrun sets; without it there is one process."""
        if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
            return cls()
        return cls(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))

    @property
    def is_first(self) -> bool:
        """True for the process that validates, logs, writes files and shows progress for all."""
        return self.rank == 0

    def share(self, n_parts: int) -> range:
        """Numbers of the parts of a batch that this process learns from."""
        return range(self.rank, n_parts, self.n)

    def wait(self) -> None:
        """Wait until all processes have come so far."""
        if self.n > 1:
            distributed.barrier()

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the processes, all in one message."""
        if self.n == 1:
            return
        sums = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(sums)
        for tensor, values in zip(
            tensors, sums.split([tensor.numel() for tensor in tensors]), strict=True
        ):
            tensor.copy_(values.view_as(tensor))


def own_device(device: torch.device) -> torch.device:
    """Device of this process: on a machine with several GPUs each process has its own.

    Raises
    ------
    DeviceError
        If there are more processes than GPUs, or if the device cannot be shared.
    """
    if Processes.of_environment().n == 1 or device.type == "cpu":
        return device
    if device.type != "cuda":
        raise DeviceError(f"several processes cannot share the device {device.type!r}: use cpu")
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if number >= torch.cuda.device_count():
        raise DeviceError(
            f"process {number + 1} of this machine has no GPU: there are "
            f"{torch.cuda.device_count()}, start no more processes than that"
        )
    return torch.device("cuda", number)


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Connect the processes, by NCCL on GPUs and by Gloo elsewhere, until the block ends.

    Parameters
    ----------
    device
        That of this process.

    Yields
    ------
    Processes
        This one among them.
    """
    processes = Processes.of_environment()
    if processes.n == 1:
        yield processes
        return
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        rank=processes.rank,
        world_size=processes.n,
        timeout=_PATIENCE,
        device_id=device if on_gpu else None,
    )
    try:
        yield processes
        # All leave together: one that ends before the first has written its files may be
        # taken for lost, and then torchrun ends the first as well.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
