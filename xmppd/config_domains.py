"""The XMPP domains of xmppd.ini: that of ``[xmppd]``, and each ``[domain NAME]``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daemonkit.hosts import parse_domain
from daemonkit.ini import IniReader, Section

#: Domains of one server, the first one included.
MAX_DOMAINS = 100


@dataclass(frozen=True)
class ServedDomain:
    """One XMPP domain, in U-labels, with its files; all but the first are ``[domain NAME]``."""

    name: str
    certificate: Path
    private_key: Path
    client_ca: Path | None


def read_domains(reader: IniReader) -> tuple[ServedDomain, ...]:
    """Answer the domains that have a section of their own."""
    return tuple(
        ServedDomain(
            name=_domain_name(name, section),
            certificate=section.readable_file("certificate"),
            private_key=section.readable_file("private_key"),
            client_ca=section.optional_file("client_ca"),
        )
        for name, section in reader.named_sections("domain")
    )


def _domain_name(name: str, section: Section) -> str:
    if not name:
        section.fault_of_heading("the name is missing. Write it like [domain example.org].")
        return ""
    try:
        return parse_domain(name)
    except ValueError as error:
        section.fault_of_heading(str(error))
        return ""


def check_domains(reader: IniReader, domains: Sequence[ServedDomain]) -> None:
    """Each domain once, and not too many: each one costs memory. ``domains``: all."""
    taken = {domains[0].name}
    sections = [section for _, section in reader.named_sections("domain")]
    for domain, section in zip(domains[1:], sections, strict=True):
        if domain.name and domain.name in taken:
            section.fault_of_heading(f"{domain.name} is there twice. Remove one of the two.")
        taken.add(domain.name)
    if len(domains) > MAX_DOMAINS:
        sections[MAX_DOMAINS - 1].fault_of_heading(
            f"there are {len(domains)} domains, and {MAX_DOMAINS} are allowed. "
            "Give the others a server of their own."
        )
