"""The SASL mechanisms that are answered, one a module; a new one gets its place in `MECHANISMS`."""

from __future__ import annotations

from callbridged.mechanisms.anonymous import ANONYMOUS
from callbridged.mechanisms.exchange import Mechanism
from callbridged.mechanisms.external import EXTERNAL
from callbridged.mechanisms.hashed_token import HASHED_TOKEN
from callbridged.mechanisms.plain import PLAIN
from callbridged.mechanisms.scram import SCRAM

#: By name, in the order in which they are offered: the best first.
MECHANISMS: dict[str, Mechanism] = {
    one.name: one for one in (EXTERNAL, *SCRAM, PLAIN, ANONYMOUS, *HASHED_TOKEN)
}
