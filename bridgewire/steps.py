"""The twelve steps of the signal flow, and the reasons why one can fail.

Logs, status, checks and docs use these names and no others, so that an operator can go from a
message to the step in the manual and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """One step on the way from a started daemon to an answered login, in order."""

    READY = "ready"
    CONFIGURATION = "configuration"
    PORT = "port"
    SRV = "srv"
    ADDRESS = "address"
    CONNECT = "connect"
    TLS = "tls"
    CERTIFICATE = "certificate"
    REGISTER = "register"
    REGISTERED = "registered"
    ACTIVE = "active"
    LOGIN = "login"

    @property
    def number(self) -> int:
        """1 for ``ready`` to 12 for ``login``."""
        return list(Step).index(self) + 1


class Reason(StrEnum):
    """Why a step failed."""

    DNS_FAILURE = "dns-failure"
    NO_SUCH_SERVICE = "no-such-service"
    CONNECT_REFUSED = "connect-refused"
    CONNECT_TIMEOUT = "connect-timeout"
    TLS_FAILURE = "tls-failure"
    CERTIFICATE_UNTRUSTED = "certificate-untrusted"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NAME_MISMATCH = "certificate-name-mismatch"
    CERTIFICATE_REQUIRED = "certificate-required"
    HOST_UNKNOWN = "host-unknown"
    AUTHENTICATION_FAILURE = "authentication-failure"
    SECRET_EXPIRED = "secret-expired"  # noqa: S105  it is no secret
    CONFLICT = "conflict"
    TIMEOUT = "timeout"
    LINK_LOST = "link-lost"
    PROTOCOL_ERROR = "protocol-error"
    RESOURCE_LIMIT = "resource-limit"
    POLICY = "policy"


#: Reasons that trying again soon cannot mend: somebody has to change something first.
REFUSALS = frozenset(
    {
        Reason.CERTIFICATE_UNTRUSTED,
        Reason.CERTIFICATE_EXPIRED,
        Reason.CERTIFICATE_NAME_MISMATCH,
        Reason.CERTIFICATE_REQUIRED,
        Reason.HOST_UNKNOWN,
        Reason.AUTHENTICATION_FAILURE,
        Reason.SECRET_EXPIRED,
        Reason.CONFLICT,
    }
)


@dataclass(eq=False)  # not frozen: Python and Twisted set __traceback__ on exceptions
class StepFailure(Exception):
    """A step that did not succeed, in words for the person who has to mend it.

    ``text`` says what was seen, ``remedy`` what to do about it; both are whole sentences without
    secrets, and safe to log.
    """

    step: Step
    reason: Reason
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        said = f"step {self.step.number} ({self.step}) failed, {self.reason}: {self.text}"
        return f"{said} {self.remedy}" if self.remedy else said

    def log_fields(self) -> dict[str, str]:
        """Answer what a line of the log has of it; ``failure`` is the whole of it, for people."""
        return {
            "failure": str(self),
            "step": self.step,
            "reason": self.reason,
            "remedy": self.remedy,
        }

    @property
    def refusal(self) -> bool:
        """True where the peer answered "no": retried slowly, since time alone does not help."""
        return self.reason in REFUSALS

    def as_json(self) -> dict[str, str]:
        """``{"step", "reason", "text", "remedy"}`` as status shows it.

        ``text`` ends with the remedy, for those who know no ``remedy``.
        """
        return {
            "step": str(self.step),
            "reason": str(self.reason),
            "text": f"{self.text} {self.remedy}".strip(),
            "remedy": self.remedy,
        }


def describe_error(error: Mapping[str, str]) -> str:
    """Answer for people what `StepFailure.as_json` has answered: ``tls, tls-failure: text``."""
    return f"{error['step']}, {error['reason']}: {error['text']}"
