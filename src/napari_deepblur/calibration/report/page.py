"""The calibration's report: one HTML file that needs nothing else."""

from __future__ import annotations

from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING

from napari_deepblur.calibration.field_figures import field_figures
from napari_deepblur.calibration.report.sections import (
    bead_section,
    drift_section,
    eigen_psf_section,
    field_section,
    input_section,
    trust_section,
)
from napari_deepblur.calibration.report.sentences import sentences

if TYPE_CHECKING:
    from napari_deepblur.calibration.result import CalibrationResult

__all__ = ["report_html"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 960px;
  margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.7em; margin-bottom: .2em } h2 { font-size: 1.2em; margin: 1.6em 0 .4em;
  border-bottom: 1px solid #ddd } h3 { font-size: 1em; margin: 1em 0 .2em }
table { border-collapse: collapse; margin: .5em 0 } td, th { padding: .15em .9em .15em 0;
  text-align: left; vertical-align: top } td.n, th.n { text-align: right }
.summary { background: #f2f7fb; border-left: 4px solid #2b8cbe; padding: .4em 1em }
.note { background: #fff6e5; border-left: 4px solid #e6a23c; padding: .4em 1em; margin: .5em 0 }
.summary p, .note p { margin: .35em 0 } small, figcaption { color: #555; font-size: .87em }
.row { display: flex; flex-wrap: wrap; gap: 1.2em; align-items: flex-start }
figure { margin: .3em 0; break-inside: avoid } figcaption { max-width: 460px }
img.pixels { image-rendering: pixelated } img, svg { border-radius: 2px }
.legend span, .bar { margin-right: 1.1em; font-size: .87em; white-space: nowrap }
.legend { margin: .3em 0 } .legend i { display: inline-block; width: .75em; height: .75em;
  border-radius: 50%; margin-right: .35em } .bar svg { vertical-align: -1px }
svg text { font-size: 11px; fill: #444 } .mid { text-anchor: middle } .end { text-anchor: end }
.frame { fill: #fafafa; stroke: #999 } .grid { stroke: #ddd } .marked { fill: #2b8cbe;
  opacity: .15 }
@media print { body { margin: 0; max-width: none } h2 { break-after: avoid } }
""".strip()


def report_html(result: CalibrationResult) -> str:
    """Write the report: what was done, what was found, and how far to trust it."""
    figures = field_figures(result)
    summary = "".join(f"<p>{text}</p>" for text in sentences(result, figures))
    notes = "".join(f'<div class="note"><p>{escape(text)}.</p></div>' for text in result.notes)
    sections = (
        input_section(result),
        bead_section(result),
        field_section(result, figures),
        eigen_psf_section(result),
        trust_section(result),
        drift_section(result),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Calibration: {escape(', '.join(result.names))}</title>"
        f"<style>{_STYLE}</style></head><body>\n<h1>Calibration from beads</h1>"
        f"<p><small>napari-deepblur {version('napari-deepblur')}</small></p>\n"
        f'<div class="summary">{summary}</div>\n{notes}\n'
        + "\n".join(sections)
        + "\n</body></html>\n"
    )
