"""Step 12, as far as this host can try it: is a user's password right for the user backends?"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.threads import deferToThread

from bridgewire.steps import Reason, Step, StepFailure
from callbridged.backends import AccountRefused, BackendFault, BackendUnavailable, IUserBackend
from callbridged.backends.several import SeveralBackends
from callbridged.check.report import Outcome, Walk
from callbridged.config import Config


async def try_login(reactor: Any, config: Config, username: str, password: str) -> Walk:
    """Ask the backends as for a login, by each mechanism. Never raises for what is found wrong."""
    began = reactor.seconds()
    names = ", ".join(one.name for one in config.users.backends)
    try:
        opened = [(one.name, one.open(reactor)) for one in config.users.backends]
    except BackendFault as fault:
        return _failed(names, StepFailure(Step.LOGIN, Reason.PROTOCOL_ERROR, str(fault)))
    backend = SeveralBackends(reactor, opened)
    backend.startService()
    try:
        said = [await _ask(backend, one, username, password) for one in sorted(backend.mechanisms)]
    except StepFailure as failure:
        return Walk(names, [Outcome.failed(failure, reactor.seconds() - began)])
    finally:
        await maybeDeferred(backend.stopService)
    if not said:
        text = "The user backends have no mechanism in common: nobody can log in."
        remedy = "callbridgectl config shows them. Leave one out, or give all users SCRAM keys."
        return _failed(names, StepFailure(Step.LOGIN, Reason.POLICY, text, remedy))
    return Walk(names, [Outcome(Step.LOGIN, "; ".join(said), reactor.seconds() - began)])


def _failed(names: str, failure: StepFailure) -> Walk:
    return Walk(names, [Outcome.failed(failure)])


async def _ask(backend: IUserBackend, mechanism: str, username: str, password: str) -> str:
    """Answer what is right. Raises StepFailure."""
    try:
        if mechanism == "PLAIN":
            answer = await backend.check_password(username, password)
            let_in = username if answer is True else answer
        else:
            keys = await backend.scram_keys(username, mechanism)
            right = False
            if keys is not None:
                right = await deferToThread(keys.check, mechanism, password)
            let_in = (keys.username or username) if keys and right else False
            if keys and right and keys.refusal:
                raise AccountRefused(keys.refusal, "the directory says so")
    except AccountRefused as refused:
        text = f"{username} must not log in, {refused.condition}: {refused}."
        raise StepFailure(Step.LOGIN, Reason.POLICY, text) from None
    except BackendUnavailable as fault:
        text = f"No user backend can look: {fault}."
        raise StepFailure(Step.LOGIN, Reason.LINK_LOST, text) from None
    if not let_in:
        raise StepFailure(
            Step.LOGIN,
            Reason.AUTHENTICATION_FAILURE,
            f"By {mechanism}, there is no user {username}, or the password is wrong.",
            "Is the name the part of the user's address before the @? Try another password.",
        )
    return f"{let_in} by {mechanism}"
