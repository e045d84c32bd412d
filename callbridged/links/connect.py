"""One TCP connection to the first of several addresses that answers (step 6, RFC 8305)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from bridgewire.steps import Reason, Step, StepFailure

#: Seconds after which the next address is tried beside the one under way (RFC 8305, section 5).
ATTEMPT_DELAY = 0.25


async def connect(
    reactor: Any,
    addresses: Sequence[str],
    port: int,
    factory: IProtocolFactory,
    within: float,
) -> IProtocol:
    """Connect a protocol of ``factory`` to one of the IP ``addresses``.

    IPv6 and IPv4 take turns, IPv6 first. At most one protocol is ever built. Cancelling gives up
    every attempt. ``within`` (seconds) is for all attempts together.

    Raises:
        StepFailure: step connect; connect-refused where every address said no, else
            connect-timeout.
    """
    dialer = _FixedAnswer(reactor, interleave(addresses))
    endpoint = HostnameEndpoint(
        dialer, addresses[0], port, timeout=within, attemptDelay=ATTEMPT_DELAY
    )
    attempt = endpoint.connect(_OneProtocol(factory))
    attempt.addTimeout(within, reactor, _timed_out)
    try:
        return await attempt
    except error.ConnectingCancelledError:
        raise CancelledError from None
    except (error.ConnectError, error.NoProtocol):
        raise _failure(addresses, port, within, dialer.failures) from None


def _timed_out(_: object, within: float) -> IProtocol:
    raise error.TimeoutError(f"within {within:g} s")


def interleave(addresses: Sequence[str]) -> list[str]:
    """Order addresses so that the families take turns, IPv6 first (RFC 8305, section 4)."""
    v6 = [address for address in addresses if ":" in address]
    v4 = [address for address in addresses if ":" not in address]
    return [one for pair in zip_longest(v6, v4) for one in pair if one is not None]


def _failure(
    addresses: Sequence[str], port: int, timeout: float, failures: dict[str, Failure]
) -> StepFailure:
    said: dict[str, list[str]] = {}
    for address in sorted(addresses):
        said.setdefault(_explain(failures.get(address), timeout), []).append(address)
    text = "; ".join(f"{' and '.join(who)} port {port}: {what}" for what, who in said.items())
    silent = len(failures) < len(set(addresses)) or any(
        failure.check(error.TimeoutError) for failure in failures.values()
    )
    if silent:
        return StepFailure(
            Step.CONNECT,
            Reason.CONNECT_TIMEOUT,
            f"No connection to {text}.",
            "Check that the XMPP server is up and that no firewall drops packets to this port.",
        )
    return StepFailure(
        Step.CONNECT,
        Reason.CONNECT_REFUSED,
        f"No connection to {text}.",
        "Check that xmppd runs there, that [component] listen names this port, and that the "
        "network lets this host through.",
    )


def _explain(failure: Failure | None, timeout: float) -> str:
    if failure is None or failure.check(error.TimeoutError):
        return f"no answer within {timeout:g} s"
    if failure.check(error.ConnectionRefusedError):
        return "connection refused"
    reason = getattr(failure.value, "osError", None)  # an OSError, or its number alone
    number = getattr(reason, "errno", reason)
    said = os.strerror(number) if isinstance(number, int) else failure.getErrorMessage()
    return said.lower().rstrip(".")


@implementer(IProtocolFactory)
class _OneProtocol:
    """Lets the first connection have a protocol; one that comes up in the same moment gets none."""

    def __init__(self, factory: IProtocolFactory) -> None:
        self._factory: IProtocolFactory | None = factory

    def doStart(self) -> None:
        pass

    def doStop(self) -> None:
        pass

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        factory, self._factory = self._factory, None
        return factory.buildProtocol(addr) if factory is not None else None


@implementer(IReactorPluggableNameResolver, IHostnameResolver)
class _FixedAnswer:
    """A reactor whose name resolver knows one answer, and that notes why attempts fail."""

    def __init__(self, reactor: Any, addresses: Sequence[str]) -> None:
        self._reactor = reactor
        self._addresses = addresses
        self.nameResolver = self
        self.failures: dict[str, Failure] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        installed: IHostnameResolver = self._reactor.installNameResolver(resolver)
        return installed

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        for address in self._addresses:
            kind = IPv6Address if ":" in address else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()
        return _Resolution(hostName)

    def connectTCP(self, host: str, port: int, factory: Any, *args: Any, **options: Any) -> Any:
        return self._reactor.connectTCP(
            host, port, _Noting(factory, host, self.failures), *args, **options
        )


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """It is done before anybody can."""


class _Noting:
    """A client factory that notes why its connection failed."""

    def __init__(self, factory: Any, host: str, failures: dict[str, Failure]) -> None:
        self._factory = factory
        self._host = host
        self._failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._factory, name)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        if not reason.check(error.UserError):
            self._failures[self._host] = reason
        self._factory.clientConnectionFailed(connector, reason)
