"""The SASL mechanisms that are answered, one a module; a new one gets its place in `MECHANISMS`."""

from __future__ import annotations

from callbridged.logins.mechanisms.anonymous import ANONYMOUS
from callbridged.logins.mechanisms.exchange import Mechanism
from callbridged.logins.mechanisms.external import EXTERNAL
from callbridged.logins.mechanisms.hashed_token import HASHED_TOKEN
from callbridged.logins.mechanisms.plain import PLAIN
from callbridged.logins.mechanisms.scram import SCRAM

#: By name, in the order in which they are offered: the best first.
MECHANISMS: dict[str, Mechanism] = {
    one.name: one for one in (EXTERNAL, *SCRAM, PLAIN, ANONYMOUS, *HASHED_TOKEN)
}
