"""Who asks, and may they? The answers for whatever is served at ``[admin] listen``.

The API's callers show name and password with each request (Basic, RFC 7617), or, being scripts of
our own page, the page's cookie. With a cookie, nothing is changed without the session's CSRF token.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from daemonkit.networks import plain_address

if TYPE_CHECKING:  # callbridgectl comes by here, and serves nothing
    from twisted.web.server import Request

Role = Literal["admin", "viewer"]

#: What our scripts send the session's token in.
CSRF_HEADER = "x-csrf-token"

_READING = (b"GET", b"HEAD")


@dataclass(frozen=True)
class Caller:
    """Who asks: an administrator, from the address ``peer``. A viewer may change nothing."""

    name: str
    role: Role
    peer: str

    @property
    def may_change(self) -> bool:
        """True for an admin."""
        return self.role == "admin"


class Denied(Exception):
    """A request that is not answered. ``text`` is a sentence for people, without secrets.

    ``reason``: ``unauthenticated``, ``wrong``, ``paused``, ``busy``, ``viewer``, ``csrf``,
    ``cross-site``. ``headers`` belong into the answer.
    """

    def __init__(
        self, status: int, reason: str, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason
        self.text = text
        self.headers = headers

    def put(self, request: Request) -> None:
        """Set status and headers of the answer."""
        request.setResponseCode(self.status, HTTPStatus(self.status).phrase.encode())
        for name, value in self.headers:
            request.setHeader(name, value)


def changes(request: Request) -> bool:
    """True where the request's method may change something."""
    return request.method not in _READING


def peer_of(request: Request) -> str:
    """Answer the address that the request comes from."""
    return plain_address(getattr(request.getClientAddress(), "host", ""))


def check_role(caller: Caller) -> None:
    """Raises Denied where the caller may change nothing."""
    if not caller.may_change:
        raise Denied(
            HTTPStatus.FORBIDDEN,
            "viewer",
            f"{caller.name} is a viewer and may change nothing. `callbridgectl admin role "
            f"{caller.name} admin` on the Call Bridge's host changes that.",
        )


def check_site(request: Request) -> None:
    """Raises Denied where a page of another site has a browser ask this.

    Browsers say so with Sec-Fetch-Site, older ones with Origin (RFC 6454); others do not at all.
    """
    asked_by = request.getHeader("sec-fetch-site")
    origin = request.getHeader("origin")
    ours = f"https://{request.getHeader('host') or ''}".lower()
    if asked_by not in (None, "same-origin", "none") or (
        origin is not None and _origin(origin) != _origin(ours)
    ):
        raise Denied(HTTPStatus.FORBIDDEN, "cross-site", "A page of another site may not ask this.")


def check_token(expected: str, given: str | None) -> None:
    """Raises Denied where ``given`` is not the session's CSRF token."""
    shown = (given or "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(shown, expected.encode()):
        raise Denied(
            HTTPStatus.FORBIDDEN,
            "csrf",
            "The form does not belong to this session: it was open for too long, or another site "
            "has sent it. Load the page again.",
        )


def _origin(text: str) -> tuple[str, str, int]:
    """Answer an origin in parts, of which none is the other's where it makes no sense."""
    try:
        url = urlsplit(text.lower())
        return url.scheme, url.hostname or text, url.port or 443
    except ValueError:
        return "", text, 0
