"""A cluster of Alertmanagers of our own: started, joined, cut in pieces and joined again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from time import time

from tocsin.deadline import DeadlineExceeded, Unmet, wait_until
from tocsin.engines import relay
from tocsin.engines.alertmanager import Alertmanager, AlertmanagerSettings, ClusterSettings
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Kind, Process, Supervisor, Trouble, await_line

JOINED_WITHIN_SECONDS = 20.0
"""For all members to see each other and to have settled; some seconds at production's pace, less at a drill's."""
NOTICED_WITHIN_SECONDS = 20.0
"""For each to give the others up: a few probes, and the time in which a suspect may object."""
EVERY_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Ways:
    """The relay between the members, and the ports that it has for them."""

    process: Process
    advertised: Mapping[str, int]
    """By member, the port that it advertises."""
    members: Mapping[str, int]
    """By member, the port on which it listens."""


@dataclass(slots=True)
class Cluster:
    """Several Alertmanagers, by name, in the order of their starting."""

    supervisor: Supervisor
    flags: Mapping[str, str]
    """Times of the cluster, without dashes."""
    folder: Path
    stop: Event | None = None
    members: dict[str, Alertmanager] = field(default_factory=dict)
    started: list[Alertmanager] = field(default_factory=list)
    """Every Alertmanager that was ever started, those that were killed too."""
    _ways: Ways | None = None
    _addresses: dict[str, str] = field(default_factory=dict)
    """By member, the address at which its peers know it."""

    def start(self, settings: Sequence[AlertmanagerSettings], ports: Mapping[str, int], *, relayed: bool) -> None:
        """Start the members one after the other and wait until they see each other.

        `relayed` if they are to be cut off from each other later: their gossip goes through a relay then.
        Raises EngineTrouble, and Stopped.
        """
        if relayed:
            found = {each.name: _free_port() for each in settings}
            self._ways = self._relay(dict.fromkeys(found, 0), found)
        for each in settings:
            self._start(each, ports.get(each.name, 0))
        self.await_joined()

    def _start(self, settings: AlertmanagerSettings, port: int) -> None:
        name, known = settings.name, self._addresses.get(settings.name, "")
        peers = tuple(address for other, address in self._addresses.items() if other != name)
        cluster = ClusterSettings(listen=known or "127.0.0.1:0", peers=peers, flags=self.flags)
        if self._ways is not None:
            listen, advertise = self._ways.members[name], self._ways.advertised[name]
            cluster = replace(cluster, listen=f"127.0.0.1:{listen}", advertise=f"127.0.0.1:{advertise}")
        member = Alertmanager.start(self.supervisor, replace(settings, cluster=cluster), port=port, stop=self.stop)
        self.members[name] = member
        self.started.append(member)
        self._addresses[name] = member.api.address()

    @property
    def alive(self) -> tuple[Alertmanager, ...]:
        """The members that run."""
        return tuple(member for member in self.members.values() if member.process.exited is None)

    def revive(self, name: str) -> float:
        """Start a killed member again where it was; return when it was ready (Unix time), once it has joined."""
        member = self.members[name]
        if member.process.exited is None:
            return time()
        self._start(member.settings, member.service.port)
        ready = time()
        self.await_joined()
        return ready

    def part(self) -> float:
        """Cut the members off from each other; return when that was done (Unix time), once each sees only itself."""
        if self._ways is None:
            raise EngineTrouble("cannot cut the Alertmanagers off", "cluster", "they were started without a relay")
        parted = self.supervisor.kill(self._ways.process).time
        self._await(lambda member: len(member.api.members()) == 1, "still see each other", NOTICED_WITHIN_SECONDS)
        return parted

    def rejoin(self) -> float:
        """Let them hear each other again; return when that was done (Unix time), once all do."""
        if self._ways is None or self._ways.process.exited is None:
            return time()
        self._ways = self._relay(self._ways.advertised, self._ways.members)
        joined = time()
        self.await_joined()
        return joined

    def await_joined(self) -> None:
        """Wait until all members that run see each other and have settled; before that they notify nobody."""
        count = len(self.alive)
        self._await(
            lambda member: len(member.api.members()) == count and member.api.settled(),
            f"do not see {count} members, or have not settled",
            JOINED_WITHIN_SECONDS,
        )

    def _await(self, condition: Callable[[Alertmanager], bool], what: str, seconds: float) -> None:
        def look() -> bool | Unmet:
            for member in self.alive:
                member.service.check_running()
                if not condition(member):
                    return Unmet(f"{member.settings.name} sees {', '.join(member.api.members())}")
            return True

        try:
            wait_until(look, seconds=seconds, what=what, every=EVERY_SECONDS, stop=self.stop)
        except DeadlineExceeded as error:
            said = f"after {seconds:g} s: {error.reason}"
            raise EngineTrouble(f"the Alertmanagers {what}", "cluster", said, Kind.TIMED_OUT) from error

    def _relay(self, listen: Mapping[str, int], members: Mapping[str, int]) -> Ways:
        """Start the relay on these ports, 0 for free ones. Raises EngineTrouble with its log."""
        ways = [f"--way={listen[name]}:{members[name]}" for name in members]
        argv = [sys.executable, "-I", "-S", relay.__file__, *ways]
        try:
            process = self.supervisor.start("gossip-relay", argv, cwd=self.folder)
            found = await_line(
                process, relay.LISTENS, what="the gossip relay did not start", seconds=20, stop=self.stop
            )
        except Trouble as trouble:
            raise EngineTrouble(trouble.what, trouble.where, trouble.detail, trouble.kind) from trouble
        ports = dict(zip(members, map(int, found["ports"].split()), strict=True))
        return Ways(process, ports, members)


def _free_port() -> int:
    """Return a port that is free now for connections and for datagrams; a member binds it moments later."""
    connections, datagrams = relay.bound(0)
    with closing(connections), closing(datagrams):
        return int(datagrams.getsockname()[1])
