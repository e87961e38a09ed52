"""Accuracy of a model on held-out images, beside the floors that no model may miss.

The product itself is measured, `estimate_blur` and `deblur`, not the bare networks. Each
question is a job that returns a `Table`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from napari_deepblur.engine.events import Job
from napari_deepblur.engine.model_card import Kind
from napari_deepblur.evaluation.bench import Bench, Readings, held_out, optics_at
from napari_deepblur.evaluation.deblurring.accuracy import deblurring_table
from napari_deepblur.evaluation.deblurring.against_classical import classical_job
from napari_deepblur.evaluation.deblurring.borders import borders_table
from napari_deepblur.evaluation.deblurring.examples import draw_examples, examples_job
from napari_deepblur.evaluation.deblurring.flat_field import flat_field_job
from napari_deepblur.evaluation.deblurring.noise_kinds import noise_kinds_job
from napari_deepblur.evaluation.deblurring.photometry import deblurring_photometry_job
from napari_deepblur.evaluation.deblurring.restoration import Restoration, restorations_job
from napari_deepblur.evaluation.deblurring.speed import deblurring_speed_job
from napari_deepblur.evaluation.deblurring.strong_blur import strong_blur_job
from napari_deepblur.evaluation.identification.accuracy import (
    Accuracy,
    accuracy_job,
    accuracy_table,
)
from napari_deepblur.evaluation.identification.more_data import more_data_job
from napari_deepblur.evaluation.identification.photometry import photometry_job
from napari_deepblur.evaluation.identification.robustness import robustness_job
from napari_deepblur.evaluation.identification.speed import speed_job
from napari_deepblur.evaluation.identification.wrong_model import wrong_model_job
from napari_deepblur.evaluation.picture import draw_accuracy
from napari_deepblur.evaluation.records import (
    record_in_model,
    record_in_page,
    replace_between,
    require_marks,
)
from napari_deepblur.evaluation.tables import Table, markdown
from napari_deepblur.evaluation.varying.accuracy import varying_accuracy_job
from napari_deepblur.evaluation.varying.deblurring import (
    varying_deblurring_job,
    varying_strong_blur_job,
    wide_blur_deblurring_job,
)
from napari_deepblur.evaluation.varying.operator_cost import operator_cost_job
from napari_deepblur.evaluation.varying.wide_blur import wide_blur_job

__all__ = [
    "DEBLURRING_QUESTIONS",
    "DEBLURRING_TABLES",
    "FURTHER_QUESTIONS",
    "VARYING_QUESTIONS",
    "WIDE_BLUR_QUESTIONS",
    "Accuracy",
    "Bench",
    "Readings",
    "Restoration",
    "Table",
    "accuracy_job",
    "accuracy_table",
    "classical_job",
    "draw_accuracy",
    "draw_examples",
    "examples_job",
    "held_out",
    "markdown",
    "optics_at",
    "record_in_model",
    "record_in_page",
    "replace_between",
    "require_marks",
    "restorations_job",
]

#: What is asked of identification after its accuracy, by the name of the answer's table.
FURTHER_QUESTIONS: Mapping[str, Callable[[Bench], Job[Table]]] = {
    "robustness": robustness_job,
    "photometry": photometry_job,
    "more data": more_data_job,
    "wrong model": wrong_model_job,
    "speed": speed_job,
}

#: What the restored images of all noise levels answer, by the name of the answer's table.
DEBLURRING_TABLES: Mapping[str, Callable[[Sequence[Restoration]], Table]] = {
    "deblurring": deblurring_table,
    "borders": borders_table,
}

#: What is asked of deblurring besides, and besides `classical_job`.
DEBLURRING_QUESTIONS: Mapping[str, Callable[[Bench], Job[Table]]] = {
    "noise kinds": noise_kinds_job,
    "strong blur": strong_blur_job,
    "deblurring photometry": deblurring_photometry_job,
    "flat field": flat_field_job,
    "deblurring speed": deblurring_speed_job,
}

_Questions = Mapping[str, Callable[[Bench], Job[Table]]]

#: What is asked of models whose blur varies over the field, by network and table.
VARYING_QUESTIONS: Mapping[Kind, _Questions] = {
    "identification": {
        "varying accuracy": varying_accuracy_job,
        "operator cost": operator_cost_job,
    },
    "deblurring": {
        "varying deblurring": varying_deblurring_job,
        "varying strong blur": varying_strong_blur_job,
    },
}

#: The same of models that read such blurs off pixels which are coarse for a thin sample.
WIDE_BLUR_QUESTIONS: Mapping[Kind, _Questions] = {
    "identification": {"wide blur accuracy": wide_blur_job},
    "deblurring": {"wide blur deblurring": wide_blur_deblurring_job},
}
