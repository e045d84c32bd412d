"""SASL elements (RFC 6120 section 6.4) and the data in them, read and written."""

from __future__ import annotations

import base64
import binascii

from twisted.words.xish.domish import Element

from bridgewire.namespaces import ERRORS, SASL
from bridgewire.steps import Reason

#: What a ``<failure/>`` may say: RFC 6120 section 6.5.
CONDITIONS = frozenset(
    {
        "aborted",
        "account-disabled",
        "credentials-expired",
        "encryption-required",
        "incorrect-encoding",
        "invalid-authzid",
        "invalid-mechanism",
        "malformed-request",
        "mechanism-too-weak",
        "not-authorized",
        "temporary-auth-failure",
    }
)

#: The SASL mechanisms that are known by name here. What others are called is up to who uses them.
MECHANISMS = frozenset(
    {
        "ANONYMOUS",
        "EXTERNAL",
        "HT-SHA-256-ENDP",
        "HT-SHA-256-EXPR",
        "HT-SHA-256-NONE",
        "PLAIN",
        *(
            f"SCRAM-{hashed}{plus}"
            for hashed in ("SHA-1", "SHA-256", "SHA-512")
            for plus in ("", "-PLUS")
        ),
    }
)


class WireFault(Exception):
    """A message that the peer should not have sent. The text is one line, and safe to log.

    ``condition`` is what to answer: a stanza error of RFC 6120 section 8.3.3, or, where reading
    the data of a SASL element found it, a SASL error of section 6.5.
    """

    def __init__(self, text: str, condition: str = "bad-request") -> None:
        super().__init__(text)
        self.condition = condition


def sasl_message(name: str, data: bytes | None = None) -> Element:
    """Answer a SASL element with ``data`` in base64; None: no text, empty: ``=``."""
    element = Element((SASL, name))
    if data is not None:
        element.addContent(base64.b64encode(data).decode("ascii") or "=")
    return element


def sasl_failure(condition: str, text: str | None = None, reason: Reason | None = None) -> Element:
    """Answer ``<failure/>`` with a condition of RFC 6120 section 6.5.

    ``reason``: more of it, for clients that can tell their user; docs/client-protocol.md has those
    that there are.
    """
    failure = Element((SASL, "failure"))
    failure.addElement((SASL, condition))
    if reason:
        failure.addElement((ERRORS, str(reason)))
    if text:
        failure.addElement((SASL, "text"), content=text)
    return failure


def failure_condition(failure: Element) -> str:
    """Answer the one condition in a ``<failure/>``. Raises WireFault where that is not so."""
    found = [one.name for one in failure.elements() if one.uri == SASL and one.name != "text"]
    if len(found) != 1 or found[0] not in CONDITIONS:
        raise WireFault("a failure has exactly one of the conditions of RFC 6120")
    return str(found[0])


def failure_details(failure: Element) -> tuple[str, str]:
    """Answer the reason and the text in a ``<failure/>``; what is not there is empty."""
    reason = text = ""
    for child in failure.elements():
        if child.uri == ERRORS and child.name in list(Reason):
            reason = child.name
        elif (child.uri, child.name) == (SASL, "text"):
            text = str(child)
    return reason, text


def sasl_data(element: Element) -> bytes | None:
    """Answer the data of a SASL element: None for no text, empty for ``=`` (RFC 6120, 6.4.2).

    Raises:
        WireFault: `incorrect-encoding` for what is not base64, `malformed-request` for elements.
    """
    text = text_of(element, "malformed-request")
    if not text:
        return None
    return b"" if text == "=" else from_base64(text)


def text_of(element: Element, condition: str = "bad-request") -> str:
    """Answer the text in an element. Raises WireFault where there are elements in it."""
    if not all(isinstance(child, str) for child in element.children):
        raise WireFault(f"<{element.name}/> has an element in it", condition)
    return "".join(str(child) for child in element.children)


def from_base64(text: str, condition: str = "incorrect-encoding") -> bytes:
    """Answer what ``text`` stands for. Raises WireFault."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise WireFault("the data is not base64", condition) from None
