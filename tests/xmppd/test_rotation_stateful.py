"""Tests for the rotation of secrets in any order of commands and registrations, by two processes.

Beside the registry runs a model of it: for each name the secrets that must be accepted.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from bridgewire.handshake import component_digest
from xmppd.components.admission import Admission, Refused
from xmppd.components.registry import Registry, RegistryFault

DOMAIN = "example.com"
NAMES = ("cb1", "cb2")

names = st.sampled_from(NAMES)
#: Few enough that the same comes up as current, next and former secret.
secrets = st.sampled_from([f"a secret with the number {number}" for number in range(4)])


class Walk(RuleBasedStateMachine):
    """Operators and links that come in any order; ``known`` has current and next secret."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="registry-"))
        self.operator = Registry(self.directory / "state", DOMAIN)
        self.daemon = Registry(self.directory / "state", DOMAIN)
        self.admission = Admission([DOMAIN], self.daemon)
        self.known: dict[str, tuple[str, str | None]] = {}
        self.ever: set[str] = set()

    def teardown(self) -> None:
        self.operator.close()
        self.daemon.close()
        shutil.rmtree(self.directory)

    def refused(self, name: str, secret: str) -> bool:
        """A link of ``name`` tries to register; True where it may not."""
        self.ever.add(secret)
        try:
            proof = self.admission.check_digest(DOMAIN, name, "id", component_digest("id", secret))
        except Refused:
            return True
        self.daemon.used(DOMAIN, name, proof)
        return False

    @rule(name=names, secret=secrets)
    def add_secret(self, name: str, secret: str) -> None:
        assert self.operator.add_secret(DOMAIN, name, secret) is (name not in self.known)
        self.known[name] = (secret, None)
        self.ever.add(secret)

    @rule(name=names)
    def delete(self, name: str) -> None:
        assert self.operator.delete(DOMAIN, name) is (name in self.known)
        self.known.pop(name, None)

    @rule(name=names, secret=st.one_of(st.none(), secrets))
    def rotate(self, name: str, secret: str | None) -> None:
        current, following = self.known.get(name, (None, None))
        possible = current is not None and secret != current
        if following is not None:
            possible = secret == following
        try:
            made = self.operator.rotate(DOMAIN, name, secret)
        except RegistryFault:
            assert not possible
            return
        assert possible
        assert made == secret or (secret is None and made not in self.ever)
        self.ever.add(made)
        self.known[name] = (str(current), made)

    @rule(name=names, finish=st.booleans())
    def end(self, name: str, finish: bool) -> None:
        current, following = self.known.get(name, (None, None))
        try:
            (self.operator.finish if finish else self.operator.abort)(DOMAIN, name)
        except RegistryFault:
            assert following is None
            return
        assert current is not None
        assert following is not None
        self.known[name] = (following if finish else current, None)

    @rule(name=names, secret=secrets)
    def register(self, name: str, secret: str) -> None:
        """A secret counts if it is current or next; the next one ends the rotation by its use."""
        accepted = self.known.get(name, ())
        assert self.refused(name, secret) is (secret not in accepted)
        if accepted and secret == accepted[1]:
            self.known[name] = (secret, None)

    @precondition(lambda walk: any(following for _, following in walk.known.values()))
    @rule(data=st.data())
    def register_anew(self, data: st.DataObject) -> None:
        """The Call Bridge was given its new secret."""
        open_ones = sorted(name for name, (_, following) in self.known.items() if following)
        name = data.draw(st.sampled_from(open_ones))
        self.register(name, str(self.known[name][1]))

    @rule()
    def restart(self) -> None:
        self.daemon.close()

    @invariant()
    def agrees(self) -> None:
        """Both processes see the same, and no file has a secret that is forgotten."""
        kept: set[str] = set()
        for name in NAMES:
            accepted = self.known.get(name)
            for registry in (self.operator, self.daemon):
                found = registry.find(DOMAIN, name)
                assert accepted == (None if found is None else (found.secret, found.next_secret))
                if found is not None:
                    assert (found.next_secret is None) is (found.rotated_at is None)
            kept |= {secret for secret in accepted or () if secret}
        files = self.directory.glob("state/*")
        content = b"".join(file.read_bytes() for file in files)
        assert not [one for one in self.ever - kept if one.encode() in content]


class RotationWalks(SynchronousTestCase):
    """Whatever the order."""

    def test_walks(self) -> None:
        """What is accepted, and what is left on the disk, is as the model has it."""
        run_state_machine_as_test(
            Walk, settings=settings(max_examples=40, stateful_step_count=30, deadline=None)
        )
