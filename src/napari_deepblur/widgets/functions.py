"""What the dock does, as functions of a layer, for scripts and for magicgui.

They take what the dock would propose for the layer, and what is given goes before it.
"""

# No annotations as strings here: magicgui, which makes a form of them, does not know this module's
# names.

from typing import Annotated, Any

from napari.layers import Image
from napari.types import LayerDataTuple

from napari_deepblur.engine.blur import Scope
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.models import DEFAULT_MODEL, load_model
from napari_deepblur.errors import ImageError
from napari_deepblur.widgets.deblur.deblur_task import deblur_task
from napari_deepblur.widgets.deblur.layers import deblurred_layer, psf_layers
from napari_deepblur.widgets.deblur.readiness import Resolved, resolve
from napari_deepblur.widgets.deblur.settings import DeblurSettings
from napari_deepblur.widgets.deblur.tasks import estimate_task
from napari_deepblur.widgets.layers.facts import facts_of, pixels_of

__all__ = ["deblur_layer", "estimate_psf_of_layer"]

#: A number with the digits that a form needs, where 0 stands for none.
Number = Annotated[float, {"min": 0.0, "step": 0.0001}]


def estimate_psf_of_layer(
    layer: Image,
    per: Scope | None = None,
    *,
    model: str = DEFAULT_MODEL,
    numerical_aperture: Number = 0.0,
    wavelength_um: Number = 0.0,
    refractive_index: Number = 0.0,
    pixel_size_um: Number = 0.0,
    z_step_um: Number = 0.0,
) -> list[LayerDataTuple]:
    """Read the PSF off a layer.

    Parameters
    ----------
    layer
        Observed image.
    per
        ``plane``, ``stack`` or ``volume``; by default what the dock would propose.
    model
        Bundled name or folder of a model.
    numerical_aperture, wavelength_um, refractive_index, pixel_size_um, z_step_um
        Optics and distance between planes, lengths in µm; 0 for what the layer and its file state.

    Returns
    -------
        Layers of the PSF, beside the image and on its scale. The blur that can be saved comes from
        `napari_deepblur.estimate_blur`.

    Raises
    ------
    ImageError
        If the layer cannot be used, or a value is missing: the message says what to do.
    """
    wanted = _wanted(
        layer,
        per=per,
        model=model,
        numerical_aperture=numerical_aperture,
        wavelength_um=wavelength_um,
        refractive_index=refractive_index,
        pixel_size_um=pixel_size_um,
        z_step_um=z_step_um,
    )
    estimated = finish(estimate_task(pixels_of(layer), wanted))
    return [(data, arguments, "image") for data, arguments in psf_layers(layer, estimated)]


def deblur_layer(
    layer: Image,
    per: Scope | None = None,
    *,
    model: str = DEFAULT_MODEL,
    numerical_aperture: Number = 0.0,
    wavelength_um: Number = 0.0,
    refractive_index: Number = 0.0,
    pixel_size_um: Number = 0.0,
    z_step_um: Number = 0.0,
) -> LayerDataTuple:
    """Read the blur off a layer and take it out.

    Parameters
    ----------
    layer
        Observed image.
    per
        ``plane``, ``stack`` or ``volume``; by default what the dock would propose.
    model
        Bundled name or folder of a model.
    numerical_aperture, wavelength_um, refractive_index, pixel_size_um, z_step_um
        Optics and distance between planes, lengths in µm; 0 for what the layer and its file state.

    Returns
    -------
        The deblurred layer, on the grid and in the units of the observed one; its metadata say how
        it was made and what the check found.

    Raises
    ------
    ImageError
        If the layer cannot be used, or a value is missing: the message says what to do.
    """
    wanted = _wanted(
        layer,
        per=per,
        model=model,
        numerical_aperture=numerical_aperture,
        wavelength_um=wavelength_um,
        refractive_index=refractive_index,
        pixel_size_um=pixel_size_um,
        z_step_um=z_step_um,
    )
    data, arguments = deblurred_layer(layer, finish(deblur_task(pixels_of(layer), wanted, None)))
    return data, arguments, "image"


def _wanted(layer: Image, **chosen: Any) -> Resolved:
    """Judge what is asked for, as the dock does."""
    given: dict[str, Any] = {name: value or None for name, value in chosen.items()}
    settings = DeblurSettings(**given)
    coarsest_cutoff = load_model(settings.model).coarsest_cutoff
    wanted = resolve(settings, facts_of(layer), coarsest_cutoff=coarsest_cutoff)
    if not wanted.can_run:
        raise ImageError(wanted.message)
    return wanted
