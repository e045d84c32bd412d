"""What all servers have in common that tests start and that we did not write."""

from __future__ import annotations

import signal

from tests.support.processes import Process


class Foreign:
    """One of them. Whoever makes it gives it its ``process``, and says when it has started."""

    process: Process

    def stop(self) -> None:
        """Let it end by itself; it may be started again."""
        self.process.stop()

    def kill(self) -> None:
        """Whatever its state is. Safe to call at any time."""
        self.process.kill()

    def pause(self) -> None:
        """SIGSTOP: the kernel takes connections, those that there are stay, and nobody answers."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """The end of `pause`."""
        self.process.signal(signal.SIGCONT)
