"""Why a web hook has not answered, in words for the log: reason, what was seen, what to do."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet import error
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed, ResponseNeverReceived

from bridgewire import tls
from bridgewire.steps import Reason, StepFailure
from bridgewire.tls_failures import openssl_reasons
from bridgewire.tls_sides import End, Side
from callbridged.backends import BackendUnavailable, BrokenAccount, unavailable
from callbridged.backends.http.messages import BadAnswer
from callbridged.backends.http.settings import HookSettings
from callbridged.backends.reaching import our_end, remedy_of

#: Where the protocol is written down.
PROTOCOL = "docs/web-hook.md"


class TooMuch(Exception):
    """An answer is longer than it may be."""


class Explanations:
    """In the words of one ``[http NAME]``. None has anything in it of what was sent or answered."""

    def __init__(self, settings: HookSettings, limit: int) -> None:
        """``limit``: bytes of an answer."""
        self._settings = settings
        self._limit = limit
        section = settings.section
        #: The ends of the TLS connection.
        self.side = Side(
            our_end(section, settings.trust),
            End(
                "the web hook",
                "the certificate file of its web server",
                "the authorities that its web server asks clients for",
                "serverAuth",
            ),
            f"Does url in {section} of callbridged.ini name the port for https?",
        )

    def not_connected(self, failure: StepFailure) -> BackendUnavailable:
        """No connection: the step is address, connect, tls or certificate."""
        remedy = remedy_of(failure, "the web hook's server", self._settings.section)
        return unavailable(failure.reason, failure.text, remedy)

    def too_late(self, doing: str) -> BackendUnavailable:
        """``doing``: what was waited for, "its answer"."""
        return unavailable(
            Reason.TIMEOUT,
            f"The web hook took too long; what was waited for is {doing}.",
            f"Is its server overloaded? timeout in {self._settings.section} is how long it has.",
        )

    def broken_off(self, why: Exception) -> BackendUnavailable:
        """The connection was lost before the answer had come whole, or was no HTTP."""
        reasons: list[Failure] = getattr(why, "reasons", [])
        for reason in reasons:
            if isinstance(reason.value, TooMuch):
                return unavailable(
                    Reason.RESOURCE_LIMIT,
                    f"The web hook's answer has more than {self._limit // 1024} KiB.",
                    f"It should be a small JSON object, see {PROTOCOL}.",
                )
            if isinstance(reason.value, SSL.Error) and openssl_reasons(reason.value):
                return self.not_connected(tls.failure(reason, self.side))
        if not any(reason.check(error.ConnectionClosed, SSL.Error) for reason in reasons):
            return unavailable(
                Reason.PROTOCOL_ERROR,
                "What the web hook answers is no HTTP.",
                f"Does url in {self._settings.section} name the right port?",
            )
        begun = isinstance(why, ResponseFailed) and not isinstance(why, ResponseNeverReceived)
        when = "in the middle of its answer" if begun else "without an answer"
        return unavailable(
            Reason.LINK_LOST,
            f"The web hook closed the connection {when}.",
            "The log of its server may say why. "
            + (
                "Some servers do so where a client certificate is missing, or not what they want."
                if self._settings.url.scheme == "https"
                else "Does it want https?"
            ),
        )

    def refused(self, status: int, retry_after: bytes | None) -> BackendUnavailable:
        """``status``: other than 200 (RFC 9110 section 15)."""
        section = self._settings.section
        answer = f"The web hook answers {status}"
        if status in (401, 403):
            return unavailable(
                Reason.AUTHENTICATION_FAILURE,
                f"{answer}: it does not take what this Call Bridge proves itself with.",
                f"Check bearer_token_file and certificate in {section}, and whom the web hook "
                "lets in. This is no user's password.",
            )
        if 300 <= status < 400:
            return unavailable(
                Reason.POLICY,
                f"{answer}, which sends us elsewhere, and passwords are not sent elsewhere.",
                f"Write the place where the hook is into url in {section}.",
            )
        if status in (429, 503):
            # A time, or a date; only the time is shown.
            pause = retry_after.decode() if retry_after and retry_after.isdigit() else ""
            return unavailable(
                Reason.RESOURCE_LIMIT,
                f"{answer}: it has no room for the question"
                + (f", and wants {pause[:9]} seconds of peace." if pause else "."),
                f"Give its server more room, or make connections in {section} fewer.",
            )
        remedies = {
            400: "Is it the right one? nginx answers this to who shows no client certificate.",
            404: f"Correct the path of url in {section}.",
            405: f"It has to take POST. Is the path of url in {section} right?",
            502: "The hook behind its web server does not run.",
            504: "The hook behind its web server is too slow.",
        }
        remedy = remedies.get(status, f"The log of its server says why. See {PROTOCOL}.")
        return unavailable(Reason.PROTOCOL_ERROR, f"{answer}, and 200 is wanted.", remedy)

    def wrong_type(self) -> BackendUnavailable:
        """The answer is not said to be JSON."""
        return unavailable(
            Reason.PROTOCOL_ERROR,
            "The web hook's answer is not application/json, or is compressed.",
            f"Set Content-Type. Does url in {self._settings.section} name a page for people?",
        )

    def bad_answer(self, method: str, why: BadAnswer) -> BrokenAccount:
        """The answer is not what was agreed on; those to other users' logins may be."""
        return BrokenAccount(
            f"{Reason.PROTOCOL_ERROR}: The web hook's answer to {method} {why}. "
            f"Correct the hook, see {PROTOCOL}."
        )
