"""`deepblur models`: the bundled models and their accuracy."""

# No postponed annotations here: typer reads them when a command is declared.

import typer

from napari_deepblur.cli import options as given
from napari_deepblur.cli.report import print_json
from napari_deepblur.cli.tables import table

__all__ = ["models"]


def models(*, as_json: given.AsJson = False) -> None:
    """List the bundled models."""
    from napari_deepblur.engine.models import available_models

    cards = available_models()
    if as_json:
        print_json({"models": [card.model_dump(mode="json") for card in cards.values()]})
        return
    head = ["model", "status", "family", "networks"]
    rows = []
    for card in cards.values():
        networks = [kind for kind in ("identification", "deblurring") if getattr(card, kind)]
        rows.append([card.name, card.status, card.family.describe(), " + ".join(networks)])
    typer.echo("\n".join(table(head, rows)))
    for card in cards.values():
        for kind in ("identification", "deblurring"):
            network = getattr(card, kind)
            for name, value in (network.main_figures if network else {}).items():
                typer.echo(f"{card.name} {kind} {name}: {value:.1f} dB")
