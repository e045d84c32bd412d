"""The life of one client's stream as a state table: STARTTLS, SASL, resource binding, stanzas.

The order is that of RFC 6120 section 9.1, or of XEP-0368, with TLS from the first byte. The table
says what may happen when; `xmppd.clients.stream` does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from automat import TypeMachineBuilder
from twisted.words.xish.domish import Element

from bridgewire.login import LoginReply
from bridgewire.tables import new_table


class ClientInputs(Protocol):
    """What can happen to a client's stream."""

    def greeted(self) -> None:
        """A good stream header came."""

    def starttls(self) -> None:
        """The client wants to begin TLS."""

    def secured(self) -> None:
        """The TLS handshake is done."""

    def auth(self, element: Element) -> None:
        """The client begins a SASL exchange."""

    def response(self, element: Element) -> None:
        """The client goes on with it."""

    def abort(self, element: Element) -> None:
        """The client gives it up."""

    def challenged(self, element: Element) -> None:
        """The Call Bridge goes on with it."""

    def accepted(self, element: Element) -> None:
        """The Call Bridge lets the client in."""

    def accepted_inline(self, reply: LoginReply) -> None:
        """It does, in SASL2: the stream goes on as it is."""

    def rejected(self, element: Element) -> None:
        """The Call Bridge does not, or nobody could be asked."""

    def bind(self, iq: Element) -> None:
        """The client asks for a resource."""

    def established(self) -> None:
        """It has a session now, a new one or one that goes on."""

    def manage(self, element: Element) -> None:
        """An element of stream management or client state indication."""

    def stanza(self, element: Element) -> None:
        """A stanza, or something unknown."""

    def refused(self, condition: str, text: str, application: Element | None = None) -> None:
        """The client broke a rule, took too long, or has to go."""

    def ended(self) -> None:
        """The client closed its stream."""

    def lost(self) -> None:
        """The connection is gone."""


class ClientActions(Protocol):
    """What the table may do to the world. None of these fails, and none asks."""

    def offer(self) -> None:
        """Answer the stream header, with the features of the moment."""

    def begin_tls(self) -> None:
        """Proceed to TLS."""

    def relay(self, element: Element) -> None:
        """Pass a SASL message to a Call Bridge; its answer is another input."""

    def challenge(self, element: Element) -> None:
        """Pass its answer to the client."""

    def welcome(self, element: Element) -> None:
        """Tell the client that it is in, and expect a new stream."""

    def welcome_inline(self, reply: LoginReply) -> None:
        """Tell the client that it is in, and settle what it wanted with it."""

    def nothing_to_abort(self, element: Element) -> None:
        """Answer an abort after the end: some clients send one for each failure."""

    def reject(self, element: Element) -> None:
        """Tell the client that it is not."""

    def bind(self, iq: Element) -> None:
        """Bind a resource, if that can be; the session is another input."""

    def manage_unbound(self, element: Element) -> None:
        """Resume a session, if that can be; it is another input."""

    def manage(self, element: Element) -> None:
        """Take an element of stream management or client state indication."""

    def handle(self, element: Element) -> None:
        """Take a stanza of the session."""

    def leave(self) -> None:
        """Give up the exchange with the Call Bridge, or end the session."""

    def lose(self) -> None:
        """The same without a word from the client: it may come back to its session."""

    def refuse(self, condition: str, text: str, application: Element | None = None) -> None:
        """Tell the client which stream error it is, and hang up."""


def make_table() -> TypeMachineBuilder[ClientInputs, ClientActions]:
    """Answer the table; apart from the machine so that a test can see that it is total."""
    table = new_table(ClientInputs, ClientActions)  # type: ignore[type-abstract]
    on = ClientInputs
    opening = table.state("opening")
    offering_tls = table.state("offering_tls")
    securing = table.state("securing")
    secured = table.state("secured")
    offering_sasl = table.state("offering_sasl")
    asking = table.state("asking")
    challenged = table.state("challenged")
    authenticated = table.state("authenticated")
    offering_bind = table.state("offering_bind")
    bound = table.state("bound")
    closing = table.state("closing")
    states = (
        opening, offering_tls, securing, secured, offering_sasl, asking, challenged,
        authenticated, offering_bind, bound,
    )  # fmt: skip

    for before, after in (
        (opening, offering_tls),
        (secured, offering_sasl),
        (authenticated, offering_bind),
    ):

        @before.upon(on.greeted).to(after)
        def offer(_: ClientInputs, do: ClientActions) -> None:
            do.offer()

    @offering_tls.upon(on.starttls).to(securing)
    def begin_tls(_: ClientInputs, do: ClientActions) -> None:
        do.begin_tls()

    securing.upon(on.secured).to(secured).returns(None)
    opening.upon(on.secured).to(secured).returns(None)  # XEP-0368: TLS from the first byte

    for state, message in (
        (offering_sasl, on.auth),
        (challenged, on.response),
        (challenged, on.abort),
    ):

        @state.upon(message).to(asking)
        def relay(_: ClientInputs, do: ClientActions, element: Element) -> None:
            do.relay(element)

    @offering_sasl.upon(on.abort).loop()
    def nothing_to_abort(_: ClientInputs, do: ClientActions, element: Element) -> None:
        do.nothing_to_abort(element)

    @asking.upon(on.challenged).to(challenged)
    def challenge(_: ClientInputs, do: ClientActions, element: Element) -> None:
        do.challenge(element)

    @asking.upon(on.accepted).to(authenticated)
    def welcome(_: ClientInputs, do: ClientActions, element: Element) -> None:
        do.welcome(element)

    @asking.upon(on.accepted_inline).to(offering_bind)
    def welcome_inline(_: ClientInputs, do: ClientActions, reply: LoginReply) -> None:
        do.welcome_inline(reply)

    @asking.upon(on.rejected).to(offering_sasl)
    def reject(_: ClientInputs, do: ClientActions, element: Element) -> None:
        do.reject(element)

    @offering_bind.upon(on.bind).loop()
    def bind(_: ClientInputs, do: ClientActions, iq: Element) -> None:
        do.bind(iq)

    @offering_bind.upon(on.manage).loop()
    def manage_unbound(_: ClientInputs, do: ClientActions, element: Element) -> None:
        do.manage_unbound(element)

    offering_bind.upon(on.established).to(bound).returns(None)

    @bound.upon(on.manage).loop()
    def manage(_: ClientInputs, do: ClientActions, element: Element) -> None:
        do.manage(element)

    @bound.upon(on.stanza).loop()
    def handle(_: ClientInputs, do: ClientActions, element: Element) -> None:
        do.handle(element)

    # Whatever else comes from the client ends the stream.
    expected: dict[object, set[object]] = {
        offering_tls: {on.starttls},
        offering_sasl: {on.auth, on.abort},
        challenged: {on.response, on.abort},
        offering_bind: {on.bind, on.manage},
        bound: {on.stanza, on.manage},
    }
    for state in states:
        for given in (on.auth, on.response, on.abort, on.manage, on.stanza):
            if given in expected.get(state, set()):
                continue

            @state.upon(given).to(closing)
            def unexpected_element(_: ClientInputs, do: ClientActions, element: Element) -> None:
                do.leave()
                do.refuse("not-authorized", "not now: RFC 6120 section 9.1 has the order")

        if on.starttls not in expected.get(state, set()):

            @state.upon(on.starttls).to(closing)
            def unexpected_starttls(_: ClientInputs, do: ClientActions) -> None:
                do.leave()
                do.refuse("not-authorized", "not now: RFC 6120 section 9.1 has the order")

        if on.bind not in expected.get(state, set()):

            @state.upon(on.bind).to(closing)
            def unexpected_bind(_: ClientInputs, do: ClientActions, iq: Element) -> None:
                do.leave()
                do.refuse("not-authorized", "not now: RFC 6120 section 9.1 has the order")

        @state.upon(on.refused).to(closing)
        def refuse(
            _: ClientInputs,
            do: ClientActions,
            condition: str,
            text: str,
            application: Element | None = None,
        ) -> None:
            do.leave()
            do.refuse(condition, text, application)

        @state.upon(on.ended).to(closing)
        def leave(_: ClientInputs, do: ClientActions) -> None:
            do.leave()

        @state.upon(on.lost).to(closing)
        def lose(_: ClientInputs, do: ClientActions) -> None:
            do.lose()

    for answer in (on.challenged, on.accepted, on.accepted_inline, on.rejected):
        closing.upon(answer).loop().returns(None)
    for late in (on.secured, on.established, on.ended, on.lost):
        closing.upon(late).loop().returns(None)
    closing.upon(on.refused).loop().returns(None)
    return table


_INPUTS_FROM_CLIENT = (
    "greeted", "starttls", "auth", "response", "abort", "bind", "manage", "stanza",
)  # fmt: skip

#: Pairs that cannot occur, with the reason: `xmppd.clients.stream` sees to it.
HOLES: dict[tuple[str, str], str] = {
    **{
        (state, "greeted"): "a stream has one header; another start tag is a nested element"
        for state in (
            "offering_tls", "securing", "offering_sasl", "asking", "challenged", "offering_bind",
            "bound",
        )
    },
    **{
        (state, "secured"): "there is one TLS handshake, before the header or after starttls"
        for state in (
            "offering_tls", "secured", "offering_sasl", "asking", "challenged", "authenticated",
            "offering_bind", "bound",
        )
    },
    **{
        (state, answer): "a Call Bridge answers what it was asked, once"
        for state in (
            "opening", "offering_tls", "securing", "secured", "offering_sasl", "challenged",
            "authenticated", "offering_bind", "bound",
        )
        for answer in ("challenged", "accepted", "accepted_inline", "rejected")
    },
    **{
        (state, "established"): "a session begins where a resource is bound or resumed"
        for state in (
            "opening", "offering_tls", "securing", "secured", "offering_sasl", "asking",
            "challenged", "authenticated", "bound",
        )
    },
    **{
        ("closing", given): "a closing stream hears nothing more from its peer"
        for given in _INPUTS_FROM_CLIENT
    },
}  # fmt: skip

ClientMachine: Callable[[ClientActions], ClientInputs] = make_table().build()
