"""`deepblur simulate`: families of simulated microscopes, to train models for."""

# No postponed annotations here: typer reads them when a command is declared.

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from napari_deepblur.atomic import check_writable, replacing_files
from napari_deepblur.cli import options as given
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import plain, print_json
from napari_deepblur.engine.simulate import MicroscopeName

if TYPE_CHECKING:
    from napari_deepblur.engine.simulate import Simulation

__all__ = ["simulate"]


def simulate(
    microscope: Annotated[MicroscopeName, typer.Argument(help="What to simulate.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder to write the family into.")],
    n_microscopes: Annotated[
        int, typer.Option("--n", min=20, help="Differently adjusted microscopes.")
    ] = 600,
    seed: Annotated[int, typer.Option(help="Of the adjustments.")] = 0,
    overwrite: given.Overwrite = False,
    as_json: given.AsJson = False,
) -> None:
    """Simulate microscopes and write the family of their blurs.

    The folder gets family.npz, for `deepblur train`, and simulation.json: the microscope's
    parameters and how well the family holds its PSFs.
    """
    existing = [path for path in (out / "family.npz", out / "simulation.json") if path.exists()]
    if existing and not overwrite:
        raise FileExistsError(f"{existing[0]} exists: choose another folder, or give --overwrite")
    check_writable(out)
    from napari_deepblur.engine.simulate import simulate_family_job
    from napari_deepblur.operators.family_file import write_family

    result = drive(simulate_family_job(microscope, n_microscopes=n_microscopes, seed=seed))
    content = _content(microscope, n_microscopes, seed, result)
    text = json.dumps(plain(content), indent=2) + "\n"
    with replacing_files(out) as aside:
        write_family(aside / "family.npz", result.family)
        (aside / "simulation.json").write_text(text, encoding="utf-8")
    if as_json:
        print_json(content | {"written": str(out)})
        return
    figures = content["figures"]
    typer.echo(
        f"{microscope}: {n_microscopes} microscopes, P = {figures['n_coefficients']}, "
        f"{figures['n_eigen_psfs']} eigen-PSFs with {figures['energy']:.1%} of the energy"
    )
    typer.echo(
        f"the family's PSFs beside the simulated ones: {figures['fidelity_db']:.1f} dB; "
        f"its mean operator: {figures['mean_operator_db']:.1f} dB"
    )
    typer.echo(f"wrote {out}")


def _content(name: str, n_microscopes: int, seed: int, result: "Simulation") -> dict[str, Any]:
    return {
        "microscope": name,
        "parameters": result.parameters,
        "n_microscopes": n_microscopes,
        "seed": seed,
        "figures": {
            "n_coefficients": result.family.n_coefficients,
            "n_eigen_psfs": len(result.family.eigen_psfs),
            "energy": result.energy,
            "fidelity_db": float(np.mean(result.fidelity_db)),
            "mean_operator_db": float(np.mean(result.mean_operator_db)),
        },
    }
