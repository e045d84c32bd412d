"""The form of Configuration > General: fields, what is wrong with them, and conflicts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from daemonkit.setting import Setting

#: The settings that can be changed, by their keys in ``[callbridge]``, in the order of the page.
KEYS = ("name", "domain", "server_address", "secret")
SECRET = "secret"  # noqa: S105  the name of a field


@dataclass(frozen=True)
class Field:
    """One setting. ``value``: what stands in the field; of the secret, whether there is one.

    ``origin``: ``overlay``, ``file`` or ``default``; ``beneath``: what the ini file says where the
    overlay says something else. ``fault``: why it cannot be saved.
    """

    key: str
    value: str
    origin: str
    beneath: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Origin:
    """Where a setting comes from, as in `Field`."""

    name: str = "file"
    beneath: str = ""

    @classmethod
    def of(cls, setting: Setting) -> Origin:
        """Answer the origin of a setting that is in use."""
        name = setting.origin if setting.origin in ("overlay", "default") else "file"
        beneath = "" if setting.key == SECRET else setting.instead_of or ""
        return cls(name, beneath)


@dataclass(frozen=True)
class Difference:
    """One setting of two administrators. Secrets are empty: that they differ is all."""

    key: str
    theirs: str
    yours: str


def originals(form: Mapping[str, str], current: Mapping[str, str]) -> dict[str, str]:
    """Answer what stood in the fields when the page was made, as the form itself says."""
    return {key: form.get(f"was.{key}", value) for key, value in current.items()}


def typed_values(form: Mapping[str, str], originals: Mapping[str, str]) -> dict[str, str]:
    """Answer what of ``form`` somebody has changed from the ``originals``, which have no secret.

    A secret that is empty stays as it is.
    """
    values = {
        key: form[key].strip()
        for key in KEYS
        if key != SECRET and key in form and form[key].strip() != originals[key]
    }
    if form.get(SECRET):
        values[SECRET] = form[SECRET]
    return values


def make_fields(
    current: Mapping[str, str],
    origins: Mapping[str, Origin],
    typed: Mapping[str, str],
    faults: Iterable[tuple[str, str]] = (),
) -> list[Field]:
    """Answer the fields, with what was ``typed`` in the place of what is ``current``.

    What was typed as secret is never shown again. ``faults`` as `callbridged.settings` has them.
    """
    wrong: dict[str, list[str]] = {}
    for key, text in faults:
        wrong.setdefault(key, []).append(text)
    return [
        Field(
            key,
            "set" if key == SECRET else typed.get(key, current[key]),
            origins[key].name,
            origins[key].beneath,
            " ".join(wrong.get(key, ())),
        )
        for key in KEYS
    ]


def other_faults(faults: Iterable[tuple[str, str]]) -> str:
    """Answer those that belong to no field."""
    return " ".join(text for key, text in faults if key not in KEYS)


def differences(
    current: Mapping[str, str], typed: Mapping[str, str], originals: Mapping[str, str]
) -> list[Difference]:
    """Answer where the page of somebody who has ``typed`` into it is not what is ``current`` now.

    ``originals``: what stood there before.
    """
    found = [
        Difference(key, current[key], typed.get(key, originals[key]))
        for key in KEYS
        if key != SECRET and typed.get(key, originals[key]) != current[key]
    ]
    if SECRET in typed:
        found.append(Difference(SECRET, "", ""))
    return found
