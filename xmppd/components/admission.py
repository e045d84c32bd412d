"""Who may register as a component (steps 8 to 10): checks of header, certificate and digest."""

from __future__ import annotations

import secrets
from collections.abc import Callable
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
    """The rules: ``secret`` answers the secret of a name, or None for an unknown name."""

    domain: str
    secret: Callable[[str], str | None]

    def check_header(self, root: Element, certificate: x509.Certificate | None) -> str:
        """Answer the name, without its domain part, that a stream header asks for.

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
        if domain != self.domain or self._secret(name) is None:
            raise Refused(
                "host-unknown",
                Reason.HOST_UNKNOWN,
                f"no Call Bridge or component {to!r:.200} is known here.",
                f"If it ought to be, run `xmppctl callbridge add {name or 'NAME':.63}`."
                if domain == self.domain
                else f"Components here are called NAME.{self.domain}.",
            )
        if certificate is not None:
            try:
                certificates.check_callbridge_name(certificate, f"{name}.{domain}")
            except StepFailure as failure:
                raise Refused(
                    "not-authorized", failure.reason, failure.text, failure.remedy, failure.step
                ) from None
        return name

    def check_digest(self, name: str, stream_id: str, offered: str) -> None:
        """Compare the handshake's digest, in constant time. Raises Refused."""
        secret = self._secret(name)
        expected = component_digest(stream_id, secret or secrets.token_hex())
        if not digests_match(offered, expected) or secret is None:
            raise Refused(
                "not-authorized",
                Reason.AUTHENTICATION_FAILURE,
                f"the secret of {name}.{self.domain} is not the one known here.",
                "Compare its secret with `xmppctl callbridge list --show-secrets`.",
            )

    def _secret(self, name: str) -> str | None:
        try:
            return self.secret(name)
        except RegistryFault as fault:
            raise Refused("internal-server-error", Reason.POLICY, f"{fault}") from None
