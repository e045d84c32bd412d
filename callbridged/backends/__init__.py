"""Who may log in: what a user backend is, and how those of the configuration are found.

A backend is a Twisted plugin. To add one, write a module with a factory, and put a file into a
package directory ``twisted/plugins/`` (without ``__init__.py``) that makes an instance of it::

    @implementer(IPlugin, IUserBackendFactory)
    class MemoryBackendFactory:
        prefix = "memory"
        description = "one user, for trying things out"

        def open(self, argument: str, reactor: Any) -> IUserBackend:
            return MemoryBackend(*argument.split(","))

``backend = memory:alice,secret`` in ``[users]`` then uses it. A backend with more settings than fit
into a word has a section of its own, see `ISettingsReader`. `callbridged.backends.file` is the one
to read first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from twisted.plugin import IPlugin, getPlugins
from zope.interface import Attribute, Interface

from bridgewire.steps import Reason
from callbridged.scram_keys import ScramKeys
from daemonkit.ini import IniReader, Setting


class BackendFault(Exception):
    """A backend that cannot be opened as the configuration says; a sentence or two for people."""


class BackendUnavailable(Exception):
    """A backend cannot look now, for a reason outside of this program; the text says which.

    Clients are told `temporary-auth-failure`. Anything else that a backend raises is told the same,
    and counts as a bug: its traceback is logged.
    """


def unavailable(reason: Reason, text: str, remedy: str = "") -> BackendUnavailable:
    """Answer ``connect-refused: No connection to ... Is the directory up?``; not raised yet."""
    return BackendUnavailable(f"{reason}: {text} {remedy}".rstrip())


class BrokenAccount(BackendUnavailable):
    """What there is of one user cannot be used. Others can log in: the backend itself is well."""


class AccountRefused(Exception):
    """The password is right, but the account must not be used now: it is disabled, or has run out.

    ``condition`` is what the client is told, `account-disabled` or `credentials-expired` (RFC 6120
    section 6.5); the text is for the log. A backend that cannot tell whether the password is right
    raises this only where it tells everybody anyway.
    """

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(text)
        self.condition = condition


# Interfaces of zope.interface declare methods as they are called: without self.


class IUserBackend(Interface):
    """Users and what is known of their passwords.

    Names come in normal form (`bridgewire.username`). Methods may be called again before they have
    answered, and are cancelled where the client went away. A backend that also provides
    `twisted.application.service.IService` is started and stopped with the daemon.
    """

    mechanisms: frozenset[str] = Attribute(
        "SASL mechanisms that it has an answer for: PLAIN if it can check a password, "
        "SCRAM-SHA-256, SCRAM-SHA-512, SCRAM-SHA-1 if it has keys for them. The -PLUS variants "
        "come with them. A client may choose any of them, for any user."
    )

    async def scram_keys(username: str, mechanism: str) -> ScramKeys | None:  # noqa: N805 - no self
        """Answer the keys of a user for a SCRAM mechanism, None where there are none.

        They also say under which other name the user is let in, and why not after all. Raises
        BackendUnavailable.
        """

    async def check_password(username: str, password: str) -> bool | str:  # noqa: N805 - no self
        """True where there is such a user, and this is the password.

        Answers a localpart instead of True where the user is let in under another name than the
        one given, which may be an alias. The password is never empty. Takes as long for a user who
        does not exist, and never blocks the reactor. Raises BackendUnavailable and AccountRefused.
        """


class IDecoySource(Interface):
    """What a backend may provide besides: how users who do not exist look like those who do.

    Without it their SCRAM salts stay the same until the daemon is started again, and their
    iterations are `callbridged.scram_keys.ITERATIONS`.
    """

    iterations: int = Attribute("PBKDF2 iterations of most users.")
    decoy_key: bytes | None = Attribute(
        "A secret that all Call Bridges with these users share, and that outlives a restart; or "
        "None."
    )


class IAccounts(Interface):
    """What a backend may provide besides: who is a user, without a password.

    Without it there are no logins with a certificate (EXTERNAL) or with a token (FAST).
    """

    async def fingerprint(username: str) -> bytes | None:  # noqa: N805 - no self
        """Answer up to 64 octets that are others when the user's password changes.

        None: there is no such user. What was let in with another fingerprint is let in no more.
        Nobody should be able to guess passwords with it. Raises BackendUnavailable.
        """


class IMechanismsChange(Interface):
    """What a backend may provide besides: its ``mechanisms`` may change while it is open."""

    changed: Callable[[], None] = Attribute(
        "Set by the daemon; to be called when ``mechanisms`` has become another set."
    )


class ISettingsReader(Interface):
    """What a factory may provide besides: it looks at its settings with the rest of the file.

    All faults of the file are then named at once, before anything is opened.
    """

    def read(argument: str, ini: IniReader) -> Any:  # noqa: N805 - no self
        """Answer what ``open`` gets in the place of ``argument``.

        More settings are in a section of their own, ``ini.section(f"{prefix} {argument}")``, whose
        getters note what is wrong there (`daemonkit.section.Section`), as its ``fault`` does.
        Raises BackendFault where ``argument`` is wrong.
        """


class IUserBackendFactory(IPlugin):
    """Opens backends of one kind."""

    prefix: str = Attribute("What stands before the colon in ``backend =``; an identifier.")
    description: str = Attribute("What it is and what stands after the colon, in a few words.")

    def open(argument: Any, reactor: Any) -> IUserBackend:  # noqa: N805 - no self
        """Answer the backend for what stands after the colon, or for what ``read`` answered.

        ``reactor`` provides IReactorTime and IReactorThreads. Raises BackendFault where
        ``argument`` is wrong; what may be mended while the daemon runs, such as a directory that
        does not answer, is not a reason.
        """


def section_name(prefix: str, argument: str, example: str) -> str:
    """Answer the NAME in ``prefix:NAME``, a section's. Raises BackendFault where there is none."""
    name = argument.strip()
    if not name:
        raise BackendFault(
            f"{prefix}: wants the name of a section, like {prefix}:{example} for "
            f"[{prefix} {example}]."
        )
    return name


def find_factory(
    backend: str, factories: Iterable[IUserBackendFactory] | None = None
) -> tuple[IUserBackendFactory, str]:
    """Answer the factory for ``prefix:argument``, and the argument.

    ``factories`` None: all plugins. Raises BackendFault, naming the prefixes that there are.
    """
    if factories is None:
        factories = getPlugins(IUserBackendFactory)
    known = {factory.prefix: factory for factory in factories}
    prefix, _, argument = backend.partition(":")
    if prefix not in known:
        there_are = ", ".join(f"{name}: ({known[name].description})" for name in sorted(known))
        raise BackendFault(
            f"There is no user backend {prefix[:40]!r}. Set backend in [users] to one of: "
            f"{there_are or 'none is installed'}."
        )
    return known[prefix], argument


@dataclass(frozen=True)
class ConfiguredBackend:
    """One backend of ``[users] backend``, not open yet.

    ``name`` is as it stands there; ``argument`` is for the factory's ``open``; ``settings``: what
    the factory has read. One that equals this one need not be opened anew.
    """

    name: str
    factory: IUserBackendFactory
    argument: Any = field(repr=False)
    settings: tuple[Setting, ...] = field(default=(), repr=False)

    def open(self, reactor: Any) -> IUserBackend:
        """Raises BackendFault."""
        return self.factory.open(self.argument, reactor)


def configured(
    name: str, ini: IniReader, factories: Iterable[IUserBackendFactory] | None = None
) -> ConfiguredBackend:
    """Answer the backend ``prefix:argument``, with what its section says. Raises BackendFault."""
    factory, argument = find_factory(name, factories)
    reader: Any = ISettingsReader(factory, None)
    if reader is None:
        return ConfiguredBackend(name, factory, argument)
    before = len(ini.findings.settings)
    read = reader.read(argument, ini)
    return ConfiguredBackend(name, factory, read, tuple(ini.findings.settings[before:]))
