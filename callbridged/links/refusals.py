"""What it means when an XMPP server ends a link: step, reason and remedy. Pure."""

from __future__ import annotations

from twisted.words.xish.domish import Element

from bridgewire.namespaces import ERRORS, STREAM_ERRORS
from bridgewire.steps import Reason, Step, StepFailure

#: A server's own words are cut to this many characters.
_SAID = 300


def _lost(step: Step, text: str) -> StepFailure:
    return StepFailure(step, Reason.LINK_LOST, text, "The log of xmppd may say why.")


def _slow(step: Step, text: str) -> StepFailure:
    remedy = "Check that it is xmppd that listens there, and that it is not overloaded."
    return StepFailure(step, Reason.TIMEOUT, text, remedy)


LOST_SECURING = _lost(Step.TLS, "The XMPP server closed the connection during the TLS handshake.")
LOST_REGISTERING = _lost(
    Step.REGISTER, "The XMPP server closed the connection before it confirmed the registration."
)
LOST_REGISTERED = _lost(Step.ACTIVE, "The connection to the XMPP server was lost.")
CLOSED_REGISTERED = _lost(Step.ACTIVE, "The XMPP server closed the link.")
SLOW_SECURING = _slow(Step.TLS, "The XMPP server did not finish the TLS handshake in time.")
SLOW_REGISTERING = _slow(Step.REGISTER, "The XMPP server did not confirm the registration in time.")


def silent(interval: float, timeout: float) -> StepFailure:
    """A registered server that answers no pings; both in seconds, as the settings."""
    return StepFailure(
        Step.ACTIVE,
        Reason.TIMEOUT,
        f"The XMPP server sent nothing for {interval:g} s and did not answer a ping within "
        f"{timeout:g} s.",
        "Check the network between the two, and that xmppd is not overloaded.",
    )


def broken(step: Step, condition: str, text: str) -> StepFailure:
    """A server that breaks the rules of the stream."""
    over = condition == "policy-violation"
    return StepFailure(
        step,
        Reason.RESOURCE_LIMIT if over else Reason.PROTOCOL_ERROR,
        f"The XMPP server broke a rule of the stream ({condition}): {text}.",
        "Check that it is an XEP-0114 component port that answers there, such as xmppd's.",
    )


def stream_error(error: Element, step: Step, name: str, domain: str) -> StepFailure:
    """Read a ``<stream:error/>`` (RFC 6120, section 4.9) that came at ``step``.

    ``name`` and ``domain`` are the Call Bridge's, for the remedies.
    """
    condition, text, application = "undefined-condition", "", ""
    for child in error.elements():
        if child.uri == STREAM_ERRORS and child.name == "text":
            text = _printable(str(child)).rstrip(". ")
        elif child.uri == STREAM_ERRORS:
            condition = _printable(child.name)
        elif child.uri == ERRORS:
            application = child.name
    said = f"{condition}: {text}" if text else condition
    return _marked(application, said, name) or _by_condition(condition, said, step, name, domain)


def _marked(application: str, said: str, name: str) -> StepFailure | None:
    """A refusal that xmppd explains with an element of its own."""
    if application == Reason.CERTIFICATE_NAME_MISMATCH:
        return StepFailure(
            Step.CERTIFICATE,
            Reason.CERTIFICATE_NAME_MISMATCH,
            f"The XMPP server refused this Call Bridge's certificate ({said}).",
            "Issue it anew with the component name as subject alternative name, put it where [tls] "
            "certificate in callbridged.ini says, and run callbridgectl reload.",
        )
    if application == Reason.CERTIFICATE_REQUIRED:
        return StepFailure(
            Step.TLS,
            Reason.CERTIFICATE_REQUIRED,
            f"The XMPP server requires a certificate, and got none ({said}).",
            "Put one with the component name where [tls] certificate in callbridged.ini says, and "
            "run callbridgectl reload.",
        )
    if application == Reason.SECRET_EXPIRED:
        return StepFailure(
            Step.REGISTER,
            Reason.SECRET_EXPIRED,
            f"The XMPP server did not hear from this Call Bridge in time ({said}).",
            f"Run `xmppctl callbridge join {name}` on that server, and `callbridgectl setup --join "
            "FILE` here with the file that it makes.",
        )
    return None


def _by_condition(condition: str, said: str, step: Step, name: str, domain: str) -> StepFailure:
    component = f"{name}.{domain}"
    match condition:
        case "host-unknown":
            reason = Reason.HOST_UNKNOWN
            text = f"The XMPP server does not know {component} ({said})."
            remedy = (
                f"Run `xmppctl callbridge add-secret {name}` on that server and give it the secret "
                "of this Call Bridge; or correct name and domain in callbridged.ini."
            )
        case "not-authorized" if step is Step.REGISTER:
            reason = Reason.AUTHENTICATION_FAILURE
            text = f"The XMPP server did not accept the secret of {component} ({said})."
            remedy = (
                "The secret differs from the one xmppd has: run `xmppctl callbridge list "
                "--show-secrets` there and compare."
            )
        case "not-authorized":
            reason = Reason.AUTHENTICATION_FAILURE
            text = f"The XMPP server took the registration of {component} back ({said})."
            remedy = f"Run `xmppctl callbridge list` there and see whether {name} is still known."
        case "conflict":
            reason = Reason.CONFLICT
            text = f"Another link is registered as {component} at the XMPP server ({said})."
            remedy = "Give each Call Bridge a name of its own, in [callbridge] of callbridged.ini."
        case "connection-timeout":
            reason = Reason.TIMEOUT
            text = f"The XMPP server lost patience with this Call Bridge ({said})."
            remedy = "Check the network between the two, and that neither is overloaded."
        case "policy-violation":
            reason = Reason.POLICY
            text = f"The XMPP server ended the link by its policy ({said})."
            remedy = "The log of xmppd says which rule was broken."
        case "resource-constraint":
            reason = Reason.RESOURCE_LIMIT
            text = f"The XMPP server has no room for this link ({said})."
            remedy = "Look at the load and the limits of that server."
        case "system-shutdown":
            reason = Reason.LINK_LOST
            text = f"The XMPP server is shutting down ({said})."
            remedy = "The link comes back by itself when that server does."
        case _:
            reason = Reason.PROTOCOL_ERROR
            text = f"The XMPP server ended the stream ({said})."
            remedy = "The log of xmppd may say why. Check that both ends are of the same version."
    return StepFailure(step, reason, text, remedy)


def _printable(text: str) -> str:
    """Words of a peer, safe for a log line."""
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= _SAID else clean[:_SAID] + "..."
