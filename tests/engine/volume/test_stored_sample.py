"""A volume that is worked on piece by piece gives what it gives as a whole."""

import tempfile
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_deepblur as ndb
from helpers.stacks import GAMMA, KNOWN, photographed, points
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.volume import deblur, scratch, stored_blur
from napari_deepblur.engine.volume.deblur import deblur_volumes_job
from napari_deepblur.engine.volume.richardson_lucy import Pace, RichardsonLucy
from napari_deepblur.engine.volume.scratch import Scratch
from napari_deepblur.engine.volume.stack_blur import StackBlur
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.engine.volume.stored_blur import StoredBlur
from napari_deepblur.engine.volume.stored_sample import StoredSample, bytes_of

#: What tiles of a volume may differ from the whole, by the range of the result.
MUST = 1e-3

NARROW = StackOptics(
    ndb.Optics(
        numerical_aperture=0.5, wavelength_um=0.52, pixel_size_um=0.25, refractive_index=1.0
    ),
    1.0,
)
COARSE = StackOptics(KNOWN.optics.model_copy(update={"pixel_size_um": 0.13}), 0.4, 3.0)
MOMENTA = (0.0, 0.3, 0.6, 0.8, 0.8, 0.9)
BLUR = ndb.VolumeBlurEstimate(GAMMA[None], np.full((1, len(GAMMA)), 0.01, np.float32), KNOWN)


def counts_of(shape, known, *, seed):
    transfer = known.pupil(shape).transfer(torch.from_numpy(GAMMA))
    sharp = torch.from_numpy(points(shape, n=int(np.prod(shape)) // 500 + 3, seed=seed))
    seen = torch.fft.irfftn(torch.fft.rfftn(sharp) * transfer, s=shape).clamp_min(0)
    return photographed(seen.numpy())


def whole_sample(stack, known):
    domain = known.domain_of(stack.shape)
    transfer = known.pupil(domain).transfer(torch.from_numpy(GAMMA))
    blur = StackBlur(transfer, stack.shape, domain)
    return RichardsonLucy(torch.from_numpy(stack), 3.0, blur, Pace(2, 0.3, shortens=False))


def sample_in_pieces(stack, known, room):
    blur = StoredBlur(known, GAMMA, stack.shape, room)
    sample = StoredSample(blur, 3.0, n_gentle=2, scratch=room)
    sample.photons[:, :] = stack
    for _ in sample.begin(max(float(stack.mean()) - 3, 0)):
        pass
    return sample


def in_pieces(voxels):
    return patch.multiple(stored_blur, _AT_A_TIME=voxels)


def on_disk():
    return patch.multiple(scratch, MOST_IN_MEMORY=0)


@st.composite
def volumes(draw, shape):
    """Counts, their optics, and how many voxels are worked on at a time."""
    known = draw(st.sampled_from([NARROW, KNOWN, COARSE]))
    stack = counts_of(draw(shape), known, seed=draw(st.integers(0, 99)))
    return stack, known, draw(st.integers(1, 300_000))


@given(
    volumes(st.tuples(st.integers(5, 14), st.integers(24, 90), st.integers(24, 140))),
    st.booleans(),
)
@settings(deadline=None, max_examples=12)
def test_iterations_in_pieces_are_those_of_the_whole(tmp_path_factory, volume, is_on_disk):
    stack, known, voxels = volume
    folder = tmp_path_factory.mktemp("scratch") if is_on_disk else None
    whole = whole_sample(stack, known)
    with in_pieces(voxels), Scratch(folder) as room:
        pieces = sample_in_pieces(stack, known, room)
        for momentum in MOMENTA:
            whole.advance(momentum)
            for _ in pieces.advance(momentum):
                pass
        found = np.stack([pieces.plane(z) for z in range(len(stack))])
        for _ in pieces.explain():
            pass
        expected = np.stack([pieces.expected(z) for z in range(len(stack))])
    for one, other in ((found, whole.estimate), (expected, whole.expected())):
        assert np.abs(one - other.numpy()).max() <= MUST / 10 * np.ptp(other.numpy())


@given(volumes(st.tuples(st.integers(6, 12), st.integers(64, 100), st.integers(64, 200))))
@settings(deadline=None, max_examples=4)
def test_a_volume_in_pieces_is_that_of_the_whole(volume):
    stack, known, voxels = volume
    blur = ndb.VolumeBlurEstimate(GAMMA[None], 0 * GAMMA[None], known)
    whole = ndb.deblur(stack, blur)
    with in_pieces(voxels), on_disk():
        pieces = ndb.deblur(stack, blur)
    # Everywhere, the field's border too.
    assert np.abs(pieces - whole).max() <= MUST * np.ptp(whole)


def test_where_the_work_stands_changes_no_bit():
    stack = counts_of((8, 64, 72), KNOWN, seed=1)
    whole = ndb.deblur(stack, BLUR)
    with on_disk():
        np.testing.assert_array_equal(ndb.deblur(stack, BLUR), whole)


def test_the_room_is_that_of_the_arrays():
    shape, taken = (6, 40, 50), []

    class Counting(Scratch):
        def array(self, shape, dtype):
            taken.append(np.zeros(shape, dtype).nbytes)
            return super().array(shape, dtype)

    room = Counting(None)
    blur = StoredBlur(KNOWN, GAMMA, shape, room)
    StoredSample(blur, 1.0, n_gentle=4, scratch=room)
    assert sum(taken) == pytest.approx(bytes_of(shape, blur.domain_shape), rel=0.02)


def test_a_job_that_is_cancelled_leaves_no_file_open(monkeypatch):
    files, usual = [], tempfile.TemporaryFile

    def watched(**options):
        files.append(usual(**options))
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", watched)
    with on_disk():
        job = deblur_volumes_job(counts_of((8, 64, 72), KNOWN, seed=1), BLUR)
        for event in job:
            if event.stage == "deblurring" and event.done > 10:
                break
        assert files
        assert not any(file.closed for file in files)
        job.close()
    assert all(file.closed for file in files)


def test_progress_rises_to_its_end():
    told = list(deblur_volumes_job(counts_of((8, 64, 72), KNOWN, seed=1), BLUR))
    done = [event.done / event.total for event in told if event.stage == "deblurring"]
    assert done == sorted(done)
    assert done[-1] == 1
    assert len(done) > 20


def test_a_volume_ends_before_it_goes_astray(monkeypatch):
    """A course that overshoots ever more leaves no light in the sample, unless it is ended."""
    noise = np.random.default_rng(0).poisson(20, (8, 64, 64)).astype(np.float32)

    def plan_job(*_):
        yield from ()
        return deblur._Plan((1.5,) * 60, 1.0, 0.0, 15.0)

    monkeypatch.setattr(deblur, "_plan_job", plan_job)
    assert np.ptp(finish(deblur_volumes_job(noise, BLUR))) > 5
