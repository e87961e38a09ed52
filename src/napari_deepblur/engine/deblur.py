"""Deblur an image whose blur is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.devices import Device, memory_guard, resolve_device
from napari_deepblur.engine.events import Job, Progress, Warned, finish
from napari_deepblur.engine.evidence import softened_where_loud, supported_detail
from napari_deepblur.engine.models import Model, load_model
from napari_deepblur.engine.noise import NoiseModel, noise_model
from napari_deepblur.engine.plausibility import check_sampling_job
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.deblur import deblur_volumes_job
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.networks.unrolled import Unrolled
    from napari_deepblur.operators import LinearOperator
    from napari_deepblur.operators.fourier_blur import FourierBlur

__all__ = ["deblur", "deblur_job", "outside_training"]

#: Least noise that the network is told by that of the noisiest place: into what it takes for
#: noiseless beside a noisy place it draws structure.
_LEAST_NOISE = 0.14


def deblur(
    image: Any,
    blur: BlurEstimate | VolumeBlurEstimate,
    *,
    model: str | Path | Model | None = None,
    axes: str | None = None,
    device: Device = "auto",
) -> NDArray[np.float32]:
    """Take the blur out of an image, plane by plane or of whole volumes.

    Parameters
    ----------
    image
        Observed, counts, shape (…, Y, X) with up to five axes.
    blur
        As estimated from it, or from another image of the same microscope.
    model
        Whose deblurring network to use; by default that of the blur's model. A 3-D blur needs
        none.
    axes
        Letters of TCZYX, one per dimension; by default the last ones.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Returns
    -------
        Sharper image, float32, same shape and unit, same flux in each plane, or in each volume of
        a 3-D blur. Hot pixels are
        repaired first, or each would become a bright point; their excess is no flux. Blank
        planes stay as they are.

    Raises
    ------
    ImageError
        If the image cannot be used or has another number of planes than the blur.
    ModelError
        If the model is unknown or damaged.
    DeviceError
        If the device is absent or out of memory.
    """
    if isinstance(blur, VolumeBlurEstimate):
        return finish(deblur_volumes_job(image, blur, axes=axes))
    return finish(deblur_job(image, blur, model=model, axes=axes, device=device))


def deblur_job(
    image: Any,
    blur: BlurEstimate,
    *,
    model: str | Path | Model | None = None,
    axes: str | None = None,
    device: Device = "auto",
) -> Job[NDArray[np.float32]]:
    """`deblur` as a job: yields before the work on a plane, and after each of its iterations."""
    import torch

    planes = Planes.of(image, axes)
    yield from check_sampling_job(blur.optics)
    blur.require_fit(planes)
    opened = load_model(blur.model if model is None else model)
    outside = outside_training(opened, blur.optics)
    if outside is not None:
        yield Warned(outside)
    with memory_guard():
        network: Unrolled = opened.network("deblurring", resolve_device(device))
        total = len(planes) * network.n_iterations
        yield Progress(0, total, "deblurring")
        sharp = np.empty(planes.shape, np.float32)
        flat = sharp.reshape(-1, *planes.plane_shape)
        for index in range(len(planes)):
            yield Progress(index * network.n_iterations, total, "deblurring")
            plane = planes.unless_blank(index)
            if plane is None:
                flat[index] = planes.stored(index)
                continue
            with torch.no_grad():
                gamma = blur.coefficients_of(index)
                operator = blur.family.operator(gamma[None], planes.plane_shape)
            observed = ValidPlane.of(plane)
            yield Progress(index * network.n_iterations, total, "deblurring")
            restoration = PlaneRestoration(network, observed, operator, blur.optics.cutoff)
            for step in range(network.n_iterations):
                restoration.advance()
                done = index * network.n_iterations + step + 1
                yield Progress(done, total, "deblurring")
            empty = False if observed.empty is None else observed.empty
            flat[index] = np.where(empty, plane, restoration.result())
        yield Progress(total, total, "deblurring")
    return sharp


class PlaneRestoration:
    """One plane on its way through the network, an iteration at a time.

    Gradients are off within each step, not between them: between, other code runs.

    Parameters
    ----------
    network
        Deblurring network.
    observed
        Plane, counts.
    operator
        Its blur, a batch of one.
    cutoff
        f_c of its optics, cycles per pixel.
    noise
        Noise of the plane; by default as `noise_model` reads it.
    """

    def __init__(
        self,
        network: Unrolled,
        observed: ValidPlane,
        operator: FourierBlur,
        cutoff: float,
        noise: NoiseModel | None = None,
    ) -> None:
        import torch

        from napari_deepblur.networks.photometry import IntensityScale
        from napari_deepblur.operators.masked import Masked

        place = next(network.parameters()).device
        self._observed, self._cutoff = observed, cutoff
        self._operator = operator.to(place)
        self._image = torch.from_numpy(observed.image)[None].to(place)
        self._scale = IntensityScale.of(self._with_data(self._image))
        noise = noise or noise_model(observed.image, cutoff, observed.valid)
        self._noise, self._noise_varies = noise.map(observed.image, cutoff), noise.varies
        level = self._in_scale(_for_network(self._noise) if noise.varies else noise.deviation)
        seen_by: LinearOperator = self._operator
        if observed.valid is not None:
            seen_by = Masked(self._operator, torch.from_numpy(observed.valid).to(place))
        self._estimates = network.iterate(self._scale.normalise(self._image), seen_by, level)

    def advance(self) -> None:
        """Do one iteration."""
        import torch

        with torch.no_grad():
            self._estimate = next(self._estimates)

    def result(self) -> NDArray[np.float32]:
        """Give the current estimate over the field, counts, with the flux of the observed plane."""
        import torch

        # Light is not negative: nothing lies below the dark level, where ringing would go.
        seen = self._operator.crop(self._estimate).clamp_min(0)
        estimate = self._scale.restore(seen)[0].cpu().numpy()
        if self._noise_varies:
            level = self._noise / float(self._scale.span)
            estimate = softened_where_loud(estimate, level, self._cutoff)
        kept = supported_detail(estimate, self._observed.image, self._noise, self._cutoff)
        light = self._scale.normalise(torch.from_numpy(kept).to(self._image))
        # Above the dark level, so that offset and gain of the camera stay what they are.
        before = self._with_data(self._scale.normalise(self._image)).sum()
        after = self._with_data(light).sum()
        light = light * (before / after.clamp_min(1e-6 * light.numel()))
        counts: NDArray[np.float32] = self._scale.restore(light)[0].cpu().numpy()
        return counts

    def _with_data(self, image: Tensor) -> Tensor:
        """Pixels of an image (1, Y, X) that hold data, as an image of one row where some do not."""
        import torch

        valid = self._observed.valid
        if valid is None:
            return image
        return image[:, torch.from_numpy(valid).to(image.device)][:, None]

    def _in_scale(self, noise: NDArray[np.float32] | float) -> Tensor:
        """Noise in the network's scale: one number, shape (1,), or a map, shape (1, Y, X)."""
        import torch

        counts = torch.as_tensor(noise, dtype=torch.float32)[None].to(self._image.device)
        return counts / (self._scale.span if counts.ndim > 1 else self._scale.span[:, 0, 0])


def outside_training(model: Model, optics: Optics) -> Concern | None:
    """Concern about pixels that a model's deblurring network was not trained for, if they are."""
    card = model.card.deblurring
    if card is None:
        return None
    low, high = card.cutoff_range
    if low <= optics.cutoff <= high:
        return None
    return Concern.of(ConcernKind.OUTSIDE_TRAINING, cutoff=optics.cutoff, low=low, high=high)


def _for_network(noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make a map of the noise without places that are all but noiseless."""
    return noise.clip(_LEAST_NOISE * noise.max())
