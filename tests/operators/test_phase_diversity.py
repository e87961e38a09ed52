"""A focus series tells γ from its twin."""

import pytest
import torch

from napari_deepblur import Optics
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.operators.phase_diversity import resolve_twins
from napari_deepblur.optics.pupil import Pupil

OPTICS = Optics(numerical_aperture=0.85, wavelength_um=0.52, pixel_size_um=0.13)
FAMILY = ZernikeFamily(cutoff=OPTICS.cutoff)
STEP_UM = 0.4


def focus_series(base, *, n_planes=5, focus=2, step_um=STEP_UM):
    """γ of planes of one thin object: a constant aberration and growing defocus."""
    pupil = Pupil(FAMILY.pupil.noll_indices, cutoff=OPTICS.cutoff, optics=OPTICS)
    per_um = (pupil.modes * pupil.weights * pupil.axial).sum(-1)
    z = step_um * (torch.arange(n_planes) - focus)
    return torch.as_tensor(base) + z[:, None] * per_um


def resolve(seen, *, std=0.005, usable=None, step_um=STEP_UM):
    usable = torch.ones(len(seen), dtype=torch.bool) if usable is None else usable
    return resolve_twins(
        seen,
        torch.full_like(seen, std),
        usable=usable,
        z_step_um=step_um,
        family=FAMILY,
        optics=OPTICS,
    )


BASES = [
    [0.02, 0.08, 0.03, 0.05, -0.04, 0.02, 0.07],
    [-0.03, -0.06, 0.05, 0.0, 0.1, -0.1, 0.0],
    [0.0, 0.05, 0.0, -0.1, 0.0, 0.0, 0.0],
]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("direction", [1, -1])
def test_true_signs_come_back(base, direction):
    true = focus_series(base, step_um=direction * STEP_UM)
    noise = 0.005 * torch.randn(true.shape, generator=torch.Generator().manual_seed(0))
    seen = FAMILY.admissible_set.fold(true + noise)
    assert not torch.allclose(seen, true + noise)  # folding did hide some signs
    answer, resolved = resolve(seen, step_um=direction * STEP_UM)
    assert resolved
    torch.testing.assert_close(answer, true + noise)


def test_a_wrong_direction_gives_the_twins():
    true = focus_series(BASES[0])
    answer, resolved = resolve(FAMILY.admissible_set.fold(true), step_um=-STEP_UM)
    assert resolved
    torch.testing.assert_close(answer, FAMILY.admissible_set.twin(true))


def test_what_is_hardly_known_stays_unresolved():
    seen = FAMILY.admissible_set.fold(focus_series(BASES[0]))
    answer, resolved = resolve(seen, std=0.2)
    assert not resolved
    torch.testing.assert_close(answer, seen)


def test_a_stack_with_one_blur_is_no_focus_series():
    seen = torch.tensor(BASES[0]).expand(6, -1)
    answer, resolved = resolve(seen)
    assert not resolved
    torch.testing.assert_close(answer, seen)


def test_unusable_planes_have_no_say():
    true = focus_series(BASES[0], n_planes=6)
    seen = FAMILY.admissible_set.fold(true)
    usable = torch.ones(6, dtype=torch.bool)
    seen[5] = 0.15
    usable[5] = False
    answer, resolved = resolve(seen, usable=usable)
    assert resolved
    torch.testing.assert_close(answer[:5], true[:5])


def test_one_plane_tells_nothing():
    seen = FAMILY.admissible_set.fold(focus_series(BASES[0], n_planes=1))
    assert resolve(seen)[1] is False
