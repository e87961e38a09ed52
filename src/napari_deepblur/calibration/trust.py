"""Trust in a calibration, by the error of beads that were predicted from the others."""

from __future__ import annotations

from enum import Enum

__all__ = ["Trust"]


class Trust(Enum):
    """Verdict on a calibration, in words that follow "the PSF is"."""

    GOOD = "good enough to deblur with"
    WITH_CARE = "of use, with care"
    ROUGH = "a rough guide only: look at the beads for what makes them differ"
    UNKNOWN = "of unknown quality: too few beads to predict one from the others"

    @classmethod
    def of(cls, error_db: float | None) -> Trust:
        """Judge a cross-validated error in dB, None where it is unknown."""
        if error_db is None:
            return cls.UNKNOWN
        if error_db <= _GOOD_DB:
            return cls.GOOD
        return cls.WITH_CARE if error_db <= _OF_USE_DB else cls.ROUGH


#: Errors up to which a predicted PSF is good, and of use, dB.
_GOOD_DB, _OF_USE_DB = -18.0, -10.0
