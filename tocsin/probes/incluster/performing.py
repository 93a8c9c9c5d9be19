"""Do all experiments on a container of a cluster, one after the other, and write an episode for each."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from tocsin.deadline import Stopped
from tocsin.explained import Explained
from tocsin.probes.behaviour.bench import Scene
from tocsin.probes.behaviour.episode import Episode, write_episode
from tocsin.probes.behaviour.places import Progress, held
from tocsin.probes.incluster.bench import ClusterBench, opened
from tocsin.probes.incluster.experiments import ClusterExperiment, experiments
from tocsin.supervisor import Supervisor, Trouble

_CLUSTER = "cluster.lock"
Lacking = Callable[[ClusterExperiment, str], Episode]

_log = logging.getLogger(__name__)


def perform(
    scene: Scene, *, now: float, only: Collection[str] | None, progress: Progress | None, stop: threading.Event
) -> None:
    """Do what is missing; what cannot be done, or is not allowed, is an episode that says why.

    One subject after the other, whoever asks: an outage of one is a disturbance of another. Raises Stopped as soon as
    `stop` is set, when everything is put back; and OSError if an episode cannot be written.
    """
    planned = [each for each in experiments(scene) if only is None or each.kind in only]
    missing = [each for each in planned if not (scene.folder / f"{each.name}.json").is_file()]
    with held(scene.folder.parent / _CLUSTER, stop):
        for episode in _performed(scene, missing, now, progress, stop):
            write_episode(episode, scene.folder)


def _performed(
    scene: Scene,
    planned: Collection[ClusterExperiment],
    now: float,
    progress: Progress | None,
    stop: threading.Event,
) -> Iterator[Episode]:
    def lacking(experiment: ClusterExperiment, why: str) -> Episode:
        return Episode(experiment.name, scene.subject.name, now, 0.0, lacking=why)

    with TemporaryDirectory(prefix="tocsin-cluster-") as scratch:
        # Its folder holds what gives access while something is changed; the supervisor removes it if nobody else can.
        folder = Path(scratch)
        try:
            with (
                Supervisor(f"cluster-{scene.folder.name}", scene.folder / "logs", scratch=folder) as supervisor,
                opened(scene, supervisor, folder, stop) as bench,
            ):
                for each in planned:
                    yield from _one(bench, each, lacking, progress)
        except (Trouble, Explained, requests.RequestException) as error:
            trouble = f"the cluster of environment {scene.name} cannot be used: {error}"
            left = [each for each in planned if not (scene.folder / f"{each.name}.json").is_file()]
            if not left:  # it broke at the end: something may not have been put back
                raise
            yield from (lacking(each, trouble) for each in left)


def _one(
    bench: ClusterBench, experiment: ClusterExperiment, lacking: Lacking, progress: Progress | None
) -> Iterator[Episode]:
    """Make one experiment; what trips it is no reason for the others not to be made."""
    why = experiment.lacking
    if not why and experiment.power is not None:
        why = bench.lacking(experiment.power, experiment.what)
    if why or experiment.perform is None:
        yield replace(lacking(experiment, why), declined=True)
        return
    if progress:
        progress(bench.scene.subject.name, experiment.name, experiment.seconds)
    try:
        yield from experiment.perform(bench)
    except (Trouble, Explained, ValueError, requests.RequestException) as error:
        yield lacking(experiment, str(error))
    except (Stopped, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - a defect of ours is told, and costs one experiment
        _log.exception("%s of %s tripped", experiment.name, bench.scene.subject.name)
        yield lacking(experiment, f"a defect of Tocsin, please report it: {error!r}")
