"""Pieces of a batch spread over the workers of a dask.distributed cluster.

The unit of work is a step: a block of planes of one image. So one large image keeps all workers
busy, too. Workers read the images and write the blocks themselves; they must see the same files.
This process alone keeps the lists of what is finished.
"""

from __future__ import annotations

import itertools
import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deepblur.cli.batch.pieces import Piece
from napari_deepblur.cli.batch.records import Record
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.request import Request, Source, open_source

if TYPE_CHECKING:
    from distributed import Client

    from napari_deepblur.engine.file_steps import Step

__all__ = ["connected", "do_step", "spread"]

#: Steps for each worker, those that wait included, that keep it busy; further images wait.
_STEPS_AT_HAND = 3


@contextmanager
def connected(n_workers: int | None, scheduler: str | None) -> Iterator[tuple[Client, int]]:
    """Connect to a cluster, or start workers of one thread each on this computer.

    Parameters
    ----------
    n_workers
        Number of workers to start.
    scheduler
        Address of the scheduler of a cluster that exists.

    Yields
    ------
    client
        Connection.
    n_at_once
        Number of workers that share this computer's memory.

    Raises
    ------
    ImportError
        If dask.distributed is not installed.
    OSError
        If there is no scheduler at the address.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ImportError(
            "workers need dask.distributed: pip install 'napari-deepblur[cluster]'"
        ) from error
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=20, set_as_default=False)
        except (OSError, ValueError) as error:
            raise OSError(f"there is no scheduler at {scheduler} ({error})") from error
        with client:
            if not client.nthreads():
                text = f"the scheduler at {scheduler} has no workers yet: waiting for the first"
                warnings.warn(text, UserWarning, stacklevel=3)
            yield client, 1
        return
    cluster = LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        memory_limit=0,  # tiles are chosen by the memory that is free
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client, n_workers or 1


def spread(pieces: Iterable[Piece], client: Client, *, n_at_once: int) -> Iterator[Record]:
    """Work on pieces by the workers of a cluster; records come as the pieces end.

    What a lost worker was at is done again by another one.

    Parameters
    ----------
    pieces
        The pieces, which are opened when workers are about to be idle.
    client
        Connection to the cluster.
    n_at_once
        Number of workers that share this computer's memory.
    """
    work = _Spread(client)
    waiting = iter(pieces)
    try:
        while True:
            while work.needs_more:
                piece = next(waiting, None)
                if piece is None:
                    break
                yield from work.begin(piece, n_at_once)
            if not work.running:
                return
            yield from work.go_on()
    except BaseException as error:
        work.leave(error)
        raise


class _Spread:
    """Steps that workers are at, and the pieces that they belong to."""

    def __init__(self, client: Client) -> None:
        from distributed import as_completed

        self._client = client
        self._results = as_completed(loop=client.loop)
        self._number = itertools.count()
        self.running: dict[Any, tuple[Piece, Step]] = {}

    @property
    def needs_more(self) -> bool:
        """True if workers may soon be idle."""
        return len(self.running) < _STEPS_AT_HAND * max(len(self._client.nthreads()), 1)

    def begin(self, piece: Piece, n_at_once: int) -> Iterator[Record]:
        """Open a piece and hand out its first steps; yields its record if it ends here."""
        try:
            with piece.telling():
                piece.open(n_at_once=n_at_once)
        except Exception as error:  # noqa: BLE001 - the others go on
            yield piece.fail(error)
        else:
            yield from self._hand_out(piece)

    def go_on(self) -> Iterator[Record]:
        """Wait for a step, and keep its result; yields the record of a piece that ends with it."""
        future = next(self._results)
        if future not in self.running:  # of a piece that has failed
            return
        piece, step = self.running.pop(future)
        try:
            result, texts = future.result()
            piece.tell(texts)
            piece.run.keep(step, result)
        except Exception as error:  # noqa: BLE001 - the others go on
            self._client.cancel(self._take_back(piece))
            yield piece.fail(error)
            return
        if all(its is not piece for its, _ in self.running.values()):
            yield from self._hand_out(piece)

    def leave(self, error: BaseException) -> None:
        """Let go of the files of all pieces."""
        for piece in {id(its): its for its, _ in self.running.values()}.values():
            piece.leave(error)

    def _hand_out(self, piece: Piece) -> Iterator[Record]:
        """Hand out the steps that a piece has now; yields its record if there are none left."""
        record = None
        steps: list[Step] = []
        try:
            with piece.telling():
                steps = piece.steps()
                record = None if steps else piece.complete()
        except Exception as error:  # noqa: BLE001 - the others go on
            record = piece.fail(error)
        if record is not None:
            yield record
        for step in steps:
            key = f"{piece.name}-{next(self._number)}"
            future = self._client.submit(do_step, step, key=key, pure=False)
            self.running[future] = piece, step
            self._results.add(future)

    def _take_back(self, piece: Piece) -> list[Any]:
        """Forget the steps of a piece."""
        futures = [future for future, (its, _) in self.running.items() if its is piece]
        for future in futures:
            del self.running[future]
        return futures


def do_step(step: Step) -> tuple[Any, list[str]]:
    """Do a step in a worker; returns its result and what was told on the way."""
    import dask
    import torch

    torch.set_num_threads(1)
    texts: list[str] = []
    # Pixels are read here, not by tasks of their own on other workers.
    with dask.config.set(scheduler="synchronous"):
        return finish(step.job(_opened(step.request)), warn=texts.append), texts


_LAST: dict[str, Source] = {}


def _opened(request: Request) -> Source:
    """Open the image of a request, or take it if it is the last file that was opened.

    To list the planes of a large TIFF file takes seconds.
    """
    image: Path = request.image
    if not image.is_file():
        return open_source(request)
    state = image.stat()
    asked = request.model_dump_json(exclude={"blur", "known"})
    key = f"{asked} {state.st_size} {state.st_mtime_ns}"
    if key not in _LAST:
        _LAST.clear()
        _LAST[key] = open_source(request)
    return _LAST[key]
