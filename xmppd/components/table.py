"""The life of one component's stream, server end: XEP-0114 as a state table (steps 8 to 11).

A Call Bridge is a component that offers to answer logins; any other component may use the port
too. The table says what may happen when; `xmppd.components` does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from automat import TypeMachineBuilder
from twisted.words.xish.domish import Element

from bridgewire.steps import Reason
from bridgewire.tables import new_table
from xmppd.components.admission import Refusal


class ComponentInputs(Protocol):
    """What can happen to a component's stream."""

    def greeted(self, name: str, domain: str) -> None:
        """A good stream header came, for the component ``name`` of ``domain``."""

    def refused(self, refusal: Refusal) -> None:
        """The peer broke a rule or may not come in."""

    def proved(self) -> None:
        """The digest is right and the name is free."""

    def contested(self) -> None:
        """The digest is right, but an older stream holds the name."""

    def older_alive(self) -> None:
        """The older stream answered a ping."""

    def older_dead(self) -> None:
        """The older stream did not answer, or has gone by itself."""

    def stanza(self, element: Element) -> None:
        """A stanza from the component's own domain."""

    def silent(self) -> None:
        """The keepalive got no answer."""

    def dismissed(self, condition: str, text: str) -> None:
        """We end it: the name was removed, a newer stream took over, or we shut down."""

    def ended(self) -> None:
        """The peer closed its stream."""

    def lost(self) -> None:
        """The connection is gone."""


class ComponentActions(Protocol):
    """What the table may do to the world. None of these fails, and none asks."""

    def greet(self, name: str, domain: str) -> None:
        """Answer the stream header."""

    def ask_older(self) -> None:
        """Ping the stream that holds the name."""

    def admit(self) -> None:
        """Confirm the handshake and route to this stream from now on."""

    def pass_on(self, element: Element) -> None:
        """Route a stanza."""

    def withdraw(self, reason: Reason, why: str) -> None:
        """Route to this stream no more."""

    def refuse(self, refusal: Refusal) -> None:
        """Say why to the log and to the peer, and hang up."""

    def refuse_conflict(self) -> None:
        """As `refuse`: the name is held by a stream that is alive."""

    def dismiss(self, condition: str, text: str) -> None:
        """Tell the peer and hang up."""

    def cut(self) -> None:
        """Drop the connection without a word: nobody is there to hear it."""


def make_table() -> TypeMachineBuilder[ComponentInputs, ComponentActions]:
    """Answer the table; apart from the machine so that a test can see that it is total."""
    table = new_table(ComponentInputs, ComponentActions)  # type: ignore[type-abstract]
    on = ComponentInputs
    opening = table.state("opening")
    proving = table.state("proving")
    contesting = table.state("contesting")
    registered = table.state("registered")
    closing = table.state("closing")

    @opening.upon(on.greeted).to(proving)
    def greet(_: ComponentInputs, do: ComponentActions, name: str, domain: str) -> None:
        do.greet(name, domain)

    @proving.upon(on.proved).to(registered)
    def admit(_: ComponentInputs, do: ComponentActions) -> None:
        do.admit()

    @proving.upon(on.contested).to(contesting)
    def ask_older(_: ComponentInputs, do: ComponentActions) -> None:
        do.ask_older()

    @contesting.upon(on.older_dead).to(registered)
    def admit_newer(_: ComponentInputs, do: ComponentActions) -> None:
        do.admit()

    @contesting.upon(on.older_alive).to(closing)
    def refuse_newer(_: ComponentInputs, do: ComponentActions) -> None:
        do.refuse_conflict()

    @registered.upon(on.stanza).loop()
    def pass_on(_: ComponentInputs, do: ComponentActions, element: Element) -> None:
        do.pass_on(element)

    @registered.upon(on.refused).to(closing)
    def refuse_registered(_: ComponentInputs, do: ComponentActions, refusal: Refusal) -> None:
        do.withdraw(refusal.failure.reason, refusal.failure.text)
        do.refuse(refusal)

    @registered.upon(on.dismissed).to(closing)
    def dismiss_registered(
        _: ComponentInputs, do: ComponentActions, condition: str, text: str
    ) -> None:
        do.withdraw(Reason.POLICY, text)
        do.dismiss(condition, text)

    @registered.upon(on.silent).to(closing)
    def cut(_: ComponentInputs, do: ComponentActions) -> None:
        do.withdraw(Reason.TIMEOUT, "it does not answer pings")
        do.cut()

    @registered.upon(on.ended).to(closing)
    def ended(_: ComponentInputs, do: ComponentActions) -> None:
        do.withdraw(Reason.LINK_LOST, "it closed the stream")

    @registered.upon(on.lost).to(closing)
    def lost(_: ComponentInputs, do: ComponentActions) -> None:
        do.withdraw(Reason.LINK_LOST, "the connection was lost")

    for state in (opening, proving, contesting):

        @state.upon(on.refused).to(closing)
        def refuse(_: ComponentInputs, do: ComponentActions, refusal: Refusal) -> None:
            do.refuse(refusal)

        @state.upon(on.dismissed).to(closing)
        def dismiss(_: ComponentInputs, do: ComponentActions, condition: str, text: str) -> None:
            do.dismiss(condition, text)

        state.upon(on.ended).to(closing).returns(None)
        state.upon(on.lost).to(closing).returns(None)

    for late in (on.refused, on.older_alive, on.older_dead, on.stanza, on.silent):
        closing.upon(late).loop().returns(None)
    for last in (on.dismissed, on.ended, on.lost):
        closing.upon(last).loop().returns(None)
    return table


#: Pairs that cannot occur, with the reason: `xmppd.components` tells what came by where it is.
HOLES: dict[tuple[str, str], str] = {
    **{
        (state, "greeted"): "a stream has one header; another start tag is a nested element"
        for state in ("proving", "contesting", "registered", "closing")
    },
    **{
        (state, given): "a handshake is looked at while proving only"
        for state in ("opening", "contesting", "registered", "closing")
        for given in ("proved", "contested")
    },
    **{
        (state, given): "nobody was asked"
        for state in ("opening", "proving", "registered")
        for given in ("older_alive", "older_dead")
    },
    **{
        (state, "stanza"): "before registration a stanza is refused instead"
        for state in ("opening", "proving", "contesting")
    },
    **{
        (state, "silent"): "the keepalive runs while registered only"
        for state in ("opening", "proving", "contesting")
    },
}

ComponentMachine: Callable[[ComponentActions], ComponentInputs] = make_table().build()
