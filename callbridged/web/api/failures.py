"""Why a request was not done: what CMS calls failureDetails. No I/O.

In XML the reasons come first, in exactly the form of CMS, since its scripts look for
``<userDoesNotExist />`` in the text; the words for people come after all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from xml.etree.ElementTree import Element, SubElement

#: What can be wrong with a parameter. The first is one of CMS's.
INVALID = "invalidValue"
TOO_LONG = "valueTooLong"
MISSING = "missingParameter"
TWICE = "duplicateParameter"
UNKNOWN = "unknownParameter"

#: Characters of a parameter's name that are repeated.
MAX_NAME = 80


@dataclass(frozen=True)
class Reason:
    """One reason, by its name in CMS where it has one; ``message`` is a sentence or two for people.

    ``parameter`` and ``error`` are those of a ``parameterError``, else empty.
    """

    name: str
    message: str
    parameter: str = ""
    error: str = ""

    def as_json(self) -> dict[str, str]:
        """Answer ``{"reason", "parameter", "error", "message"}``; without what is empty."""
        said = {
            "reason": self.name,
            "parameter": self.parameter,
            "error": self.error,
            "message": self.message,
        }
        return {key: text for key, text in said.items() if text}


@dataclass(eq=False)  # not frozen: Python sets __traceback__ on exceptions
class ApiFailure(Exception):
    """A request that is answered with a status of 4xx or 5xx, and why: at least one reason."""

    status: HTTPStatus
    reasons: Sequence[Reason]
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{int(self.status)}: {' '.join(one.message for one in self.reasons)}"

    def as_json(self) -> dict[str, object]:
        """Answer ``{"failureDetails": [reason, ...]}``."""
        return {"failureDetails": [one.as_json() for one in self.reasons]}

    def as_element(self) -> Element:
        """Answer ``<failureDetails>``: the reasons, and then a ``<message>`` for each."""
        root = Element("failureDetails")
        for one in self.reasons:
            reason = SubElement(root, one.name)
            if one.parameter:
                reason.attrib.update(parameter=one.parameter, error=one.error)
        for one in self.reasons:
            SubElement(root, "message").text = one.message
        return root


def parameter_error(parameter: str, error: str, message: str) -> Reason:
    """Answer what is wrong with one parameter; ``message`` is a sentence, and says the remedy."""
    name = parameter[:MAX_NAME]
    return Reason("parameterError", f"{name}: {message}", name, error)


def bad_request(*reasons: Reason) -> ApiFailure:
    """Answer the failure of a request that has these faults; not raised yet."""
    return ApiFailure(HTTPStatus.BAD_REQUEST, reasons)


def malformed(message: str) -> ApiFailure:
    """Answer the failure of a body that cannot be read at all; not raised yet."""
    return bad_request(Reason("malformedBody", message))


def unrecognized(path: str) -> ApiFailure:
    """Answer the failure of a request for what is not there; not raised yet."""
    said = f"There is no object {path[:200]!r}. GET /api/v1 lists those that there are."
    return ApiFailure(HTTPStatus.NOT_FOUND, (Reason("unrecognizedObject", said),))


def invalid_operation(message: str) -> ApiFailure:
    """Answer the failure of what cannot be done here and now; ``message`` says what to do."""
    return ApiFailure(HTTPStatus.CONFLICT, (Reason("invalidOperation", message),))
