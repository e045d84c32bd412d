"""Stream management (XEP-0198): what of a session was handled and acknowledged. No I/O."""

from __future__ import annotations

from collections import deque

from twisted.words.xish.domish import Element

from bridgewire.namespaces import MANAGEMENT, STANZA_ERRORS

#: What may wait for a client's acknowledgement.
MAX_STANZAS = 1000
MAX_CHARACTERS = 512 * 1024
_COUNT = 2**32


class TooHigh(Exception):
    """The client acknowledged what it was never sent. ``application``: for the stream error."""

    def __init__(self, h: int, sent: int) -> None:
        super().__init__(f"{h} stanzas are acknowledged, and {sent} were sent")
        self.application = Element((MANAGEMENT, "handled-count-too-high"))
        self.application["h"] = str(h)
        self.application["send-count"] = str(sent)


class Management:
    """The counters of both directions, and the stanzas that may have to be sent again.

    ``id``: by which the session can be resumed; None: it cannot.
    """

    def __init__(self, id_: str | None) -> None:
        self.id = id_
        #: Stanzas that came from the client and were handled, modulo 2^32.
        self.handled = 0
        #: True where an acknowledgement was asked for and has not come.
        self.asked = False
        #: True where something was sent since it was asked for.
        self.fresh = False
        self._keeps = True
        self._acknowledged = 0
        self._characters = 0
        self._queue: deque[tuple[Element, int]] = deque()

    def received(self) -> None:
        """Count a stanza of the client's."""
        self.handled = (self.handled + 1) % _COUNT

    def sent(self, stanza: Element) -> bool:
        """Keep a stanza for the client until it is acknowledged; False where there are too many."""
        self.fresh = True
        if not self._keeps:
            return True
        size = len(stanza.toXml())
        self._characters += size
        self._queue.append((stanza, size))
        return len(self._queue) <= MAX_STANZAS and self._characters <= MAX_CHARACTERS

    def acknowledge(self, h: int) -> None:
        """The client has handled ``h`` stanzas, in all, modulo 2^32. Raises TooHigh."""
        if not self._keeps:
            return
        handled = (h - self._acknowledged) % _COUNT
        if handled > len(self._queue):
            raise TooHigh(h, (self._acknowledged + len(self._queue)) % _COUNT)
        for _ in range(handled):
            self._characters -= self._queue.popleft()[1]
        self._acknowledged = h

    def forget(self) -> None:
        """Keep nothing from now on: the session can be resumed no more."""
        self._keeps = False
        self.id = None
        self._queue.clear()

    def unacknowledged(self) -> list[Element]:
        """Answer the stanzas that the client may not have got, in order."""
        return [stanza for stanza, _ in self._queue]

    def answer(self) -> Element:
        """Answer ``<a/>``."""
        element = Element((MANAGEMENT, "a"))
        element["h"] = str(self.handled)
        return element


def read_count(element: Element) -> int | None:
    """Answer the ``h`` of an ``<a/>`` or ``<resume/>``; None where it is no number of 32 bits."""
    text = element.getAttribute("h", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < _COUNT):
        return None
    return int(text)


def failed(condition: str, handled: int | None = None) -> Element:
    """Answer ``<failed/>`` with a stanza error condition of RFC 6120 section 8.3.3."""
    element = Element((MANAGEMENT, "failed"))
    if handled is not None:
        element["h"] = str(handled)
    element.addElement((STANZA_ERRORS, condition))
    return element
