"""Damaged files of all kinds; `python benchmarks/fuzz.py` reads many more."""

import sys

import pytest

N_CASES = 30


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a process with limits needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_damaged_files_are_refused_or_read_right(tmp_path):
    from fuzz import fuzz

    cases = list(fuzz(N_CASES, first=10_000, folder=tmp_path))
    assert not [case for case in cases if case.outcome == "harm"]
    assert {case.outcome for case in cases} == {"read", "refused"}
