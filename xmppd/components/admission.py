"""Who may register as a component (steps 8 to 10): checks of header, certificate and digest."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography import x509
from twisted.words.xish.domish import Element

from bridgewire import certificates
from bridgewire.handshake import component_digest, digests_match
from bridgewire.jid import parse_host
from bridgewire.namespaces import COMPONENT
from bridgewire.steps import Reason, Step, StepFailure
from xmppd.components.registry import RegistryFault


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


@dataclass(frozen=True)
class Admission:
    """The rules.

    ``domains``: those that are served, the first one in front. ``secret`` answers the secret of a
    name in a domain, or None for an unknown name.
    """

    domains: Sequence[str]
    secret: Callable[[str, str], str | None]

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
        return self._secret(domain, name) is not None

    def _remedy(self, domain: str, name: str) -> str:
        if f"{name}.{domain}" in self.domains:
            return f"{name}.{domain} is a domain of its own. Components are called NAME.DOMAIN."
        if domain not in self.domains:
            shown = " or ".join(f"NAME.{one}" for one in self.domains[:5])
            return f"Components here are called {shown}."
        where = "" if domain == self.domains[0] else f" --domain {domain}"
        return f"If it ought to be, run `xmppctl callbridge add {name or 'NAME':.63}{where}`."

    def check_digest(self, domain: str, name: str, stream_id: str, offered: str) -> None:
        """Compare the handshake's digest, in constant time. Raises Refused."""
        secret = self._secret(domain, name)
        expected = component_digest(stream_id, secret or secrets.token_hex())
        if not digests_match(offered, expected) or secret is None:
            raise Refused(
                "not-authorized",
                Reason.AUTHENTICATION_FAILURE,
                f"the secret of {name}.{domain} is not the one known here.",
                "Compare its secret with `xmppctl callbridge list --show-secrets`.",
            )

    def _secret(self, domain: str, name: str) -> str | None:
        try:
            return self.secret(domain, name)
        except RegistryFault as fault:
            raise Refused("internal-server-error", Reason.POLICY, f"{fault}") from None
