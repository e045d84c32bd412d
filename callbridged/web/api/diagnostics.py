"""``/system/diagnostics/xmpp``: every step towards every XMPP server, tried once."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import cast

from callbridged.check.checks import RETRY_AFTER, Busy, Checks
from callbridged.config import Config
from callbridged.settings import Settings, SettingsFault
from callbridged.web.api.failures import ApiFailure, Reason
from callbridged.web.api.operation import Answer, Call, Operation
from callbridged.web.api.representation import camel_case
from callbridged.web.api.xmpp import CANDIDATE, settings_failure, to_keys


class XmppDiagnostics:
    """The object. Nothing that it does changes anything, nor disturbs a link that is up."""

    def __init__(self, checks: Checks, settings: Settings, in_use: Callable[[], Config]) -> None:
        """``in_use`` answers the configuration as it is now."""
        self._checks = checks
        self._settings = settings
        self._in_use = in_use
        self.operations = {
            "GET": Operation(self.check),
            "POST": Operation(self.check_candidate, body=CANDIDATE),
        }

    async def check(self, call: Call) -> Answer:
        """Check with the settings in use."""
        return await self._run(self._in_use())

    async def check_candidate(self, call: Call) -> Answer:
        """Check with other settings, before they are put to use."""
        try:
            config = await self._settings.candidate(to_keys(call.body))
        except SettingsFault as fault:
            raise settings_failure(fault) from None
        return await self._run(config)

    async def _run(self, config: Config) -> Answer:
        try:
            report = await self._checks.run(config)
        except Busy as busy:
            raise ApiFailure(
                HTTPStatus.SERVICE_UNAVAILABLE,
                (Reason("serviceUnavailable", str(busy)),),
                {"retry-after": str(RETRY_AFTER)},
            ) from None
        return Answer("diagnostics", cast(dict[str, object], camel_case(report.as_json())))
