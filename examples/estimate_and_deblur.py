"""Estimate the blur of a sample image, take it out, and compare both with the truth.

Writes `blur.json` and `sharp.tif` into the current folder.
"""

from __future__ import annotations

import tifffile
import torch

import napari_deepblur as ndb
from napari_deepblur.engine.metrics import psf_snr, psnr
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.samples import SAMPLES

sample = SAMPLES["podosomes"]()

blur = ndb.estimate_blur(sample.image, optics=sample.optics, axes=sample.axes)
print(f"{'coefficient (waves)':24} true    estimated ± 2 std (95 %)")
# The sample has seven modes; the model adds spherical aberration and an extra blur, here 0.
truth = [*sample.coefficients[0], 0, 0]
rows = zip(blur.coefficient_names, truth, blur.coefficients[0], blur.std[0], strict=True)
for name, true, estimated, std in rows:
    print(f"{name:24} {true:+.3f}  {estimated:+.3f} ± {2 * std:.3f}")
for reason in blur.concerns[0]:
    print(f"the estimate may be wrong: {reason}")

pupil = ZernikeFamily().at_cutoff(sample.optics.cutoff)
true_psf = pupil.psf(torch.from_numpy(sample.coefficients[0]))
print(f"PSF-SNR {float(psf_snr(torch.from_numpy(blur.psf()), true_psf)):.1f} dB")

sharp = ndb.deblur(sample.image, blur)
truth = torch.from_numpy(sample.sharp)
before = float(psnr(torch.from_numpy(sample.image.astype("float32")), truth))
after = float(psnr(torch.from_numpy(sharp), truth))
print(f"PSNR {before:.2f} dB observed, {after:.2f} dB deblurred")

# What can be said without the truth.
check = ndb.check_deblurring(sample.image, sharp, blur)
print(f"residual {check.residual[0]:.2f} × noise, {check.flux_moved[0]:.0%} of the light moved")
for reason in check.concerns[0]:
    print(f"the deblurred image may be wrong: {reason}")

blur.save("blur.json", overwrite=True)
tifffile.imwrite("sharp.tif", sharp)
