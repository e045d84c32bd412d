"""Why a directory has not answered, in words for the log: reason, what was seen, what to do."""

from __future__ import annotations

from twisted.python.failure import Failure

from bridgewire import tls
from bridgewire.steps import Reason, Step, StepFailure
from bridgewire.tls_sides import End, Side
from callbridged.backends import BackendUnavailable, unavailable
from callbridged.backends.ldap.interface import Result, ResultCode
from callbridged.backends.ldap.settings import LdapSettings, UserSearch
from callbridged.backends.ldap.urls import DirectoryUrl
from callbridged.backends.reaching import our_end, remedy_of


class Words:
    """In the words of one ``[ldap NAME]``, for one of its servers."""

    def __init__(self, settings: LdapSettings, url: DirectoryUrl) -> None:
        section = settings.section
        self.correct_url = f"correct the host in url of {section}"
        self._section = section
        self._look = _RESTARTED
        if settings.identity is None and (url.tls or settings.start_tls):
            self._look += f" Some close it where they want a client's certificate ({section})."
        self._url = url
        #: The ends of the TLS connection.
        self._side = Side(
            our_end(section, settings.trust),
            End(
                f"the directory {url}",
                "the certificate file of that server",
                "the authorities that the directory asks clients for",
                "serverAuth",
            ),
            f"Does url in {section} name the right port? TLS begins at once on that of ldaps:// "
            "(636), and by StartTLS on that of ldap:// (389).",
        )

    def not_connected(self, failure: StepFailure) -> StepFailure:
        """No TCP connection, or no address."""
        remedy = remedy_of(failure, "the directory", self._section)
        return StepFailure(failure.step, failure.reason, failure.text, remedy)

    def lost(self, reason: Failure, *, during_tls: bool) -> StepFailure:
        """The connection has ended, and nobody wanted that."""
        failure = tls.failure(reason, self._side)
        if during_tls or failure.reason is not Reason.LINK_LOST:
            return failure
        return self.gone()

    def gone(self) -> StepFailure:
        """The connection was closed by the directory."""
        return StepFailure(
            Step.LOGIN,
            Reason.LINK_LOST,
            f"{self._url} closed the connection without an answer.",
            self._look,
        )

    def ended(self, result: Result) -> StepFailure:
        """The directory has said that it is about to close the connection."""
        return StepFailure(
            Step.LOGIN,
            Reason.LINK_LOST,
            f"{self._url} has ended the connection: {result}.",
            _RESTARTED,
        )

    def nonsense(self, what: str) -> StepFailure:
        """What came is no LDAP, or not what may come now; ``what`` is a sentence."""
        return StepFailure(
            Step.LOGIN,
            Reason.PROTOCOL_ERROR,
            f"{self._url} does not speak LDAP as it should. {what}",
            f"Does url in {self._section} name the right port?",
        )

    def no_start_tls(self, result: Result) -> StepFailure:
        """The directory has refused StartTLS."""
        return StepFailure(
            Step.TLS,
            Reason.TLS_FAILURE,
            f"{self._url} refuses StartTLS: {result}.",
            "Give the directory a certificate; or use its ldaps:// port, if it has one. "
            f"tls = none in {self._section} would send passwords in plain text.",
        )


def too_late(section: str, waited_for: str) -> StepFailure:
    """``waited_for``: "the TLS handshake with ldap://ldap.example.com"."""
    return StepFailure(
        Step.LOGIN,
        Reason.TIMEOUT,
        f"The directory took too long; what was waited for is {waited_for}.",
        f"Is it overloaded or frozen? timeout in {section} is how long it has.",
    )


def search_account_refused(settings: LdapSettings, name: str, result: Result) -> StepFailure:
    """The server ``name`` does not take the search account."""
    way = settings.way
    bind_dn = way.bind_dn if isinstance(way, UserSearch) else ""
    wrong = result.code in (
        ResultCode.INVALID_CREDENTIALS,
        ResultCode.NO_SUCH_OBJECT,
        ResultCode.INVALID_DN_SYNTAX,
        ResultCode.INAPPROPRIATE_AUTHENTICATION,
    )
    remedy = f"Correct bind_dn and its password in {settings.section}. This is no user's password."
    return StepFailure(
        Step.LOGIN,
        Reason.AUTHENTICATION_FAILURE if wrong else Reason.POLICY,
        f"{name} does not let the search account {bind_dn} in: {result}.",
        remedy if wrong else _REMEDIES.get(result.code, _LOOK),
    )


def refused(settings: LdapSettings, name: str, doing: str, result: Result) -> BackendUnavailable:
    """Answer what to raise where a server cannot or will not say what it was asked.

    ``name``: of the server; ``doing``: "the search for a user".
    """
    remedy = _REMEDIES.get(result.code, _LOOK)
    way = settings.way
    if isinstance(way, UserSearch) and result.code == ResultCode.NO_SUCH_OBJECT:
        who = way.bind_dn or "everybody"
        remedy = (
            f"Correct base in {settings.section}, which is {way.base}; or let {who} see it: a "
            "directory says the same of what may not be seen."
        )
    if isinstance(way, UserSearch) and not way.bind_dn and result.code in _NOT_ANONYMOUS:
        remedy = f"It may want to know who searches: set bind_dn in {settings.section}."
    reason = Reason.RESOURCE_LIMIT if result.code in _LIMITS else Reason.POLICY
    return unavailable(reason, f"{name} has refused {doing}: {result}.", remedy)


_LOOK = "The directory's log may say why."
_RESTARTED = f"{_LOOK} If it was restarted, all will be well in a moment."
_NOT_ANONYMOUS = (
    ResultCode.OPERATIONS_ERROR,  # Active Directory's
    ResultCode.STRONGER_AUTH_REQUIRED,
    ResultCode.INAPPROPRIATE_AUTHENTICATION,
    ResultCode.INSUFFICIENT_ACCESS_RIGHTS,
    ResultCode.UNWILLING_TO_PERFORM,
)
_LIMITS = (
    ResultCode.TIME_LIMIT_EXCEEDED,
    ResultCode.SIZE_LIMIT_EXCEEDED,
    ResultCode.ADMIN_LIMIT_EXCEEDED,
    ResultCode.BUSY,
)
_NO_INDEX = "It was too much for the directory: is there an index for the attributes in filter?"
_REMEDIES: dict[int, str] = {
    ResultCode.TIME_LIMIT_EXCEEDED: _NO_INDEX,
    ResultCode.ADMIN_LIMIT_EXCEEDED: _NO_INDEX,
    ResultCode.STRONGER_AUTH_REQUIRED: "It wants TLS: use tls = starttls, or ldaps://.",
    ResultCode.CONFIDENTIALITY_REQUIRED: "It wants TLS: use tls = starttls, or ldaps://.",
    ResultCode.REFERRAL: "It refers us to another directory, and referrals are not followed: "
    "passwords go to the servers in url only. Name the one that has the users there.",
    ResultCode.INSUFFICIENT_ACCESS_RIGHTS: "Let the search account read the users' entries.",
    ResultCode.BUSY: "Is the directory overloaded?",
    ResultCode.UNAVAILABLE: "Is the directory starting, or being maintained?",
}
