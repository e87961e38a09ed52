"""Common objectives and fluorophores, whose optics need not be typed."""

from __future__ import annotations

__all__ = ["FLUOROPHORES", "OBJECTIVES"]

_AIR, _WATER, _SILICONE, _GLYCEROL, _OIL = 1.0, 1.333, 1.406, 1.47, 1.518

#: Numerical aperture and refractive index of the immersion, by what is printed on the objective.
OBJECTIVES = {
    "100× / 1.49 oil": (1.49, _OIL),
    "100× / 1.45 oil": (1.45, _OIL),
    "100× / 1.4 oil": (1.4, _OIL),
    "63× / 1.4 oil": (1.4, _OIL),
    "60× / 1.42 oil": (1.42, _OIL),
    "63× / 1.3 glycerol": (1.3, _GLYCEROL),
    "60× / 1.3 silicone": (1.3, _SILICONE),
    "63× / 1.2 water": (1.2, _WATER),
    "60× / 1.2 water": (1.2, _WATER),
    "40× / 1.3 oil": (1.3, _OIL),
    "40× / 1.15 water": (1.15, _WATER),
    "40× / 0.95 air": (0.95, _AIR),
    "40× / 0.8 water": (0.8, _WATER),
    "20× / 1.0 water": (1.0, _WATER),
    "20× / 0.8 air": (0.8, _AIR),
    "10× / 0.45 air": (0.45, _AIR),
    "10× / 0.3 air": (0.3, _AIR),
}

#: Wavelength of the emission's peak, µm. Behind a narrow filter its centre is the better value.
FLUOROPHORES = {
    "DAPI, Hoechst": 0.461,
    "CFP": 0.475,
    "EGFP": 0.507,
    "Alexa 488": 0.52,
    "fluorescein (FITC)": 0.519,
    "YFP": 0.527,
    "Cy3": 0.57,
    "tdTomato": 0.581,
    "Alexa 568": 0.603,
    "mCherry": 0.61,
    "Texas Red": 0.615,
    "Alexa 594": 0.617,
    "Alexa 647": 0.665,
    "Cy5": 0.667,
}
