"""What is said of a service that a backend cannot reach, whichever protocol it speaks."""

from __future__ import annotations

from bridgewire.steps import Reason, StepFailure
from bridgewire.tls_sides import End


def our_end(section: str, trust: str) -> End:
    """Answer our end of a TLS connection, by the settings in ``section``, like ``[http hook]``.

    ``trust``: where the certificates of trusted authorities are.
    """
    return End(
        "the Call Bridge",
        f"the file of certificate in {section} of callbridged.ini",
        trust,
        "clientAuth",
    )


def remedy_of(failure: StepFailure, who: str, section: str) -> str:
    """Answer what to do about a failure on the way to ``who``, like ``the directory``."""
    if failure.reason in (Reason.CONNECT_REFUSED, Reason.CONNECT_TIMEOUT):
        return (
            f"Is {who} up, does url in {section} name its port, and does the network let this "
            "host through?"
        )
    return failure.remedy
