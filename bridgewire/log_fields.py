"""The fields of log lines, called the same in both daemons, so that one search finds both ends."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: journald has them in upper case with this in front: ``XMPP_LOGIN``.
PREFIX = "XMPP_"

#: Each field with what is in it.
FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "step": "the step of the signal flow, by its name",
        "reason": "why it failed, by the name of the reason",
        "remedy": "what to do about it",
        "login": "one login, from its first message to its end; the same in both daemons",
        "user": "whose login or session it is; without the domain",
        "peer": "the address of the client, or of whoever connected",
        "network": "the network whose failed logins are counted together",
        "mechanism": "the SASL mechanism",
        "outcome": "how a login has ended: `success`, an error condition of SASL, or `link-lost`",
        "condition": "the error that a stream ended with, of RFC 6120 section 4.9",
        "session": "the address of a client's session, `user@domain/resource`",
        "callbridge": "the Call Bridge, `name.domain`",
        "domain": "the XMPP domain",
        "target": "the XMPP server that `callbridged` goes to, `host:port`",
        "backend": "the user backend, as in `[users] backend`, or the heading of its section",
        "alarm": "the kind of an alarm",
        "severity": "of an alarm: `critical` or `warning`",
        "subject": "what an alarm is about: an XMPP server, a file, a backend, or the domain",
        "suppressed": "how many lines were left out, or lost",
    }
)
