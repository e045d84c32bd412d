"""The components that are connected, and those that are about to register."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.words.xish.domish import Element

from bridgewire.session_end import EndSessions
from bridgewire.steps import Reason, Step, StepFailure
from bridgewire.stream import XmlStream
from daemonkit.places import Places
from xmppd.components.admission import Admission
from xmppd.components.callbridge import CallBridgeLink
from xmppd.components.stream import ComponentStream, Times
from xmppd.events import COMPONENTS_FULL
from xmppd.troubles import Recent, Trouble

#: Streams that have not registered yet.
MAX_UNREGISTERED = 256
FULL = "Too many connections to the component port are open that have not registered."
FULL_REMEDY = "Whose are they? `ss -tn` shows it; block who does not belong there."


@dataclass
class Components:
    """All component streams.

    ``route`` takes their stanzas; ``changed`` hears when a Call Bridge comes, offers or goes, and
    of which domain it is; ``end_sessions`` ends sessions of a user of a domain, and answers how
    many; ``secret_used`` hears the domain and name of a component that is let in, and the mark of
    its secret; ``round_trip``, after how many seconds one has answered a ping. ``registered`` maps
    an address, ``cb1.example.com``, to the stream that holds it.
    """

    clock: IReactorTime
    admission: Admission
    times: Times
    route: Callable[[Element], None]
    changed: Callable[[str, CallBridgeLink], None]
    end_sessions: Callable[[str, EndSessions], int]
    secret_used: Callable[[str, str, bytes], None]
    round_trip: Callable[[float], None] = lambda _: None

    log = Logger()

    def __post_init__(self) -> None:
        self.registered: dict[str, ComponentStream] = {}
        self.open: set[ComponentStream] = set()
        #: What failed last: by component, and for connections that named none that is known.
        self.troubles: dict[str, Trouble] = {}
        self.refused = Recent()
        #: How many failures there were of each kind.
        self.failures: Counter[tuple[Step, Reason]] = Counter()
        self.unauthenticated = Places(MAX_UNREGISTERED, MAX_UNREGISTERED // 4)

    def accept(self, host: str) -> XmlStream | None:
        """Answer the protocol for a connection from ``host``; None when too many must register."""
        if not self.unauthenticated.enter(host):
            self.log.warn(COMPONENTS_FULL, peer=host)
            full = StepFailure(Step.CONNECT, Reason.RESOURCE_LIMIT, FULL, FULL_REMEDY)
            self.failed("", Trouble.now(full, host))
            return None
        return ComponentStream(self, host).stream

    def failed(self, host: str, trouble: Trouble) -> None:
        """Remember it for the status. ``host``: empty where the peer named no known component."""
        self.failures[trouble.failure.step, trouble.failure.reason] += 1
        if host:
            self.troubles[host] = trouble
        else:
            self.refused.add(trouble)

    def of(self, domain: str) -> list[str]:
        """Answer the addresses of a domain's components."""
        return [host for host, one in self.registered.items() if one.domain == domain]

    def step_back(self, host: str) -> None:
        """The one that holds ``host`` is gone; it may have taken the place of one that is not."""
        del self.registered[host]
        for stream in self.open:
            if stream.host == host and stream.since is not None:
                self.registered[host] = stream

    def dismiss(self, host: str, text: str) -> bool:
        """Close the link that holds ``host``, and those that want to; True if one held it."""
        self.troubles.pop(host, None)
        held = self.registered.get(host)
        # Who waits for the place of the one that holds it goes first, or it would be let in.
        waiting = [one for one in self.open if one.host == host and one is not held]
        for stream in (*waiting, *([] if held is None else [held])):
            stream.machine.dismissed("not-authorized", text)
        return held is not None

    def close(self) -> None:
        """Close all streams: the server stops."""
        for stream in list(self.open):
            stream.machine.dismissed("system-shutdown", "xmppd is shutting down")
