"""``ca``, ``certificate`` and ``private_key`` of a section: TLS of a backend with its service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from bridgewire.certificates import CertificateFault, Identity, load_authorities, load_identity
from daemonkit import credentials
from daemonkit.ini import IniReader, Section


def read_authorities(
    section: Section, ini: IniReader
) -> tuple[Path | None, Sequence[x509.Certificate] | None]:
    """Answer the file ``ca`` and what is in it; None and None: those of the system are trusted.

    Where files are not looked at, it is the file alone.
    """
    path = section.optional_file("ca")
    if path is None or not _readable(path, ini):
        return path, None
    try:
        return path, load_authorities(path)
    except CertificateFault as fault:
        section.fault("ca", " ".join(fault.faults))
        return path, None


def describe_trust(ca: Path | None, section: str) -> str:
    """Answer for messages where the certificates of trusted authorities are."""
    system = f"this system's certificate store (or set ca in {section})"
    return credentials.in_words(str(ca or system))


def read_identity(section: Section, ini: IniReader) -> Identity | None:
    """Answer what to show to the service, if there is something."""
    certificate, private_key = section.file_pair("certificate", "private_key")
    if certificate is None or private_key is None:
        return None
    if not _readable(certificate, ini) or not _readable(private_key, ini):
        return None
    try:
        identity = load_identity(certificate, private_key)
    except CertificateFault as fault:
        section.fault("certificate", " ".join(fault.faults))
        return None
    ini.findings.warnings.extend(identity.warnings)
    return identity


def _readable(path: Path, ini: IniReader) -> bool:
    """False where it is not looked at, and where the section has noted that it is not there."""
    return ini.findings.check_files and path.is_file()
