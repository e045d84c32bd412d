"""Configuration > General: shows the settings, tests new ones, saves them, and resets them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.web import http
from twisted.web.server import Request

from callbridged.check.checks import Busy
from callbridged.settings import Changed, Conflict, SettingsFault
from callbridged.web.pages.form import (
    KEYS,
    SECRET,
    Origin,
    differences,
    make_fields,
    originals,
    other_faults,
    typed_values,
)
from callbridged.web.pages.frame import FormPage, Frame, query, redirect
from callbridged.web.pages.look import Look
from callbridged.web.pages.render import markup
from callbridged.web.pages.tested import make_tested
from callbridged.web.sessions import Session

PATH = "/configuration"
#: What the audit log calls it.
_WHAT = "Configuration > General"
#: What may be said after a change, with its tone.
_NOTICES = {"saved": "good", "was-reset": "good", "unchanged": "calm"}


class ConfigurationPage(FormPage):
    """``/configuration``"""

    def __init__(self, frame: Frame, look: Look) -> None:
        super().__init__(frame)
        self._look = look
        self._settings = frame.parts.settings

    async def get(self, request: Request, session: Session) -> bytes:
        notice = query(request, "notice")
        return self._form(request, session, notice=notice if notice in _NOTICES else "")

    async def post(self, request: Request, session: Session, form: Mapping[str, str]) -> bytes:
        if form.get("action") == "reset":
            return await self._reset(request, session, form.get("version", ""))
        values = typed_values(form, originals(form, self._settings.current()))
        shown: dict[str, Any] = {
            "typed": values,
            "at_once": form.get("at_once") == "yes",
            "version": form.get("version", ""),
        }
        try:
            if form.get("action") == "test":
                config = await self._settings.candidate(values)
                report = await self.frame.parts.checks.run(config)
                return self._form(request, session, tested=make_tested(report), **shown)
            if not values:
                return redirect(request, PATH, notice="unchanged")
            changed = await self._settings.change(
                values, version=shown["version"], at_once=shown["at_once"]
            )
        except SettingsFault as fault:
            request.setResponseCode(http.BAD_REQUEST)
            return self._form(request, session, faults=fault.faults, notice="faults", **shown)
        except Busy as busy:
            request.setResponseCode(http.SERVICE_UNAVAILABLE)
            return self._form(request, session, faults=[("", str(busy))], **shown)
        except Conflict:
            request.setResponseCode(http.CONFLICT)
            now = self._settings.current()
            shown |= {"version": self._settings.version}
            rows = differences(now, values, originals(form, now))
            return self._form(request, session, conflict=rows, **shown)
        if changed.values or shown["at_once"]:
            self._audit(session, changed, " (at once)" * shown["at_once"])
        return redirect(request, PATH, notice="saved")

    async def _reset(self, request: Request, session: Session, version: str) -> bytes:
        try:
            changed = await self._settings.reset(version=version)
        except (Conflict, SettingsFault) as refused:
            request.setResponseCode(http.CONFLICT)
            faults = refused.faults if isinstance(refused, SettingsFault) else [("", str(refused))]
            return self._form(request, session, faults=faults)
        self._audit(session, changed, " (reset to the ini file)")
        return redirect(request, PATH, notice="was-reset")

    def _audit(self, session: Session, changed: Changed, how: str) -> None:
        self.frame.parts.audit.changed(session.caller, _WHAT + how, changed.values, (SECRET,))

    def _origins(self) -> dict[str, Origin]:
        """Where each setting comes from."""
        settings = self.frame.parts.bridge.config.settings
        found = {one.key: Origin.of(one) for one in settings if one.section == "callbridge"}
        if found[SECRET].name == "default":
            found[SECRET] = Origin("file")  # the one that secret_file names
        return found

    def _form(
        self,
        request: Request,
        session: Session,
        *,
        typed: Mapping[str, str] | None = None,
        faults: Any = (),
        notice: str = "",
        version: str = "",
        at_once: bool = False,
        **more: object,
    ) -> bytes:
        current, origins, view = self._settings.current(), self._origins(), self._look()
        sections = self.frame.renderer.sections(view, self.frame.language(request))
        typed = typed or {}
        values: dict[str, object] = {
            "at": view.at,
            "sections": markup(sections),
            "fields": make_fields(current, origins, typed, faults),
            "originals": current,
            "fault": other_faults(faults),
            "notice": notice,
            "tone": _NOTICES.get(notice, "bad"),
            "version": version or self._settings.version,
            "at_once": at_once,
            "retype": SECRET in typed,
            "readonly": not session.caller.may_change,
            "overlaid": any(origins[key].name == "overlay" for key in KEYS),
            "conflict": (),
            "tested": None,
        }
        return self.frame.render(
            request, "configuration", session, page="configuration", **{**values, **more}
        )
