"""Headless training of both networks; only the command line imports it."""

from napari_deepblur.openmp import let_waiting_threads_sleep

let_waiting_threads_sleep()
