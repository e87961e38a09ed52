"""Computing devices, and errors where one is absent or its memory full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from napari_deepblur.errors import DeviceError

if TYPE_CHECKING:
    import torch

__all__ = [
    "Device",
    "free_memory",
    "is_out_of_memory",
    "memory_guard",
    "multiplies_bfloat16",
    "resolve_device",
]

Device = Literal["auto", "cpu", "cuda", "mps"]


def resolve_device(device: Device) -> torch.device:
    """Find the computing device of a name; ``auto`` takes a GPU where there is one.

    Raises
    ------
    DeviceError
        If that device is not there.
    """
    import torch

    available: dict[Device, bool] = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        device = next(name for name, there in available.items() if there)
    if device not in available:
        raise DeviceError(f"unknown device {device!r}: use auto, cpu, cuda or mps")
    if not available[device]:
        raise DeviceError(f"device {device!r} was asked for but is not there: use auto or cpu")
    return torch.device(device)


@contextmanager
def memory_guard() -> Iterator[None]:
    """Turn exhausted memory, however it shows itself, into one clear error.

    torch raises RuntimeErrors for it, and those vanish in some GUI workers.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise DeviceError(_OUT_OF_MEMORY) from error
        raise


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an error of numpy or torch says that memory is exhausted."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # The CPU allocator has no class of its own.
    text = str(error).lower()
    return isinstance(error, RuntimeError) and "alloc" in text and "memory" in text


def free_memory(device: torch.device) -> int:
    """Memory of a device that is free, bytes; on a Mac's GPU that of the computer."""
    import psutil
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Tell whether a processor multiplies matrices of bfloat16, some times faster than of float32.

    On a GPU float32 is fast enough.
    """
    import torch

    if device.type != "cpu":
        return False
    # Older versions of torch cannot tell.
    able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


_OUT_OF_MEMORY = (
    "out of memory: crop the image or give fewer planes, close other programs, "
    "or choose the device cpu"
)
