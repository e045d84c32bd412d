"""The life of one link to one XMPP server, as a state table (steps 5 to 11).

The table says what may happen when; `dialer` does it, and `registration` tells what came over the
wire. There is at most one connection at any time: a link that failed waits for the end of its
connection before it tries again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from automat import TypeMachineBuilder

from bridgewire.steps import StepFailure
from bridgewire.tables import new_table
from callbridged.links.link_interface import LinkActions, LinkInputs, State
from callbridged.links.refusals import (
    CLOSED_REGISTERED,
    LOST_REGISTERED,
    LOST_REGISTERING,
    LOST_SECURING,
    SLOW_REGISTERING,
    SLOW_SECURING,
)


def make_table() -> TypeMachineBuilder[LinkInputs, LinkActions]:
    """Answer the table; apart from the machine so that a test can see that it is total."""
    table = new_table(LinkInputs, LinkActions)  # type: ignore[type-abstract]
    on = LinkInputs
    idle = table.state("idle")
    resolving = table.state("resolving")
    connecting = table.state("connecting")
    securing = table.state("securing")
    registering = table.state("registering")
    registered = table.state("registered")
    draining = table.state("draining")
    failing = table.state("failing")
    waiting = table.state("waiting")
    closing = table.state("closing")
    stopped = table.state("stopped")

    # Towards registration

    @idle.upon(on.start).to(resolving)
    @waiting.upon(on.retry).to(resolving)
    def resolve(_: LinkInputs, do: LinkActions) -> None:
        do.show(State.RESOLVING)
        do.resolve()

    @idle.upon(on.postpone).to(waiting)
    def postpone(_: LinkInputs, do: LinkActions) -> None:
        do.show(State.WAITING)
        do.wait()

    @resolving.upon(on.resolved).to(connecting)
    def dial(_: LinkInputs, do: LinkActions, addresses: Sequence[str]) -> None:
        do.show(State.CONNECTING)
        do.dial(addresses)

    @connecting.upon(on.connected).to(securing)
    def secure(_: LinkInputs, do: LinkActions) -> None:
        do.show(State.SECURING)
        do.start_clock()

    @securing.upon(on.secured).to(registering)
    def register(_: LinkInputs, do: LinkActions) -> None:
        do.show(State.REGISTERING)
        do.register()

    @registering.upon(on.accepted).to(registered)
    def activate(_: LinkInputs, do: LinkActions) -> None:
        do.stop_clock()
        do.show(State.REGISTERED)
        do.activate()

    # What goes wrong without a connection, or with the connection gone

    @resolving.upon(on.failed).to(waiting)
    @connecting.upon(on.failed).to(waiting)
    def wait(_: LinkInputs, do: LinkActions, failure: StepFailure) -> None:
        do.note(failure)
        do.wait()

    @failing.upon(on.lost).to(waiting)
    def wait_at_last(_: LinkInputs, do: LinkActions, why: StepFailure | None) -> None:
        do.wait()

    for state, lost in ((securing, LOST_SECURING), (registering, LOST_REGISTERING)):

        @state.upon(on.lost).to(waiting)
        def lost_early(
            _: LinkInputs, do: LinkActions, why: StepFailure | None, lost: StepFailure = lost
        ) -> None:
            do.stop_clock()
            do.note(why or lost)
            do.wait()

    @registered.upon(on.lost).to(waiting)
    def lost_registered(_: LinkInputs, do: LinkActions, why: StepFailure | None) -> None:
        do.withdraw()
        do.note(why or LOST_REGISTERED)
        do.wait()

    # What goes wrong on a connection that has to be closed then

    for state in (securing, registering):

        @state.upon(on.failed).to(failing)
        def fail(_: LinkInputs, do: LinkActions, failure: StepFailure) -> None:
            do.stop_clock()
            do.note(failure)
            do.hang_up()

    for state, slow in ((securing, SLOW_SECURING), (registering, SLOW_REGISTERING)):

        @state.upon(on.overdue).to(failing)
        def overdue(_: LinkInputs, do: LinkActions, slow: StepFailure = slow) -> None:
            do.note(slow)
            do.cut()

    @registering.upon(on.closed).to(failing)
    def closed_registering(_: LinkInputs, do: LinkActions) -> None:
        do.stop_clock()
        do.note(LOST_REGISTERING)
        do.hang_up()

    @registered.upon(on.failed).to(failing)
    def fail_registered(_: LinkInputs, do: LinkActions, failure: StepFailure) -> None:
        do.withdraw()
        do.note(failure)
        do.hang_up()

    @registered.upon(on.closed).to(failing)
    def closed_registered(_: LinkInputs, do: LinkActions) -> None:
        do.withdraw()
        do.note(CLOSED_REGISTERED)
        do.hang_up()

    # The end

    @idle.upon(on.stop).to(stopped)
    def never_mind(_: LinkInputs, do: LinkActions) -> None:
        do.finish()

    for state in (resolving, connecting):

        @state.upon(on.stop).to(stopped)
        def give_up(_: LinkInputs, do: LinkActions) -> None:
            do.abandon()
            do.finish()

    @waiting.upon(on.stop).to(stopped)
    def stop_waiting(_: LinkInputs, do: LinkActions) -> None:
        do.stop_waiting()
        do.finish()

    for state in (securing, registering):

        @state.upon(on.stop).to(closing)
        def stop_early(_: LinkInputs, do: LinkActions) -> None:
            do.stop_clock()
            do.hang_up()

    @registered.upon(on.stop).to(draining)
    def drain(_: LinkInputs, do: LinkActions) -> None:
        do.drain()

    @draining.upon(on.drained).to(closing)
    @draining.upon(on.closed).to(closing)
    def hang_up(_: LinkInputs, do: LinkActions) -> None:
        do.withdraw()
        do.hang_up()

    @draining.upon(on.failed).to(closing)
    def fail_draining(_: LinkInputs, do: LinkActions, failure: StepFailure) -> None:
        do.withdraw()
        do.hang_up()

    @draining.upon(on.lost).to(stopped)
    def lost_draining(_: LinkInputs, do: LinkActions, why: StepFailure | None) -> None:
        do.withdraw()
        do.finish()

    failing.upon(on.stop).to(closing).returns(None)

    @closing.upon(on.lost).to(stopped)
    def finish(_: LinkInputs, do: LinkActions, why: StepFailure | None) -> None:
        do.finish()

    for state in (failing, closing):
        state.upon(on.failed).loop().returns(None)  # the first one counts
        state.upon(on.closed).loop().returns(None)
    for state in (draining, closing, stopped):
        state.upon(on.stop).loop().returns(None)
    for state in (closing, stopped):
        state.upon(on.drained).loop().returns(None)  # it failed while it was being drained
    return table


def _holes(inputs: Sequence[str], states: Sequence[str], why: str) -> dict[tuple[str, str], str]:
    return {(state, given): why for state in states for given in inputs}


_BEFORE_CONNECTION = ("idle", "resolving", "connecting", "waiting", "stopped")
_WITH_CONNECTION = ("securing", "registering", "registered", "draining", "failing", "closing")


def _all_but(*states: str) -> list[str]:
    return [state for state in _BEFORE_CONNECTION + _WITH_CONNECTION if state not in states]


#: Pairs that cannot occur, with the reason.
HOLES: dict[tuple[str, str], str] = {
    **_holes(("start", "postpone"), _all_but("idle"), "a link starts once, then goes on by itself"),
    **_holes(
        ("resolved",),
        _all_but("resolving"),
        "a look-up is under way while resolving only; it is cancelled at the end of that",
    ),
    **_holes(
        ("connected",),
        _all_but("connecting"),
        "an attempt is under way while connecting only, and builds one protocol at most",
    ),
    **_holes(
        ("secured",),
        _all_but("securing"),
        "a connection has one TLS handshake; one that was cut tells no more",
    ),
    **_holes(
        ("accepted",),
        _all_but("registering"),
        "the first answer to our handshake ends registering; a closing stream tells no more",
    ),
    **_holes(
        ("overdue",),
        _all_but("securing", "registering"),
        "the clock runs while securing and registering only",
    ),
    **_holes(("retry",), _all_but("waiting"), "waiting ends with the wait"),
    **_holes(
        ("drained",),
        _all_but("draining", "closing", "stopped"),
        "nobody is asked but while draining; withdrawing cancels the question",
    ),
    **_holes(("failed",), ("idle", "waiting", "stopped"), "nothing is under way that could fail"),
    **_holes(("closed",), (*_BEFORE_CONNECTION, "securing"), "there is no stream yet, or no more"),
    **_holes(("lost",), _BEFORE_CONNECTION, "there is no connection yet, or no more"),
}

LinkMachine: Callable[[LinkActions], LinkInputs] = make_table().build()
