"""Stream features as data: what each needs to have happened, what rules it out, how it looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from twisted.words.xish.domish import Element

from bridgewire.namespaces import BIND, SASL, STREAMS, TLS


class Fact(Enum):
    """What a client stream has achieved."""

    SECURED = auto()
    AUTHENTICATED = auto()


@dataclass(frozen=True)
class Feature:
    """One child of ``<stream:features/>``, made from the SASL mechanisms now on offer."""

    needs: frozenset[Fact]
    forbids: frozenset[Fact]
    element: Callable[[Iterable[str]], Element]


def _starttls(_: Iterable[str]) -> Element:
    element = Element((TLS, "starttls"))
    element.addElement((TLS, "required"))
    return element


def _mechanisms(offered: Iterable[str]) -> Element:
    element = Element((SASL, "mechanisms"))
    for mechanism in sorted(offered, reverse=True):  # SCRAM in front of PLAIN, stronger first
        element.addElement((SASL, "mechanism"), content=mechanism)
    return element


def _bind(_: Iterable[str]) -> Element:
    return Element((BIND, "bind"))


FEATURES = (
    Feature(frozenset(), frozenset({Fact.SECURED}), _starttls),
    Feature(frozenset({Fact.SECURED}), frozenset({Fact.AUTHENTICATED}), _mechanisms),
    Feature(frozenset({Fact.SECURED, Fact.AUTHENTICATED}), frozenset(), _bind),
)


@lru_cache(maxsize=64)
def stream_features(facts: frozenset[Fact], mechanisms: frozenset[str]) -> str:
    """Answer ``<stream:features/>`` (RFC 6120 section 4.3.2) for a stream of these facts.

    As text: it is the same for many streams, and making it takes a while. It declares the prefix
    ``stream`` anew, since over WebSocket it stands by itself.
    """
    features = Element((STREAMS, "features"))
    for feature in FEATURES:
        if feature.needs <= facts and not feature.forbids & facts:
            features.addChild(feature.element(mechanisms))
    text: str = features.toXml(prefixes={STREAMS: "stream"})
    return text
