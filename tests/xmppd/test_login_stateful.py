"""Tests for `xmppd.login` in any order of events: every client is answered, no count drifts."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.words.xish.domish import Element

from bridgewire.iq import RequestFailed, RequestTimedOut, StreamLost
from bridgewire.login import LoginReply, LoginRequest
from bridgewire.namespaces import SASL
from bridgewire.sasl import WireFault, sasl_failure
from bridgewire.steps import StepFailure
from xmppd.login import Applicant, Login
from xmppd.logins import Logins

DEADLINE = 10.0
BRIDGES = 3


class Bridge:
    """A Call Bridge that answers, fails or hangs when the walk says so."""

    def __init__(self, number: int, clock: Clock) -> None:
        self.host = f"cb{number}.example.com"
        self.outstanding = 0
        self.capacity = 2
        self.mechanisms = frozenset({"PLAIN"})
        self.up = True
        self.asked: list[tuple[LoginRequest, Deferred[LoginReply]]] = []
        self.sessions: set[str] = set()
        self._clock = clock

    def ask(self, request: LoginRequest, timeout: float) -> Deferred[LoginReply]:
        assert timeout >= 0, timeout
        self.sessions.add(request.session)
        if not self.up:
            return fail(StreamLost())
        if request.element.name == "abort":
            return succeed(LoginReply(request.session, sasl_failure("aborted")))
        waiting: Deferred[LoginReply] = Deferred()
        asked = (request, waiting)
        self.asked.append(asked)
        overdue = self._clock.callLater(timeout, lambda: waiting.errback(RequestTimedOut()))

        def done(result: object) -> object:
            self.asked.remove(asked)
            if overdue.active():
                overdue.cancel()
            return result

        return waiting.addBoth(done)


class Client:
    """One client: what it sent, and what it got for it."""

    def __init__(self, logins: Logins) -> None:
        self.login = Login(logins, Applicant("192.0.2.7"))
        self.sent = 0
        self.answers: list[str] = []
        self.left = False
        self.over = False

    @property
    def may_respond(self) -> bool:
        return self.sent == len(self.answers) and not self.left and not self.over

    def say(self, name: str) -> None:
        message = Element((SASL, name))
        if name == "auth":
            message["mechanism"] = "PLAIN"
        self.sent += 1
        Deferred.fromCoroutine(self.login.relay(message)).addCallbacks(self._got, self._failed)

    def _got(self, reply: LoginReply) -> None:
        self.answers.append(reply.element.name)
        self.over = reply.element.name != "challenge"

    def _failed(self, failure: Failure) -> None:
        if self.left:
            failure.trap(CancelledError)
        else:
            failure.trap(StepFailure)
        self.answers.append("temporary-auth-failure")
        self.over = True

    def leave(self) -> None:
        self.left = True
        self.login.give_up()


number = st.integers(0, 20)


class Walk(RuleBasedStateMachine):
    """Clients and Call Bridges that come, talk, hang, and go."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.logins = Logins(self.clock, deadline=DEADLINE, max_waiting=8)
        self.bridges = [Bridge(number, self.clock) for number in range(BRIDGES)]
        self.clients: list[Client] = []
        for bridge in self.bridges:
            self.logins.update(bridge)

    def pick(self, which: int) -> Bridge:
        return self.bridges[which % BRIDGES]

    @rule()
    def begin(self) -> None:
        self.clients.append(Client(self.logins))
        self.clients[-1].say("auth")

    @rule(which=number, name=st.sampled_from(["response", "abort"]))
    def go_on(self, which: int, name: str) -> None:
        able = [client for client in self.clients if client.may_respond]
        if able:
            able[which % len(able)].say(name)

    @rule(which=number)
    def leave(self, which: int) -> None:
        there = [client for client in self.clients if not client.left and not client.over]
        if there:
            there[which % len(there)].leave()

    @rule(which=number, first=st.booleans(), name=st.sampled_from(["challenge", "success"]))
    def answer(self, which: int, first: bool, name: str) -> None:
        asked = self.pick(which).asked
        if asked:
            request, waiting = asked[0 if first else -1]
            username = "alice" if name == "success" else None
            waiting.callback(LoginReply(request.session, Element((SASL, name)), username))

    @rule(which=number, condition=st.sampled_from(["not-authorized", "temporary-auth-failure"]))
    def fail(self, which: int, condition: str) -> None:
        asked = self.pick(which).asked
        if asked:
            request, waiting = asked[0]
            waiting.callback(LoginReply(request.session, sasl_failure(condition)))

    @rule(
        which=number,
        error=st.sampled_from([RequestFailed("resource-constraint"), WireFault("nonsense")]),
    )
    def refuse(self, which: int, error: Exception) -> None:
        asked = self.pick(which).asked
        if asked:
            asked[0][1].errback(Failure(error))

    @rule(which=number)
    def lose(self, which: int) -> None:
        bridge = self.pick(which)
        bridge.up, bridge.mechanisms, bridge.capacity = False, frozenset(), 0
        self.logins.update(bridge)
        for _, waiting in list(bridge.asked):
            waiting.errback(Failure(StreamLost()))

    @rule(which=number, capacity=st.integers(0, 3))
    def offer(self, which: int, capacity: int) -> None:
        bridge = self.pick(which)
        bridge.up, bridge.mechanisms, bridge.capacity = True, frozenset({"PLAIN"}), capacity
        self.logins.update(bridge)

    @rule(seconds=st.sampled_from([0.1, 3.0, 5.0, 11.0]))
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([4.0, 12.0]))
    def lag(self, seconds: float) -> None:
        """The reactor was busy: what comes next comes before the timers that are due."""
        self.clock.rightNow += seconds

    @invariant()
    def counts(self) -> None:
        """Outstanding logins are those that have a Call Bridge, waiting ones those begun."""
        held = [client.login._bridge for client in self.clients]
        for bridge in self.bridges:
            assert bridge.outstanding == held.count(bridge)
        begun = [client for client in self.clients if client.login._timer is not None]
        assert self.logins.waiting == len(begun) <= self.logins.max_waiting
        for client in self.clients:
            assert len(client.answers) <= client.sent

    @invariant()
    def no_needless_wait(self) -> None:
        """Nobody waits for a first try while a Call Bridge has room."""
        tried = set().union(*(bridge.sessions for bridge in self.bridges))
        fresh = [client for client in self.clients if not client.answers and not client.left]
        if any(client.login.session not in tried for client in fresh):
            assert all(bridge.outstanding >= bridge.capacity for bridge in self.bridges)

    def teardown(self) -> None:
        self.clock.advance(DEADLINE)
        for client in self.clients:
            assert len(client.answers) == client.sent, "answered once"
        self.counts()
        assert self.logins.waiting == 0
        assert not self.logins._queue
        assert not self.clock.getDelayedCalls()


class StatefulTests(SynchronousTestCase):
    """Logins, clients and Call Bridges in any order."""

    def test_any_order(self) -> None:
        """Whatever happens: one answer for each message, and counts that return to zero."""
        run_state_machine_as_test(
            Walk, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
        )
        self.assertEqual(self.flushLoggedErrors(), [])
