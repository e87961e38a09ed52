"""The report of a batch: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from napari_deepblur import __version__
from napari_deepblur.atomic import replacing
from napari_deepblur.cli.batch.records import Record

__all__ = ["write_page"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1000px; margin: 2em auto;
  padding: 0 1em } h1 { font-size: 1.6em } h2 { font-size: 1.1em; margin: 1.6em 0 .3em;
  border-top: 1px solid #ddd; padding-top: .8em } table { border-collapse: collapse }
td, th { text-align: left; padding: .15em 1em .15em 0; vertical-align: top }
.row { display: flex; flex-wrap: wrap; gap: 1em } figure { margin: 0 }
figcaption, small { color: #555; font-size: .87em } img { image-rendering: pixelated }
.note { background: #fff6e5; border-left: 4px solid #e6a23c; padding: .2em 1em; margin: .4em 0 }
.failed { background: #fdeaea; border-left: 4px solid #c0392b; padding: .2em 1em }
""".strip()

_PICTURES = {
    "before": ("before", 256),
    "after": ("after, same grey values", 256),
    "psf": ("PSF, square root of the light", 128),
}


def write_page(path: Path, records: Sequence[Record]) -> None:
    """Write the report.

    Parameters
    ----------
    path
        HTML file, which is replaced.
    records
        Of all pieces of the batch.
    """
    rows = "".join(_row(number, record) for number, record in enumerate(records))
    sections = "\n".join(_section(number, record) for number, record in enumerate(records))
    n_failed = sum(record.status == "failed" for record in records)
    head = f"{len(records)} images, {n_failed} failed"
    with replacing(path) as aside:
        aside.write_text(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>Deblurred: {head}</title><style>{_STYLE}</style></head><body>\n"
            f"<h1>Deblurred images</h1><p><small>napari-deepblur {__version__}</small></p>"
            f"<p>{head}</p><table><tr><th>image</th><th>residual / noise</th>"
            f"<th>warnings</th><th></th></tr>{rows}</table>\n{sections}\n</body></html>\n",
            encoding="utf-8",
        )


def _row(number: int, record: Record) -> str:
    residual = "" if record.residual is None else f"{record.residual:.2f}"
    state = "failed" if record.status == "failed" else ""
    return (
        f'<tr><td><a href="#n{number}">{escape(record.name)}</a></td><td>{residual}</td>'
        f"<td>{len(record.warnings) or ''}</td><td>{state}</td></tr>"
    )


def _section(number: int, record: Record) -> str:
    title = f'<h2 id="n{number}">{escape(record.name)}</h2>'
    place = f"{escape(record.image)}, image {record.series}"
    place += "" if record.channel is None else f", channel {record.channel}"
    if record.status == "failed":
        return f'{title}<p>{place}</p><div class="failed"><p>{escape(record.error)}</p></div>'
    size = " × ".join(map(str, record.shape))
    facts = f"{place}: {escape(record.axes)} {size}; {escape(record.blur)}"
    notes = "".join(f'<div class="note"><p>{escape(text)}</p></div>' for text in record.warnings)
    figures = "".join(
        f'<figure><img width="{width}" alt="{caption}" '
        f'src="data:image/png;base64,{record.pictures[key]}">'
        f"<figcaption>{caption}</figcaption></figure>"
        for key, (caption, width) in _PICTURES.items()
        if key in record.pictures
    )
    return f'{title}<p>{facts}</p>{notes}<div class="row">{figures}</div>'
