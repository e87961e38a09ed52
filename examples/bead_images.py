"""Draw what the guide "Calibrate from beads" needs: images of beads, and one of a sample.

Six photographs of one field of beads while the microscope's focus drifts, `beads_0.tif` to
`beads_5.tif`, and filaments seen by the same microscope at the time of the fourth, `sample.tif`,
with the sharp truth `sharp.tif`. All go into the current folder.
"""

from __future__ import annotations

import numpy as np
import tifffile
import torch

import napari_deepblur as ndb
from napari_deepblur.samples.bead_series import draw_bead_series
from napari_deepblur.training.data.scenes import SCENES

OPTICS = ndb.Optics(
    numerical_aperture=1.3, wavelength_um=0.52, pixel_size_um=0.1, refractive_index=1.518
)

series = draw_bead_series(shape=(512, 512), n_beads=64)
for number, image in enumerate(series.images):
    tifffile.imwrite(f"beads_{number}.tif", image.astype(np.uint16))
print(f"wrote {len(series.images)} images of {len(series.positions)} beads")

# The sample is blurred as the beads are: by the operator that they tell of.
result = ndb.calibrate(list(series.images), optics=OPTICS)
operator = result.family.operator(torch.from_numpy(result.coefficients[3]).float(), (512, 512))
generator = torch.Generator().manual_seed(0)
scene = 400 * SCENES["filaments"](1, operator.domain_shape[0], generator)[0]
photons = operator(scene).clamp_min(0) + 20
counts = torch.poisson(photons, generator=generator) + 100
tifffile.imwrite("sample.tif", counts.numpy().astype(np.uint16))
tifffile.imwrite("sharp.tif", (operator.crop(scene) + 120).numpy())
print("wrote sample.tif and sharp.tif")
