"""Asks the DNS: SRV records and addresses, by dnspython off the reactor's thread (steps 4 and 5).

Nothing is kept: every question is asked anew, and resolv.conf is read anew with it. Names are
absolute, so a search list never turns one name into another.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Any

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.internet.interfaces import IHostResolution, IResolutionReceiver
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from bridgewire.steps import Reason, Step, StepFailure

#: Seconds that the slower of the two address questions gets once the other brought something
#: (RFC 8305, section 3).
RESOLUTION_DELAY = 0.05


@dataclass(frozen=True)
class SrvRecord:
    """One SRV record (RFC 2782). ``target`` has no final dot, but for ``.`` itself."""

    priority: int
    weight: int
    port: int
    target: str
    #: seconds for which the answer may be kept
    ttl: int = 0

    def __str__(self) -> str:
        return f"{self.priority} {self.weight} {self.port} {self.target}"


@dataclass(frozen=True)
class Answer:
    """The records of one kind that a name has."""

    records: tuple[Any, ...]  # dns.rdata.Rdata, which names its fields at run time
    ttl: int
    #: who answered, ``host:port``
    server: str = ""
    #: what the name is an alias of (CNAME); empty where it is none
    alias_of: str = ""


#: (name servers as (host, port), absolute name, record type, seconds) -> Answer. Blocks, and
#: raises what dnspython raises.
Lookup = Callable[[Sequence[tuple[str, int]], str, str, float], Answer]


def lookup(nameservers: Sequence[tuple[str, int]], name: str, kind: str, timeout: float) -> Answer:
    """Ask, and wait for the answer: call it in a thread."""
    resolver = dns.resolver.Resolver(configure=not nameservers)
    if nameservers:
        resolver.nameservers = [
            dns.nameserver.Do53Nameserver(str(socket.getaddrinfo(host, port)[0][4][0]), port)
            for host, port in nameservers
        ]
    absolute = dns.name.from_text(name, idna_codec=dns.name.IDNA_2008_UTS_46)
    found = resolver.resolve(absolute, kind, lifetime=timeout, search=False)
    assert found.rrset is not None  # noqa: S101  else dnspython raises NoAnswer
    server = show_address(found.nameserver or "", found.port or 53)
    canonical = found.canonical_name
    alias_of = "" if canonical == absolute else canonical.to_text(omit_final_dot=True)
    return Answer(tuple(found.rrset), found.rrset.ttl, server, alias_of)


class Resolver:
    """What the rest of the daemon asks.

    ``reactor`` provides IReactorThreads, IReactorTime and IReactorPluggableNameResolver.
    """

    def __init__(
        self,
        reactor: Any,
        nameservers: Sequence[tuple[str, int]] = (),
        timeout: float = 5.0,
        lookup: Lookup = lookup,
        pool: ThreadPool | None = None,
    ) -> None:
        """``nameservers``: whom to ask instead of the system's resolver; ``timeout``: seconds.

        ``pool``: threads that wait for answers, so that no other work waits with them; None: the
        reactor's.
        """
        self._pool = pool
        self._reactor = reactor
        self._nameservers = tuple(nameservers)
        self._timeout = timeout
        self._lookup = lookup

    async def srv(self, name: str) -> list[SrvRecord]:
        """Answer the SRV records of ``name``, unordered and without those that say "not here".

        Raises:
            StepFailure: step srv; no-such-service where there is none, dns-failure where nobody
                could tell.
        """
        remedy = "Add one for each XMPP server, or set server_address in callbridged.ini."
        try:
            answer = await self._ask(name, "SRV")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            raise StepFailure(
                Step.SRV, Reason.NO_SUCH_SERVICE, f"There is no SRV record {name}.", remedy
            ) from None
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise self._failure(Step.SRV, f"SRV {name}", error) from None
        records = [
            SrvRecord(
                record.priority,
                record.weight,
                record.port,
                record.target.to_text(omit_final_dot=True).lower(),
                answer.ttl,
            )
            for record in answer.records
        ]
        # The last is what Twisted Names' own server makes of the root.
        offered = [record for record in records if record.target not in (".", "@", "\\.")]
        if not offered:
            raise StepFailure(
                Step.SRV,
                Reason.NO_SUCH_SERVICE,
                f'The SRV record {name} has the target ".": the service is not offered.',
                remedy,
            )
        return offered

    async def addresses(self, host: str) -> list[str]:
        """Answer the IPv6 and IPv4 addresses of ``host`` as text; a literal is its own answer.

        Raises:
            StepFailure: step address, dns-failure.
        """
        if is_literal(host):
            return [host]
        found = await (self._ask_addresses(host) if self._nameservers else self._system(host))
        if not found:
            raise StepFailure(
                Step.ADDRESS,
                Reason.DNS_FAILURE,
                f"{host} has neither an A nor an AAAA record, says {self._whom()}.",
                "Add one, or correct the name in the SRV record or in server_address.",
            )
        return list(dict.fromkeys(found))

    async def _ask_addresses(self, host: str) -> list[str]:
        questions = [self._ask(host, kind) for kind in ("AAAA", "A")]

        def hurry(answer: Answer) -> Answer:
            for other in questions:
                if not other.called:
                    self._reactor.callLater(RESOLUTION_DELAY, other.cancel)
            return answer

        for question in questions:
            question.addCallback(hurry)
        found: list[str] = []
        errors: list[Exception] = []
        results: list[tuple[bool, Any]] = await DeferredList(questions, consumeErrors=True)
        for succeeded, result in results:
            if succeeded:
                found.extend(record.to_text() for record in result.records)
            elif not result.check(dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                errors.append(result.value)
        for error in () if found else errors:
            if isinstance(error, (dns.exception.DNSException, OSError, UnicodeError)):
                raise self._failure(Step.ADDRESS, f"A and AAAA {host}", error)
            raise error  # we were cancelled, or it is a bug
        return found

    async def _system(self, host: str) -> list[str]:
        receiver = _Receiver()
        self._reactor.nameResolver.resolveHostName(receiver, host)
        receiver.done.addTimeout(self._timeout, self._reactor)
        try:
            return await receiver.done
        except GaveUp as error:
            raise self._failure(Step.ADDRESS, f"the address of {host}", error) from None

    def _ask(self, name: str, kind: str) -> Deferred[Answer]:
        return deferToThreadPool(
            self._reactor,
            self._pool or self._reactor.getThreadPool(),
            partial(self._lookup, self._nameservers, name, kind, self._timeout),
        )

    def _whom(self) -> str:
        if not self._nameservers:
            return "the system's resolver"
        return " and ".join(show_address(host, port) for host, port in self._nameservers)

    def _failure(self, step: Step, question: str, error: Exception) -> StepFailure:
        """A question that got no answer at all."""
        whom = self._whom()
        if isinstance(error, (dns.exception.Timeout, GaveUp)):
            text = f"No answer to {question} from {whom} within {self._timeout:g} s."
        elif isinstance(error, dns.resolver.NoNameservers):
            said = {str(entry[3]) for entry in error.kwargs.get("errors", ())}
            text = f"{whom} could not answer {question}: {', '.join(sorted(said)) or 'no servers'}."
        else:
            text = f"Asking {whom} for {question} failed: {error}."
        remedy = (
            "Check nameservers under [dns] in callbridged.ini, and that a firewall lets port 53 by."
            if self._nameservers
            else "Check /etc/resolv.conf and /etc/hosts, or set nameservers under [dns] in "
            "callbridged.ini."
        )
        return StepFailure(step, Reason.DNS_FAILURE, text[:1].upper() + text[1:], remedy)


@implementer(IResolutionReceiver)
class _Receiver:
    """Gathers what the reactor's name resolver finds."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self.done: Deferred[list[str]] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        pass

    def addressResolved(self, address: Any) -> None:
        self._found.append(address.host)

    def resolutionComplete(self) -> None:
        self.done.callback(self._found)


def is_literal(host: str) -> bool:
    """True for an IPv4 or IPv6 address, without brackets."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def show_address(host: str, port: int) -> str:
    """``host:port``, or ``[2001:db8::1]:port``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
