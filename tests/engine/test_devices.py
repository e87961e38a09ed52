"""Devices that are absent and memory that is exhausted."""

import pytest
import torch

from napari_deepblur.engine.devices import memory_guard, resolve_device
from napari_deepblur.errors import DeviceError


def test_cpu_is_always_there():
    assert resolve_device("cpu") == torch.device("cpu")


def test_auto_takes_what_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_an_absent_gpu_is_said_to_be_absent(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=f"'{device}'.*not there.*auto or cpu"):
        resolve_device(device)


def test_an_unknown_device():
    with pytest.raises(DeviceError, match="'tpu'.*auto, cpu, cuda or mps"):
        resolve_device("tpu")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 4611686018427387904 bytes. Error code 12"
        ),
    ],
    ids=["cuda", "python", "cpu"],
)
def test_exhausted_memory_becomes_one_clear_error(error):
    with (
        pytest.raises(DeviceError, match="out of memory: crop the image") as caught,
        memory_guard(),
    ):
        raise error
    assert caught.value.__cause__ is error


def test_the_cpu_allocators_own_words_are_understood():
    with pytest.raises(DeviceError, match="out of memory"), memory_guard():
        torch.empty(2**60, dtype=torch.uint8)


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("other")])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, memory_guard():
        raise error
    assert caught.value is error


def test_nothing_happens_without_error():
    with memory_guard():
        pass
