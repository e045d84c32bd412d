"""Stream features as data: what each needs to have happened, what rules it out, how it looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from twisted.words.xish.domish import Element

from bridgewire.namespaces import (
    BIND,
    BIND2,
    CHANNEL_BINDINGS,
    CSI,
    FAST,
    MANAGEMENT,
    SASL,
    SASL2,
    STREAMS,
    TLS,
)

#: What each of the FAST mechanisms binds to (draft-schmaus-kitten-sasl-ht), by its last part.
_HT_BINDINGS = {"EXPR": "tls-exporter", "ENDP": "tls-server-end-point"}
#: Mechanisms in the order in which they are offered; a name stands for its -PLUS too.
_ORDER = ("EXTERNAL", "SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "ANONYMOUS")


class Fact(Enum):
    """What a client stream has achieved."""

    SECURED = auto()
    AUTHENTICATED = auto()
    BOUND = auto()
    MANAGED = auto()


@lru_cache(maxsize=64)
def with_fact(facts: frozenset[Fact], fact: Fact) -> frozenset[Fact]:
    """Answer ``facts`` and one more: the same object for all streams that have come as far."""
    return facts | {fact}


@dataclass(frozen=True)
class Offer:
    """What one client can choose from. ``tokens``: FAST's mechanisms; ``bindings``: XEP-0440."""

    mechanisms: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    bindings: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def make_offer(served: frozenset[str], bindings: frozenset[str], certificate: bool) -> Offer:
    """Answer what of the ``served`` mechanisms this client's connection can be offered.

    -PLUS only with something to bind to, EXTERNAL only where the client showed a certificate.
    """
    mechanisms = []
    tokens = []
    for name in sorted(served, key=_rank):
        if name.startswith("HT-"):
            needs = _HT_BINDINGS.get(name.rpartition("-")[2])
            if name.endswith("-NONE") or needs in bindings:
                tokens.append(name)
        elif (bindings or not name.endswith("-PLUS")) and (certificate or name != "EXTERNAL"):
            mechanisms.append(name)
    bound = any(name.endswith("-PLUS") for name in mechanisms)
    return Offer(tuple(mechanisms), tuple(tokens), tuple(sorted(bindings)) if bound else ())


def _rank(name: str) -> tuple[int, bool, str]:
    plain = name.removesuffix("-PLUS")
    place = _ORDER.index(plain) if plain in _ORDER else len(_ORDER)
    return place, plain == name, name


@dataclass(frozen=True)
class Feature:
    """One child of ``<stream:features/>``, or None where there is nothing to offer."""

    needs: frozenset[Fact]
    forbids: frozenset[Fact]
    element: Callable[[Offer], Element | None]


def _starttls(_: Offer) -> Element:
    element = Element((TLS, "starttls"))
    element.addElement((TLS, "required"))
    return element


def _mechanisms(offer: Offer) -> Element:
    element = Element((SASL, "mechanisms"))
    _add_names(element, SASL, offer.mechanisms)
    return element


def _authentication(offer: Offer) -> Element | None:
    if not offer.mechanisms:
        return None
    element = Element((SASL2, "authentication"))
    _add_names(element, SASL2, offer.mechanisms)
    inline = element.addElement((SASL2, "inline"))
    inline.addElement((MANAGEMENT, "sm"))
    bind = inline.addElement((BIND2, "bind"))
    features = bind.addElement((BIND2, "inline"))
    for name in (CSI, MANAGEMENT):
        features.addElement((BIND2, "feature"))["var"] = name
    if offer.tokens:
        _add_names(inline.addElement((FAST, "fast")), FAST, offer.tokens)
    return element


def _channel_bindings(offer: Offer) -> Element | None:
    if not offer.bindings:
        return None
    element = Element((CHANNEL_BINDINGS, "sasl-channel-binding"))
    for name in offer.bindings:
        element.addElement((CHANNEL_BINDINGS, "channel-binding"))["type"] = name
    return element


def _add_names(element: Element, namespace: str, names: Iterable[str]) -> None:
    for name in names:
        element.addElement((namespace, "mechanism"), content=name)


def _empty(namespace: str, name: str) -> Callable[[Offer], Element]:
    return lambda _: Element((namespace, name))


_SECURED = frozenset({Fact.SECURED})
_IN = frozenset({Fact.SECURED, Fact.AUTHENTICATED})
_NOT_IN = frozenset({Fact.AUTHENTICATED})

FEATURES = (
    Feature(frozenset(), _SECURED, _starttls),
    Feature(_SECURED, _NOT_IN, _mechanisms),
    Feature(_SECURED, _NOT_IN, _authentication),
    Feature(_SECURED, _NOT_IN, _channel_bindings),
    Feature(_IN, frozenset({Fact.BOUND}), _empty(BIND, "bind")),
    Feature(_IN, frozenset({Fact.MANAGED}), _empty(MANAGEMENT, "sm")),
    Feature(_IN, frozenset(), _empty(CSI, "csi")),
)


@lru_cache(maxsize=64)
def stream_features(facts: frozenset[Fact], offer: Offer) -> str:
    """Answer ``<stream:features/>`` (RFC 6120 section 4.3.2) for a stream of these facts.

    As text: it is the same for many streams, and making it takes a while. It declares the prefix
    ``stream`` anew, since over WebSocket it stands by itself.
    """
    features = Element((STREAMS, "features"))
    for feature in FEATURES:
        if feature.needs <= facts and not feature.forbids & facts:
            element = feature.element(offer)
            if element is not None:
                features.addChild(element)
    text: str = features.toXml(prefixes={STREAMS: "stream"})
    return text
