"""An ini file with one section, for the tests of what reads it."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from daemonkit.ini import ConfigurationFault, IniReader, Section


class IniTestCase(SynchronousTestCase):
    """Settings from a file with the one section ``[s]``."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.path = self.directory / "test.ini"

    def read(self, text: str, *, check_files: bool = True) -> Section:
        self.path.write_text("[s]\n" + text)
        self.reader = IniReader(self.path, check_files=check_files)
        return self.reader.section("s")

    def faults(self) -> list[str]:
        """The lines of the message below its heading."""
        message = str(self.assertRaises(ConfigurationFault, self.reader.finish))
        return [line.strip() for line in message.splitlines()[1:]]

    def file(self, content: str, mode: int = 0o600) -> Path:
        path = self.directory / "file"
        path.write_text(content)
        path.chmod(mode)
        return path
