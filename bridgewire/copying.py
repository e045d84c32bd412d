"""Copies of elements. Python's own `copy` cannot make them: domish answers for any attribute."""

from __future__ import annotations

from twisted.words.xish.domish import Element


def copy_element(element: Element) -> Element:
    """Answer a copy that shares nothing with ``element``, and has no parent.

    A stanza changes on its way (its namespace, its addresses), so that each receiver needs its own.
    """
    copied = Element(
        (element.uri, element.name),
        element.defaultUri,
        dict(element.attributes),
        dict(element.localPrefixes),
    )
    for child in element.children:
        copied.addChild(copy_element(child) if isinstance(child, Element) else child)
    return copied
