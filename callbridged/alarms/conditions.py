"""What is wrong now, out of what the daemon knows of itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bridgewire.steps import REFUSALS, Reason, Step
from callbridged.alarms import certificates
from callbridged.alarms.alarm import Condition, Kind, Severity
from callbridged.alarms.certificates import CertificateFile, Lifetime
from callbridged.alarms.settings import AlarmSettings
from callbridged.links.clocks import skew_in_words
from callbridged.logins.login_rates import GIVEN_UP, SUCCESS, Summary

#: The step that a link is at which has not failed yet.
_STEPS = {
    "resolving": Step.ADDRESS,
    "connecting": Step.CONNECT,
    "securing": Step.TLS,
    "registering": Step.REGISTER,
    "waiting": Step.CONNECT,
}
#: Outcomes of failed logins that are named.
_SHOWN = 5
#: Why logins fail, by their outcome; by others, it is who logs in that cannot prove who they are.
_REASONS = {
    "link-lost": Reason.LINK_LOST,
    "resource-constraint": Reason.RESOURCE_LIMIT,
    "temporary-auth-failure": Reason.LINK_LOST,
    "timeout": Reason.TIMEOUT,
}


@dataclass(frozen=True)
class Facts:
    """What the daemon knows. ``links``, ``users``: as in ``callbridgectl status --json``.

    ``name``, ``domain``: of the Call Bridge. ``up``: a link is, be it a former one that is not in
    ``links``. ``logins``: of the last five minutes.
    """

    name: str
    domain: str
    up: bool
    links: Sequence[Mapping[str, Any]] = ()
    users: Sequence[Mapping[str, Any]] = ()
    files: Sequence[CertificateFile] = ()
    logins: Summary = field(default_factory=lambda: Summary({}, None))


def conditions(facts: Facts, settings: AlarmSettings, now: datetime) -> Iterator[Condition]:
    """Answer everything that is wrong at ``now``; nothing twice."""
    links = [_Link(facts, one) for one in facts.links]
    for link in links:
        yield from link.certificate(now, settings.certificate_days)
        yield from link.clock(settings.clock_skew)
        yield from link.failures()
    yield from certificates.of_files(facts.files, now, settings.certificate_days)
    yield from _backends(facts)
    yield from _logins(facts, settings)


class _Link:
    """One of ``links``; also the one without a target, where no server is known."""

    def __init__(self, facts: Facts, status: Mapping[str, Any]) -> None:
        self._facts = facts
        self._status = status
        self._target = str(status["target"]) or facts.domain
        self._host = self._target.rpartition(":")[0] or self._target
        self._registered = status["state"] == "registered"

    def failures(self) -> Iterator[Condition]:
        """Why it is down; or why the one failed that was to take its place."""
        error = self._status["last_error"]
        if not self._registered and (error or self._status["target"]):
            yield self._condition(Kind.LINK_DOWN, error or self._not_yet())
        kind = None if error is None else self._why(error)
        if kind is not None:
            yield self._condition(kind, error)

    def certificate(self, now: datetime, days: int) -> Iterator[Condition]:
        """What is wrong with the certificate that the server has shown."""
        shown = self._status.get("certificate")
        if shown is None:
            return
        times = (datetime.fromisoformat(shown[key]) for key in ("not_before", "not_after"))
        trouble = Lifetime(*times).trouble(now, days)
        if trouble is None:
            return
        text = f"The certificate of {self._target} {trouble[1]}: {shown['text']}."
        remedy = (
            f"On {self._host}: renew it, and run `xmppctl reload`. Then here: `callbridgectl "
            "reconnect`, since a link knows only what it was shown at its beginning."
        )
        # The link that it has shown it on is up, and the next one is not.
        yield certificates.condition(self._target, Severity.WARNING, text, remedy)

    def clock(self, limit: float) -> Iterator[Condition]:
        """Does the server's clock differ?"""
        said = skew_in_words(self._target, self._status.get("clock_skew"), limit)
        if said:
            text, remedy = said
            yield Condition(
                Kind.CLOCK_SKEW,
                self._target,
                Severity.WARNING,
                text,
                f"{remedy} They are {self._host} and the one of {self._facts.name}.",
                Step.ACTIVE,
                Reason.POLICY,
            )

    def _why(self, error: Mapping[str, str]) -> Kind | None:
        """What somebody has to change before it can work; None: nothing that is known."""
        reason, step = error["reason"], error["step"]
        if reason not in REFUSALS:
            return None
        if step in (Step.TLS, Step.CERTIFICATE):
            return Kind.CERTIFICATE
        differs = reason == Reason.AUTHENTICATION_FAILURE and step == Step.REGISTER
        return Kind.SECRET_DIFFERS if differs and self._accepted() else Kind.REGISTRATION_REFUSED

    def _accepted(self) -> list[str]:
        """The other servers, which have accepted our secret of today."""
        return [
            str(one["target"])
            for one in self._facts.links
            if one is not self._status
            and one["state"] == "registered"
            and one.get("secret_in_use") == "current"
        ]

    def _condition(self, kind: Kind, error: Mapping[str, str]) -> Condition:
        remedy = error.get("remedy", "")
        text = error["text"].removesuffix(remedy).rstrip()
        if kind is Kind.SECRET_DIFFERS:
            text += f" {', '.join(self._accepted())} accepted it."
            remedy = (
                f"On {self._host}: run `xmppctl callbridge add-secret {self._facts.name}`, and "
                "give it the secret that this Call Bridge has."
            )
        elif kind is Kind.LINK_DOWN and self._status["target"]:
            text = f"There is no link to {self._target}. {text}"
        return Condition(
            kind,
            self._target,
            Severity.WARNING if self._facts.up else Severity.CRITICAL,
            text,
            self._located(remedy),
            Step(error["step"]),
            Reason(error["reason"]),
        )

    def _located(self, remedy: str) -> str:
        """Name the host that a remedy only points at."""
        said = remedy.replace("that server", self._host)
        if self._host not in said and self._status["target"]:
            said = f"{said} The XMPP server is {self._host}."
        return f"{said} `callbridgectl check` here walks all steps.".strip()

    def _not_yet(self) -> dict[str, str]:
        step = _STEPS[str(self._status["state"])]
        text = "It has not been made yet, and nothing has failed either."
        return {"step": str(step), "reason": str(Reason.TIMEOUT), "text": text}


def _backends(facts: Facts) -> Iterator[Condition]:
    for one in facts.users:
        error = one["last_error"]
        if error is not None:
            name = str(one["backend"])
            # Many say themselves why: "connect-refused: No connection to ...".
            reason = error["text"].removeprefix(f"{name}: ").partition(":")[0]
            yield Condition(
                Kind.BACKEND_DOWN,
                name,
                Severity.CRITICAL,
                f"The user backend could not look when it was last asked. {error['text']}",
                f"On the host of {facts.name}: `callbridgectl check --login USER` asks it. The "
                "alarm ends when a login has got an answer of it.",
                Step.LOGIN,
                Reason(reason if reason in list(Reason) else error["reason"]),
            )


def _logins(facts: Facts, settings: AlarmSettings) -> Iterator[Condition]:
    logins = facts.logins
    ended = logins.succeeded + logins.failed
    if logins.failed < settings.login_failures:
        return
    if logins.failed * 100 < settings.login_failure_rate * ended:
        return
    failed = {
        outcome: count
        for outcome, count in logins.outcomes.items()
        if outcome not in (SUCCESS, *GIVEN_UP)
    }
    most = max(failed, key=failed.__getitem__)
    how = ", ".join(f"{count} {outcome}" for outcome, count in list(failed.items())[:_SHOWN])
    yield Condition(
        Kind.LOGIN_FAILURES,
        facts.domain,
        Severity.WARNING,
        f"Of {ended} logins in the last five minutes, {logins.failed} failed: {how}.",
        f"On the host of {facts.name}: `callbridgectl logins --failed` shows whose, from where and "
        "why; `callbridgectl paused`, which accounts somebody guesses at.",
        Step.LOGIN,
        _REASONS.get(most, Reason.AUTHENTICATION_FAILURE),
    )
