"""Waiting threads sleep unless torch is there already or the user decided otherwise."""

import os
import subprocess
import sys

import pytest

SHOW = "import os; print(os.environ.get('OMP_WAIT_POLICY'))"
DECIDED_BY = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def policy(code: str, **variables: str) -> str:
    """What a new process has set after some code."""
    inherited = {name: value for name, value in os.environ.items() if name not in DECIDED_BY}
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\n{SHOW}"],
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.split()[-1]


@pytest.mark.parametrize(
    "code",
    [
        "import napari_deepblur as ndb; ndb.Optics",
        (
            "from napari_deepblur.cli import main\n"
            "import sys; sys.argv = ['deepblur', '--version']\n"
            "try: main()\n"
            "except SystemExit: pass"
        ),
        "import napari_deepblur.training",
    ],
)
def test_whoever_loads_torch_first_sets_it(code):
    assert policy(code) == "PASSIVE"


def test_importing_the_package_changes_nothing():
    assert policy("import napari_deepblur") == "None"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
        ({"KMP_BLOCKTIME": "200"}, "None"),
        ({"GOMP_SPINCOUNT": "1000"}, "None"),
    ],
)
def test_what_the_user_decided_stays(variables, expected):
    assert policy("import napari_deepblur as ndb; ndb.Optics", **variables) == expected


def test_too_late_once_torch_is_loaded():
    code = "import sys; sys.modules['torch'] = sys\nimport napari_deepblur as ndb; ndb.Optics"
    assert policy(code) == "None"
