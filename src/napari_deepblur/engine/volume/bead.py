"""Pupil of a microscope from a z-stack of one bead: least squares, as the sample is known.

A bead far smaller than the blur is a point. Then nothing of the blur can be taken for detail of the
sample, and the stack tells the width of the PSF, too, which a stack of an unknown sample does not.
Phase retrieval by a parametric pupil: B. M. Hanser et al., J. Microsc. 216 (2004).
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.devices import memory_guard
from napari_deepblur.engine.events import Job, Progress, finish
from napari_deepblur.engine.plausibility import check_sampling_job
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.photons import photons_of
from napari_deepblur.engine.volume.stack_blur import StackBlur
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.engine.volume.stacks import Region, Stacks
from napari_deepblur.errors import ImageError
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["blur_from_bead", "blur_from_bead_job"]

_STAGE = "fitting the bead"

#: Steps at most; they end where no parameter moves by more than this (waves, voxels, pixels), or
#: where so many in turn explained no more.
_MOST_STEPS = 40
_PRECISION = 1e-3
_PATIENCE = 6

#: No step moves a coefficient further, waves.
_LONGEST_STEP = 0.05

#: Width of the PSF beyond pupil and pixel where the fit begins, pixels, and the least.
_FIRST_WIDTH, _LEAST_WIDTH = 0.5, 0.05

#: Pixels around the cone of light, and the widest part of a stack that is looked at.
_AROUND_CONE, _WIDEST = 12, 128

#: More voxels than these have the highest value only where the camera is saturated.
_MOST_AT_HIGHEST = 8

#: Standard errors of the brightness by which a bead stands out.
_LEAST_CONTRAST = 10.0

#: Share of the bead's energy that a pupil leaves unexplained, above which it is doubted.
_MOST_UNEXPLAINED = 0.15

#: What is added to standard errors for what the model leaves out, waves.
_FLOOR = 0.003


def blur_from_bead(
    stack: Any,
    *,
    optics: Optics,
    z_step_um: float,
    axes: str | None = None,
    light_sheet_fwhm_um: float | None = None,
) -> VolumeBlurEstimate:
    """Read the 3-D blur of a microscope off a z-stack of one bead.

    The brightest bead counts. Its own size is part of the width that is found.

    Parameters
    ----------
    stack
        Observed, counts, shape (Z, Y, X).
    optics
        Microscope and pixel size.
    z_step_um
        From one plane to the next, µm; positive where successive planes lie deeper in the sample.
    axes
        Letters of TCZYX, one per dimension; by default the last ones.
    light_sheet_fwhm_um
        Full width at half maximum of the light sheet, µm; None for widefield.

    Returns
    -------
        Coefficients in waves, and in `stack_optics.broadening_px` the width beyond pupil and
        pixel.

    Raises
    ------
    ImageError
        If the image is no single stack, the bead is saturated, or none stands out of the noise.
    ValueError
        If the z step or the sheet's width is no length.
    """
    return finish(
        blur_from_bead_job(
            stack,
            optics=optics,
            z_step_um=z_step_um,
            axes=axes,
            light_sheet_fwhm_um=light_sheet_fwhm_um,
        )
    )


def blur_from_bead_job(
    stack: Any,
    *,
    optics: Optics,
    z_step_um: float | None,
    axes: str | None = None,
    light_sheet_fwhm_um: float | None = None,
) -> Job[VolumeBlurEstimate]:
    """`blur_from_bead` as a job: yields before each step."""
    if z_step_um is None:
        raise ValueError("a bead's z-stack needs z_step_um, the distance of its planes in µm")
    known = StackOptics(optics, z_step_um, light_sheet_fwhm_um)
    stacks = Stacks.of(stack, axes)
    if stacks.n_volumes != 1:
        raise ImageError(f"one z-stack of a bead is needed, the image has {stacks.n_volumes}")
    yield from check_sampling_job(optics)
    region, peak = yield from _find_bead_job(stacks, known)
    part = stacks.read(0, region)
    _require_bead(part)
    photons = photons_of(part, optics.cutoff).values
    with memory_guard():
        fit = yield from _fit_job(photons, peak, known)
        coefficients = fit.theta[: len(known.noll_indices)].numpy()
        std = fit.std().numpy()
    if fit.contrast < _LEAST_CONTRAST:
        raise ImageError("no bead stands out of the noise: take its stack with more light")
    concerns = []
    if fit.unexplained > _MOST_UNEXPLAINED:
        concerns.append(Concern.of(ConcernKind.NOT_A_BEAD, share=fit.unexplained))
    found = replace(known, broadening_px=float(fit.theta[-1]))
    return VolumeBlurEstimate(coefficients[None], std[None], found, (tuple(concerns),))


def _fit_job(
    photons: NDArray[np.float32], place: tuple[float, ...], known: StackOptics
) -> Job[_BeadFit]:
    import torch

    yield Progress(0, _MOST_STEPS, _STAGE)
    with torch.no_grad():
        fit = _BeadFit(photons, place, known)
    n_failed = 0
    for number in range(1, _MOST_STEPS + 1):
        yield Progress(number, _MOST_STEPS, _STAGE)
        # Gradients are off within each step, not between them: between, other code runs.
        with torch.no_grad():
            length = fit.step()
        n_failed = 0 if length else n_failed + 1
        if 0 < length < _PRECISION or n_failed > _PATIENCE:
            break
    return fit


def _find_bead_job(
    stacks: Stacks, known: StackOptics
) -> Job[tuple[Region, tuple[float, float, float]]]:
    """Part of a stack around its brightest spot, and where in it the spot lies."""
    from scipy.ndimage import gaussian_filter

    brightest, where = -math.inf, (0, 0, 0)
    for z in range(stacks.n_planes):
        yield Progress(z, stacks.n_planes, "looking for the bead")
        smooth = gaussian_filter(stacks.plane(0, z), 1.0)
        if smooth.max() > brightest:
            brightest = float(smooth.max())
            row, column = np.unravel_index(int(smooth.argmax()), smooth.shape)
            where = z, int(row), int(column)
    planes = max(where[0], stacks.n_planes - 1 - where[0])
    cone = planes * known.z_step_um * known.slope / known.optics.pixel_size_um
    half = min(math.ceil(cone) + _AROUND_CONE, _WIDEST // 2)
    whole = stacks.whole
    rows, columns = (
        slice(max(centre - half, 0), min(centre + half, side.stop))
        for centre, side in zip(where[1:], (whole.rows, whole.columns), strict=True)
    )
    region = Region(whole.planes, rows, columns)
    return region, (where[0], where[1] - rows.start, where[2] - columns.start)


def _require_bead(part: NDArray[np.float32]) -> None:
    n_highest = int((part == part.max()).sum())
    if part.min() == part.max():
        raise ImageError("all voxels are equal: there is no bead in the stack")
    if n_highest > _MOST_AT_HIGHEST:
        raise ImageError(
            f"{n_highest} voxels of the bead have the highest value, {part.max():g}, so it is "
            "saturated: take its stack with less light"
        )


class _Look(NamedTuple):
    """Stack that a set of parameters predicts, and what it leaves over."""

    blur: StackBlur
    point: Tensor  # spectrum of the broadened point
    image: Tensor  # of a point of brightness 1, shape (Z, Y, X)
    brightness: float
    background: float
    residual: Tensor

    @property
    def cost(self) -> float:
        return float(self.residual.square().sum(dtype=self.residual.double().dtype))


class _BeadFit:
    """Least-squares fit of a point to a stack by Levenberg's and Marquardt's steps.

    The parameters θ are γ, the place z, y, x in the stack in voxels, and the width in pixels;
    brightness and background follow from them.

    Parameters
    ----------
    photons
        Shape (Z, Y, X).
    place
        Where the bead seems to be, z, y, x.
    known
        Optics of the stack; its broadening does not count.
    """

    def __init__(
        self, photons: NDArray[np.float32], place: tuple[float, ...], known: StackOptics
    ) -> None:
        import torch

        self._photons = torch.from_numpy(photons)
        self._domain = domain = known.domain_of(photons.shape)
        self._pupil = replace(known, broadening_px=0.0).pupil(domain)
        self._prior_std = torch.tensor(known.prior_std)
        self._n_modes = len(known.noll_indices)
        frequencies = (torch.fft.fftfreq(domain[0]), torch.fft.fftfreq(domain[1]))
        z, y, x = torch.meshgrid(*frequencies, torch.fft.rfftfreq(domain[2]), indexing="ij")
        self._frequencies, self._lateral = (z, y, x), y.square() + x.square()
        self.theta = torch.tensor([0.0] * self._n_modes + [*place, _FIRST_WIDTH])
        self._damping = 1e-3
        self._seen = self._look(self.theta)
        self._jacobian = self._derivatives()

    @property
    def unexplained(self) -> float:
        """Energy of the residual beyond the noise, by that of the bead."""
        seen = self._seen
        noise = float((self._photons - seen.residual).clamp_min(0).sum())
        energy = seen.brightness**2 * float(seen.image.square().sum())
        return max(seen.cost - noise, 0.0) / energy

    @property
    def contrast(self) -> float:
        """Brightness of the bead by its standard error."""
        seen = self._seen
        spread = float((seen.image - seen.image.mean()).square().sum())
        return seen.brightness * math.sqrt(spread * self._photons.numel() / seen.cost)

    def std(self) -> Tensor:
        """Compute the standard errors of γ, by a misfit that differs between planes."""
        import torch

        scores = (self._jacobian * self._seen.residual.flatten(1)).sum(-1)
        bread = torch.linalg.inv(self._normal())
        covariance = bread @ (scores @ scores.T) @ bread
        error = (covariance.diag()[: self._n_modes] + _FLOOR**2).sqrt().float()
        return torch.minimum(error, self._prior_std)

    def step(self) -> float:
        """Try a step and take it if it explains more; returns its length, 0 if it was not taken."""
        import torch

        normal, pull = self._normal(), (self._jacobian * self._seen.residual.flatten(1)).sum((1, 2))
        step = torch.linalg.solve(normal + self._damping * normal.diag().diag(), pull)
        step = step[: len(self.theta)].float()
        step *= min(1.0, _LONGEST_STEP / max(float(step[: self._n_modes].abs().max()), 1e-12))
        theta = self.theta + step
        theta[-1] = theta[-1].clamp_min(_LEAST_WIDTH)
        seen = self._look(theta)
        if not seen.cost < self._seen.cost:
            self._damping *= 8
            return 0.0
        self._damping /= 4
        self.theta, self._seen = theta, seen
        self._jacobian = self._derivatives()
        return float(step.abs().max())

    def _look(self, theta: Tensor) -> _Look:
        import torch

        n = self._n_modes
        transfer = self._pupil.transfer(theta[:n])
        blur = StackBlur(transfer, tuple(self._photons.shape), self._domain)
        turns = sum(k * r for k, r in zip(self._frequencies, theta[n:-1], strict=True))
        gaussian = torch.exp(-2 * (math.pi * theta[-1]) ** 2 * self._lateral)
        point = torch.polar(gaussian, -2 * math.pi * turns)
        image = blur.image(transfer * point)
        flat, light = image - image.mean(), self._photons - self._photons.mean()
        brightness = float((flat * light).sum() / flat.square().sum())
        background = float(self._photons.mean()) - brightness * float(image.mean())
        residual = self._photons - brightness * image - background
        return _Look(blur, point, image, brightness, background, residual)

    def _derivatives(self) -> Tensor:
        """Differentiate the stack by θ, brightness and background: shape (n, Z, Y · X)."""
        import torch

        seen, theta = self._seen, self.theta
        pupil = self._pupil.at(theta[: self._n_modes])
        whole = seen.blur.transfer * seen.point
        spectra = chain(
            (slope * seen.point for slope in pupil.transfer_slopes()),
            (-2j * math.pi * frequency * whole for frequency in self._frequencies),
            [-4 * math.pi**2 * theta[-1] * self._lateral * whole],
        )
        images = [seen.brightness * seen.blur.image(part) for part in spectra]
        images += [seen.image, torch.ones_like(seen.image)]
        return torch.stack(images).flatten(2).double()

    def _normal(self) -> Tensor:
        flat = self._jacobian.flatten(1)
        normal: Tensor = flat @ flat.T
        return normal
