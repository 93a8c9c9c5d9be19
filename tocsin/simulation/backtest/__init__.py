"""Rules over recorded history: when each would have fired, how often, how long, and what a change of them changes.

    with opened(read_storage(directory), evaluation=60, lookback=300) as prometheus:
        history = History(prometheus.api, OURS)
        done = backtest(history, window, read_rule_set([folder], default=60))

The engine evaluates each expression at every tick of its group (`History`); the states that follow from `for` and
`keep_firing_for` are our own (`states`), and the tests hold them against the engine's ALERTS.
"""

from tocsin.simulation.backtest.backtesting import Backtest, backtest
from tocsin.simulation.backtest.comparing import Change, Kind, Pair, compare
from tocsin.simulation.backtest.episodes import Episode, Noise, Outcome
from tocsin.simulation.backtest.history import LIVE, OURS, Answer, History, Pace, Refused
from tocsin.simulation.backtest.rule_sets import Alert, RuleSet, read_rule_set
from tocsin.simulation.backtest.storage import Storage, covered, opened, read_storage
from tocsin.simulation.backtest.ticks import Ticks, Window, parse_moment, written

__all__ = [
    "LIVE",
    "OURS",
    "Alert",
    "Answer",
    "Backtest",
    "Change",
    "Episode",
    "History",
    "Kind",
    "Noise",
    "Outcome",
    "Pace",
    "Pair",
    "Refused",
    "RuleSet",
    "Storage",
    "Ticks",
    "Window",
    "backtest",
    "compare",
    "covered",
    "opened",
    "parse_moment",
    "read_rule_set",
    "read_storage",
    "written",
]
