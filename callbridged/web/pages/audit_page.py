"""The audit log: who signed in, and who changed what."""

from __future__ import annotations

from twisted.web.server import Request

from callbridged.web.pages.frame import SessionPage
from callbridged.web.sessions import Session

#: Entries that are shown.
SHOWN = 200


class AuditPage(SessionPage):
    """``/audit``"""

    async def get(self, request: Request, session: Session) -> bytes:
        entries = self.frame.parts.audit.latest(SHOWN)[::-1]
        return self.frame.render(request, "audit", session, page="audit", entries=entries)
