"""What a client's stream is to its owner, whatever carries it: TCP, TLS or WebSocket."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.words.xish.domish import Element

from bridgewire.limits import Limits


class Stream(Protocol):
    """One stream. What happens to it is told to a `bridgewire.stream.StreamOwner`.

    Provided by `bridgewire.stream.XmlStream` (RFC 6120) and by `xmppd.web.stream.WebSocketStream`
    (RFC 7395), which is secured as soon as it is connected.
    """

    @property
    def transport_name(self) -> str:
        """``TLS`` or ``WebSocket``, for `xmppd.sessions.SessionInfo`."""

    @property
    def transport(self) -> Any:
        """What carries it. Under TLS, `bridgewire.tls` can say more about it."""

    @property
    def end_to_end_tls(self) -> bool:
        """False where TLS, if there is any, ended at a reverse proxy and not at the client.

        Such a stream has no channel bindings, and no client certificate.
        """

    @property
    def closing(self) -> bool:
        """True once nothing more is wanted from the peer."""

    @property
    def unsent(self) -> int:
        """How many bytes wait since the peer does not keep up; 0 while it does."""

    def send_header(
        self,
        *,
        to: str | None = None,
        from_: str | None = None,
        stream_id: str | None = None,
        version: str | None = None,
    ) -> None:
        """Open our side of the stream; None leaves an attribute out."""

    def send(self, obj: Element | str) -> None:
        """Send one element, unless the stream is closing.

        As text it must stand by itself, with all its namespaces declared: a message of RFC 7395
        has nothing around it.
        """

    def fail(
        self, condition: str, text: str | None = None, application: Element | None = None
    ) -> None:
        """Tell the peer which stream error (RFC 6120 section 4.9.3) ended this, and hang up."""

    def finish(self) -> None:
        """Close our side and the connection; cut it if the peer does not follow."""

    def abort(self) -> None:
        """Cut the connection at once: the peer is thought dead."""

    def set_limits(self, limits: Limits) -> None:
        """Allow the peer more on the stream that is under way: it has proved who it is."""

    def allow_white_space(self, allowed: bool) -> None:
        """Whether the peer may send white space between elements, on this stream."""

    def restart(self, limits: Limits) -> None:
        """Expect a new stream on the same connection (after STARTTLS or SASL)."""
