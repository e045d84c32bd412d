"""Who may register as a component (steps 8 to 10): checks of header, certificate and digest."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from twisted.words.xish.domish import Element

from bridgewire import certificates
from bridgewire.handshake import component_digest, digests_match
from bridgewire.jid import parse_host
from bridgewire.join import show_time
from bridgewire.namespaces import COMPONENT
from bridgewire.steps import Reason, Step, StepFailure
from daemonkit.files import mark
from xmppd.components.registry import Known, RegistryFault


@dataclass(frozen=True)
class Refusal:
    """Why a stream is ended: ``condition`` and the failure's text are told to the peer."""

    condition: str
    failure: StepFailure


class Refused(Exception):
    """A check that failed."""

    def __init__(
        self,
        condition: str,
        reason: Reason,
        text: str,
        remedy: str = "",
        step: Step = Step.REGISTER,
    ) -> None:
        super().__init__(text)
        self.refusal = Refusal(condition, StepFailure(step, reason, text, remedy))


class Names(Protocol):
    """Who may register, as `xmppd.components.registry.Registry` knows. Raises RegistryFault."""

    def find(self, domain: str, name: str) -> Known | None:
        """Answer what is known of a name, None if nothing is."""

    def take(self, domain: str, name: str) -> None:
        """Let its secret expire no more."""


@dataclass(frozen=True)
class Admission:
    """The rules.

    ``domains``: those that are served, the first one in front. ``now`` answers UNIX time.
    """

    domains: Sequence[str]
    names: Names
    now: Callable[[], float] = time.time

    def check_header(self, root: Element, certificate: x509.Certificate | None) -> tuple[str, str]:
        """Answer the name that a stream header asks for, and the domain that it lies in.

        Raises:
            Refused: with the stream error condition, step and reason.
        """
        if root.defaultUri != COMPONENT:
            text = f"its default namespace is {root.defaultUri!r:.100}, not {COMPONENT}"
            raise Refused("invalid-namespace", Reason.PROTOCOL_ERROR, text)
        to = str(root.getAttribute("to", ""))
        if not to:
            text = "it does not say in 'to' which component it is"
            raise Refused("improper-addressing", Reason.PROTOCOL_ERROR, text)
        name, _, domain = parse_host(to).partition(".")
        if not self.known(domain, name):
            raise Refused(
                "host-unknown",
                Reason.HOST_UNKNOWN,
                f"no Call Bridge or component {to!r:.200} is known here.",
                self._remedy(domain, name),
            )
        if certificate is not None:
            try:
                certificates.check_callbridge_name(certificate, f"{name}.{domain}")
            except StepFailure as failure:
                raise Refused(
                    "not-authorized", failure.reason, failure.text, failure.remedy, failure.step
                ) from None
        return name, domain

    def known(self, domain: str, name: str) -> bool:
        """True where a component may have this name. Raises Refused where nobody can tell.

        One cannot have the address of another domain, should that lie below its own.
        """
        if domain not in self.domains or f"{name}.{domain}" in self.domains:
            return False
        return self._find(domain, name) is not None

    def _remedy(self, domain: str, name: str) -> str:
        if f"{name}.{domain}" in self.domains:
            return f"{name}.{domain} is a domain of its own. Components are called NAME.DOMAIN."
        if domain not in self.domains:
            shown = " or ".join(f"NAME.{one}" for one in self.domains[:5])
            return f"Components here are called {shown}."
        command = f"xmppctl callbridge add {name or 'NAME':.63}{self._option(domain)}"
        return f"If it ought to be, run `{command}`."

    def check_digest(self, domain: str, name: str, stream_id: str, offered: str) -> bytes:
        """Compare the handshake's digest, and answer the mark of the secret that it proves.

        Always with two secrets, each in constant time: how long it takes says neither whether the
        name is known nor whether its secret is being rotated. A secret from a join file must come
        in time once, and has no end from then on.

        Raises:
            Refused: it is of neither, or came too late.
        """
        known = self._find(domain, name)
        current = known.secret if known else secrets.token_hex()
        following = known.next_secret if known else None
        both = (current, following or secrets.token_hex())
        matches = [digests_match(offered, component_digest(stream_id, one)) for one in both]
        if known is None or not any(matches):
            raise Refused(
                "not-authorized",
                Reason.AUTHENTICATION_FAILURE,
                f"the secret of {name}.{domain} is not the one known here.",
                "Compare its secret with `xmppctl callbridge list --show-secrets`.",
            )
        if matches[0] and known.expires is not None:
            self._take(domain, name, known.expires)
        return mark(both[matches.index(True)].encode())

    def _take(self, domain: str, name: str, expires: int) -> None:
        if self.now() > expires:
            raise Refused(
                "not-authorized",
                Reason.SECRET_EXPIRED,
                f"the join file of {name}.{domain} was good until {show_time(expires)}, and "
                "its secret has not been used before.",
                f"Run `xmppctl callbridge join {name}{self._option(domain)}` for a new join file.",
            )
        try:
            self.names.take(domain, name)
        except RegistryFault as fault:
            raise _unusable(fault) from None

    def _option(self, domain: str) -> str:
        return "" if domain == self.domains[0] else f" --domain {domain}"

    def _find(self, domain: str, name: str) -> Known | None:
        try:
            return self.names.find(domain, name)
        except RegistryFault as fault:
            raise _unusable(fault) from None


def _unusable(fault: RegistryFault) -> Refused:
    return Refused("internal-server-error", Reason.POLICY, f"{fault}")
