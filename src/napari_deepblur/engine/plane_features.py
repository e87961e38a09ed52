"""Features of the planes of an image, from which networks and likelihood read their blur."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.concerns import Concern, ConcernKind, one_of_each_kind
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.isolated_beads import isolated_beads
from napari_deepblur.engine.models import Model
from napari_deepblur.engine.partition import field_region
from napari_deepblur.engine.plausibility import concerns_of_plane
from napari_deepblur.engine.refinement import spectra_of
from napari_deepblur.engine.resample import resample, sampled_band
from napari_deepblur.engine.stored_plane import parts_with_data, seen_plane_job
from napari_deepblur.engine.tiles import SMALLEST_TILE, Window, tile_places, tile_windows
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.errors import ImageError
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.likelihood.bead_patches import Beads
    from napari_deepblur.likelihood.spectra import RegionSpectra
    from napari_deepblur.networks.encoder import TileEncoder

__all__ = ["PlaneFeatures", "plane_features_job"]

_TILES_AT_A_TIME = 16

#: Side of the parts of a plane that is too large for memory from which its blur is read, pixels,
#: and their number along each axis.
_VIEW, _VIEWS_ALONG = 1024, 4


@dataclass(frozen=True, slots=True)
class PlaneFeatures:
    """Features of the planes of an image.

    Attributes
    ----------
    features
        Features of the tiles of each row that is not blank, shape (T, D).
    rows
        Numbers of those rows.
    concerns
        Concerns of all rows.
    places
        Places of the tiles in the field, for each of those rows, shape (T, 2).
    n_independent_tiles
        Number of tiles that cover a plane side by side.
    band
        Highest frequency along each axis that the camera sampled, cycles per pixel there.
    spectra
        Power spectra of each row that is not blank, if the model refines its estimates by them.
    beads
        Spots that may be isolated beads, of each row that is not blank; None where there are none.
    """

    features: list[Tensor]
    rows: list[int]
    concerns: list[tuple[Concern, ...]]
    places: list[NDArray[np.float32]]
    n_independent_tiles: int
    band: float
    spectra: list[RegionSpectra]
    beads: list[Beads | None]

    def combined(self) -> PlaneFeatures:
        """Combine all planes into one row."""
        import torch

        from napari_deepblur.likelihood.spectra import RegionSpectra

        n, concerns = len(self.concerns), one_of_each_kind(self.concerns)
        blank = sorted(set(range(n)) - set(self.rows))
        if blank:
            others = [concern for concern in concerns if concern.kind is not ConcernKind.BLANK]
            which = ", ".join(map(str, blank))
            concerns = (*others, Concern.of(ConcernKind.BLANK, which=f"of planes {which}"))
        mean = torch.stack(self.features).mean(0)
        places = [np.mean(self.places, 0)]
        spectra = [RegionSpectra.joined(self.spectra)] if self.spectra else []
        combined = replace(self, rows=[0], concerns=[concerns], beads=[_joined(self.beads)])
        return replace(combined, features=[mean], places=places, spectra=spectra)


def _joined(parts: list[Beads | None]) -> Beads | None:
    """Beads of several planes, or parts of one, together."""
    from napari_deepblur.likelihood.bead_patches import Beads

    found = [part for part in parts if part is not None]
    return Beads.joined(found) if found else None


def plane_features_job(
    network: TileEncoder, planes: Planes, optics: Optics, model: Model, total: int
) -> Job[PlaneFeatures]:
    """Compute the features of the planes that are not blank, and the concerns of all."""
    import torch

    from napari_deepblur.likelihood.spectra import RegionSpectra

    band = sampled_band(model.family.seen_ratio(optics))
    encoded = PlaneFeatures([], [], [], [], 0, band, [], [])
    for index in range(len(planes)):
        at = Progress(index, total, "estimating the blur")
        yield at
        observed = yield from seen_plane_job(planes, index, at)
        parts = [] if observed is None else parts_with_data(observed, _VIEW, _VIEWS_ALONG)
        views = []
        for part, window in parts:
            yield at
            look_job = _view_job(
                network,
                part,
                window,
                model,
                plane_shape=planes.plane_shape,
                optics=optics,
                at=at,
            )
            views.append((yield from look_job))
        if not views:
            encoded.concerns.append((Concern.of(ConcernKind.BLANK, which="of this plane"),))
            continue
        encoded.concerns.append(one_of_each_kind([view.concerns for view in views]))
        encoded.places.append(np.concatenate([view.places for view in views]))
        encoded.features.append(torch.cat([view.features for view in views]))
        spectra = [view.spectra for view in views if view.spectra is not None]
        if spectra:
            encoded.spectra.append(RegionSpectra.joined(spectra))
        encoded.beads.append(_joined([view.beads for view in views]))
        encoded.rows.append(index)
        encoded = replace(encoded, n_independent_tiles=sum(v.n_independent_tiles for v in views))
    if not encoded.rows:
        planes[0]  # raises, and says why
    return encoded


@dataclass(frozen=True, slots=True)
class _View:
    """Features of a plane, or of a part of a large one: see `PlaneFeatures`."""

    features: Tensor
    places: NDArray[np.float32]
    concerns: tuple[Concern, ...]
    n_independent_tiles: int
    spectra: RegionSpectra | None
    beads: Beads | None


def _view_job(
    network: TileEncoder,
    observed: ValidPlane,
    window: Window,
    model: Model,
    *,
    plane_shape: tuple[int, int],
    optics: Optics,
    at: Progress,
) -> Job[_View]:
    """Look at a part of a plane, which lies in some window of it."""
    ratio = model.family.seen_ratio(optics)
    band, density = sampled_band(ratio), model.family.tile_density
    concerns = concerns_of_plane(observed, optics, model.coarsest_cutoff)
    yield at
    canonical = _at_canonical_cutoff(observed.image, optics, ratio)
    yield at
    beads = None if model.varies else isolated_beads(observed, optics)
    yield at
    valid = observed.on_grid(canonical.shape)
    windows = tile_windows(canonical.shape, density=density, valid=valid)
    low, high = field_region(window, plane_shape)
    places = low + (high - low) * (tile_places(canonical.shape, windows) + 1) / 2
    tiles = np.stack([canonical[window] for window in windows])
    features = yield from _encode_job(network, tiles, band, at)
    spectra = None
    if model.spectral_prior is not None:
        spectra = _spectra(canonical, band, None if valid is None else windows)
    n_independent = len(tile_windows(canonical.shape))
    return _View(features, places.astype(np.float32), concerns, n_independent, spectra, beads)


def _spectra(
    canonical: NDArray[np.float32], band: float, windows: list[Window] | None
) -> RegionSpectra:
    """Compute the power spectra of a plane, or of some of its windows, side by side."""
    from napari_deepblur.likelihood.spectra import RegionSpectra

    if windows is None:
        return spectra_of(canonical, band)
    free, apart = np.ones(canonical.shape, bool), []
    for window in windows:
        if free[window].all():
            free[window] = False
            apart.append(canonical[window])
    return RegionSpectra.joined([spectra_of(np.ascontiguousarray(part), band) for part in apart])


def _at_canonical_cutoff(
    plane: NDArray[np.float32], optics: Optics, ratio: float
) -> NDArray[np.float32]:
    canonical = resample(plane, ratio)
    if min(canonical.shape) < SMALLEST_TILE:
        raise ImageError(
            f"the field, {plane.shape[0]} × {plane.shape[1]} pixels of {optics.pixel_size_um:g} "
            f"µm, is only {min(canonical.shape)} blur widths (λ / 4NA) wide, at least "
            f"{SMALLEST_TILE} are needed: take a larger field, or check the pixel size"
        )
    return canonical


def _encode_job(
    network: TileEncoder, plane_tiles: NDArray[np.float32], band: float, at: Progress
) -> Job[Tensor]:
    """Compute the features of the tiles of a plane, shape (T, D)."""
    import torch

    place = next(network.parameters()).device
    tiles = torch.from_numpy(plane_tiles)
    features = []
    for part in network.standardise(tiles[None].to(place))[0].split(_TILES_AT_A_TIME):
        with torch.no_grad():
            features.append(network.encode_each(part, band=band))
        yield at
    return torch.cat(features)
