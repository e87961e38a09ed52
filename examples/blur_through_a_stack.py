"""How the blur changes with depth in a light-sheet stack: one estimate per plane.

The sample's aberration grows with depth. Shows progress and how a long job is cancelled.
"""

from __future__ import annotations

import torch

import napari_deepblur as ndb
from napari_deepblur.engine.estimate import estimate_blur_job
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.samples import SAMPLES

sample = SAMPLES["spheroid"]()

# A job is a generator of events; `ndb.estimate_blur` runs the same job to its end.
job = estimate_blur_job(sample.image, optics=sample.optics, axes="ZYX", per="plane")
while True:
    try:
        event = next(job)
    except StopIteration as stop:
        blur: ndb.BlurEstimate = stop.value
        break
    print(f"{event.stage}: {event.done} of {event.total}")
    # job.close() would cancel here.

# The sample has seven modes; the model adds spherical aberration and an extra blur.
pupil = ZernikeFamily().at_cutoff(sample.optics.cutoff)
true = torch.from_numpy(sample.coefficients)
estimated = torch.from_numpy(blur.coefficients)
found = blur.family.wavefront(estimated)
snr = psf_snr(blur.family.psf(estimated), pupil.psf(true))
print("depth (µm)  RMS aberration (waves): true, estimated  PSF-SNR (dB)  flagged")
for plane in range(blur.n_planes):
    print(
        f"{plane * sample.z_step_um:10.1f} {true[plane].norm():29.3f} {found[plane].norm():10.3f}"
        f" {snr[plane]:13.1f}  {'no' if blur.in_domain[plane] else '; '.join(blur.concerns[plane])}"
    )

# Planes that share one blur: a single estimate, read off all of them together.
shared = ndb.estimate_blur(sample.image[:3], optics=sample.optics, axes="ZYX", per="stack")
psf = shared.psf()
print(f"PSF of the three upper planes: {psf.shape[0]} × {psf.shape[1]} pixels, sum {psf.sum():.3f}")
