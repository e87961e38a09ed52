"""Libraries that take long to load, loaded without stopping the window."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
from pathlib import Path

__all__ = ["load_libraries"]

#: torch's library without its Python part, in the order in which torch itself loads it: through
#: the first one the other finds the symbols of the mathematical libraries.
_OF_TORCH = {"libtorch_global_deps": True, "libtorch": False}
_ENDINGS = {"linux": ".so", "darwin": ".dylib"}


def load_libraries() -> None:
    """Load what a task computes with, and what the window then draws its result with.

    To be called in the task's thread.
    """
    _load_torch_library()
    importlib.import_module("pyqtgraph")


def _load_torch_library() -> None:
    """Load the library that ``import torch`` needs, with Python free to go on meanwhile.

    The import itself holds the interpreter while the library sets itself up, for a fifth to a
    third of a second; C functions that are called through `ctypes` do not. Where that cannot be
    done nothing is, and the import does it all: on Windows, where torch calls the loader in the
    same way, and where torch lies elsewhere.
    """
    ending = _ENDINGS.get(sys.platform)
    if ending is None or "torch" in sys.modules:
        return
    found = importlib.util.find_spec("torch")
    for folder in (found and found.submodule_search_locations) or ():
        dlopen = ctypes.CDLL(None).dlopen
        dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
        for name, is_global in _OF_TORCH.items():
            path = Path(folder, "lib", name + ending)
            dlopen(os.fsencode(path), os.RTLD_NOW | (os.RTLD_GLOBAL if is_global else 0))
