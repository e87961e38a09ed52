"""The few errors that a user can act upon, each a single clear line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["DeviceError", "ImageError", "ModelError", "SamplingError", "describe"]


class ImageError(ValueError):
    """The image cannot be used; the message says what to change."""


class SamplingError(ImageError):
    """The pixels are larger than λ / 2NA, or absurdly small: no blur can be estimated."""


class ModelError(ValueError):
    """A model folder is missing, damaged or foreign."""


class DeviceError(RuntimeError):
    """The computing device is absent or its memory is exhausted."""


def describe(error: Exception) -> str:
    """One line for the user, whatever the exception's own layout."""
    # pydantic's message spans several lines and names internals; its parts do not.
    if hasattr(error, "errors") and callable(error.errors):
        return _describe_validation(error)  # type: ignore[arg-type]
    text = " ".join(str(error).split())
    return text or type(error).__name__


def _describe_validation(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"])
        message = str(item["msg"]).removeprefix("Value error, ")
        lines.append(message if not field or field in message else f"{field}: {message}")
    return "; ".join(lines)
