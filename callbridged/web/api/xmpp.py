"""``/system/configuration/xmpp``: how XMPP servers are found, and who we are to them (step 2)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from callbridged.settings import Conflict, Settings, SettingsFault
from callbridged.web.api.failures import INVALID, ApiFailure, Reason, parameter_error
from callbridged.web.api.operation import Answer, Call, Operation
from callbridged.web.api.parameters import Boolean, Text
from callbridged.web.audit import Audit
from daemonkit.files import MAX_SECRET, check_secret
from daemonkit.hosts import parse_domain, parse_host_port, parse_label

#: What may be sent; each in as many characters as can be right.
CANDIDATE = (
    Text("uniqueName", 63, check=parse_label),
    Text("domain", 255, check=parse_domain),
    Text("sharedSecret", MAX_SECRET, check=check_secret),
    Text("serverAddressOverride", 261, empty=True, check=parse_host_port),
)
#: Where the link that is up is not to be waited with until the new one is registered.
AT_ONCE = Boolean("replaceImmediately")

#: CMS's names -> keys of ``[callbridge]``.
_KEYS = {
    "uniqueName": "name",
    "domain": "domain",
    "sharedSecret": "secret",
    "serverAddressOverride": "server_address",
}
_NAMES = {key: name for name, key in _KEYS.items()}
_SECRETS = ("sharedSecret",)


class XmppConfiguration:
    """The object. It is there once, and never shows the secret."""

    def __init__(self, settings: Settings, audit: Audit) -> None:
        self._settings = settings
        self._audit = audit
        change = Operation(self.change, body=(*CANDIDATE, AT_ONCE))
        #: CMS takes POST as well as PUT.
        self.operations = {"GET": Operation(self.show), "PUT": change, "POST": change}

    async def show(self, call: Call) -> Answer:
        """Answer the settings in use. The entity tag is for If-Match of a change."""
        current = self._settings.current()
        shown = {_NAMES[key]: value or None for key, value in current.items()}
        return Answer("xmpp", shown, etag=self._settings.version)

    async def change(self, call: Call) -> Answer:
        """Take other settings into use, all of them or none.

        Where somebody else has changed them since the caller has looked (If-Match), none is.
        """
        version = self._settings.version
        if call.if_match is not None and version not in call.if_match:
            raise _conflict()
        values, at_once = to_keys(call.body), call.body.get(AT_ONCE.name, False)
        if not values and not at_once:
            return Answer(etag=version)
        try:
            changed = await self._settings.change(
                values,
                version=None if call.if_match is None else version,
                at_once=at_once,
            )
        except Conflict:
            raise _conflict() from None
        except SettingsFault as fault:
            raise settings_failure(fault) from None
        if changed.values or at_once:
            what = "/system/configuration/xmpp" + f" ({AT_ONCE.name})" * at_once
            told = {_NAMES[key]: pair for key, pair in changed.values.items()}
            self._audit.changed(call.caller, what, told, _SECRETS)
        return Answer(etag=self._settings.version)


def to_keys(body: Mapping[str, Any]) -> dict[str, str]:
    """Answer what was sent by the keys of ``[callbridge]``."""
    return {_KEYS[name]: value for name, value in body.items() if name in _KEYS}


def settings_failure(fault: SettingsFault) -> ApiFailure:
    """Answer the failure for settings that cannot be used: every fault, by CMS's names."""
    reasons = [
        parameter_error(_NAMES[key], INVALID, text)
        if key in _NAMES
        else Reason("invalidOperation", text)
        for key, text in fault.faults
    ]
    theirs = any(one.parameter for one in reasons)
    return ApiFailure(HTTPStatus.BAD_REQUEST if theirs else HTTPStatus.CONFLICT, reasons)


def _conflict() -> ApiFailure:
    said = "Somebody has changed the settings meanwhile. Nothing was changed: GET them, and decide."
    return ApiFailure(HTTPStatus.PRECONDITION_FAILED, (Reason("preconditionFailed", said),))
