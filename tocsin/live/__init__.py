"""`--live`: what a running Prometheus knows of the rules in the files. It is read from, at a gentle pace."""

from __future__ import annotations

from dataclasses import replace

from tocsin.drill.discovery import headers
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.live.answers import ask
from tocsin.live.judging import expressions_of, judge_answers, selectors_of
from tocsin.model import Model
from tocsin.source import Place
from tocsin.static import Examination, Request, judge
from tocsin.system import BadSystem, Problem

TIMEOUT = 10.0
"""Seconds that it has for an answer."""


def examine_live(model: Model, request: Request, environment: str, examination: Examination) -> Examination:
    """Return an examination with what the Prometheus of an environment says besides.

    Raises BadSystem if the environment has no Prometheus that runs, and EngineTrouble if that does not answer.
    """
    if model.system is None:
        said = "--live names an environment of a system.yaml, and there is none here"
        raise BadSystem((Problem(Place("--live"), said),))
    name, declared = model.system.environment(environment)
    where = model.system.place("environments", name)
    if declared.prometheus is None:
        said = f"environment {name} names no `prometheus` that runs, so there is nobody to ask"
        raise BadSystem((Problem(where, said),))
    api = PrometheusApi(declared.prometheus.url, timeout=TIMEOUT, headers=headers(model.system, declared.prometheus))
    try:
        answers = ask(api, selectors_of(model), expressions_of(model))
    finally:
        api.close()
    found = list(judge_answers(model, answers, paced=declared.speed != 1, where=where))
    kept = [finding for finding in found if request.keep is None or request.keep(finding)]
    judged = sorted(
        (*examination.judged, *judge(kept, model, request)), key=lambda each: (each.finding.place, each.finding.check)
    )
    return replace(examination, judged=tuple(judged))
