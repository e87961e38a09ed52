"""Memory stays as it is over many jobs; `python benchmarks/soak.py` does more of them."""

import pytest
from soak import growth, memories


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_memory_stays_as_it_is(tiny_model):
    seen = list(memories(20, model=str(tiny_model)))
    assert growth(seen) < 0.1
