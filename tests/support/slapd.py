"""A real OpenLDAP server in a directory of its own, for tests and benchmarks of ldap: backends.

Debian's slapd, on loopback ports, with the password policy overlay, TLS by a certificate of the
test authority, a service account that may search, and as many users as wanted.
"""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.support.ca import CertificateAuthority
from tests.support.foreign import Foreign
from tests.support.processes import Process, free_port
from tests.support.waiting import wait_until

SUFFIX = "dc=example,dc=com"
PEOPLE = f"ou=people,{SUFFIX}"
POLICIES = f"ou=policies,{SUFFIX}"
#: May do everything.
ADMIN, ADMIN_PASSWORD = f"cn=admin,{SUFFIX}", "secret-of-admin"
#: May search, and read all but passwords: what ``bind_dn`` is for. Others may read their own entry.
SERVICE, SERVICE_PASSWORD = f"cn=callbridge,ou=services,{SUFFIX}", "secret-of-service"
#: Of the users that `Slapd` makes: ``user0``, ``user1``, ...
PASSWORD = "wonderland"

_SCHEMAS = ("core", "cosine", "inetorgperson", "nis")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
#: authPassword as RFC 3112 has it, which slapd is built without; what 389-ds and Active Directory
#: have, by their OIDs; and a user who may have anything.
_TEXT, _NUMBER, _OCTETS = (
    "EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15",
    "EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE",
    "EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40",
)
_ATTRIBUTES = {
    "authPassword": ("1.3.6.1.4.1.4203.1.3.4", _OCTETS),
    "nsAccountLock": ("2.16.840.1.113730.3.1.610", _TEXT),
    "userAccountControl": ("1.2.840.113556.1.4.8", _NUMBER),
    "pwdLastSet": ("1.2.840.113556.1.4.96", _NUMBER),
    "accountExpires": ("1.2.840.113556.1.4.159", _NUMBER),
    "sAMAccountName": ("1.2.840.113556.1.4.221", _TEXT),
    "userPrincipalName": ("1.2.840.113556.1.4.656", _TEXT),
    "objectGUID": ("1.2.840.113556.1.4.2", _OCTETS),
    # Anything at all, also what is not text.
    "testName": ("1.3.6.1.4.1.4203.666.11.2", _OCTETS),
}
_OWN_SCHEMA = "\n".join(
    [
        *(
            f"attributetype ( {oid} NAME '{name}' {kind} )"
            for name, (oid, kind) in _ATTRIBUTES.items()
        ),
        "objectclass ( 1.3.6.1.4.1.4203.666.11.1 NAME 'testUser' AUXILIARY",
        f"  MAY ( shadowExpire $ {' $ '.join(_ATTRIBUTES)} ) )",
        "",
    ]
)
_CONFIGURATION = """
{schemas}
include {directory}/own.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile {directory}/slapd.pid
argsfile {directory}/slapd.args
TLSCACertificateFile {authority}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
{more}
database mdb
suffix {suffix}
rootdn {admin}
rootpw {admin_password}
directory {directory}/data
maxsize 1073741824
dbnosync
index objectClass,uid,mail,sAMAccountName eq
{access}
overlay ppolicy
ppolicy_default cn=default,{policies}
{lockout}
"""
_ACCESS = f"""
access to attrs=userPassword by anonymous auth by * none
access to attrs=authPassword by dn.exact={SERVICE} read by * none
access to * by dn.exact={SERVICE} read by self read by anonymous search by * none
"""


class Slapd(Foreign):
    """One server. ``url`` and ``tls_url`` are what the setting ``url`` takes.

    ``certificate``: that and its key; None: a good one for 127.0.0.1 and localhost.
    ``tells_lockout``: binds to a locked account are told so (ppolicy_use_lockout).
    ``more``: lines for the global part of slapd.conf; ``access``: who may do what with users.
    ``log``: what it logs, such as ``stats``.
    """

    def __init__(
        self,
        directory: Path,
        ca: CertificateAuthority,
        *,
        users: int = 0,
        address: str = "127.0.0.1",
        certificate: tuple[Path, Path] | None = None,
        tells_lockout: bool = False,
        more: str = "",
        access: str = _ACCESS,
        log: str = "none",
    ) -> None:
        directory.mkdir(parents=True)
        (directory / "data").mkdir()
        self.directory = directory
        self.address = address
        self.port = free_port(address)
        self.tls_port = free_port(address)
        self.authority = ca.certificate_path
        self._ca = ca
        self._more, self._access = more, access
        self._lockout = "ppolicy_use_lockout" if tells_lockout else ""
        self.certificate = certificate or ca.issue("slapd", dns=["localhost"], ip=[address])
        listen = f"ldap://{address}:{self.port} ldaps://{address}:{self.tls_port}"
        self.process = Process(
            "slapd",
            [_program("slapd"), "-d", log, "-f", directory / "slapd.conf", "-h", listen],
            directory / "slapd.log",
        )
        self._configure()
        self._fill(users)

    @property
    def url(self) -> str:
        """For StartTLS, or no TLS."""
        return f"ldap://{self.address}:{self.port}"

    @property
    def tls_url(self) -> str:
        """With TLS from the first byte."""
        return f"ldaps://{self.address}:{self.tls_port}"

    def settings(self, **more: object) -> dict[str, object]:
        """A section ``[ldap NAME]`` that works; ``more`` overrides, None takes a key out."""
        return {
            "url": self.url,
            "ca": self.authority,
            "bind_dn": SERVICE,
            "bind_password": SERVICE_PASSWORD,
            "base": PEOPLE,
            **more,
        }

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        self.process.start()
        self.process.wait_while_running("slapd listens", self._listens)

    def stop(self) -> None:
        super().stop()
        wait_until("slapd is down", lambda: not self._listens())

    def use_certificate(self, certificate: tuple[Path, Path]) -> None:
        """From the next start on."""
        self.certificate = certificate
        self._configure()

    def add(self, dn: str, attributes: Mapping[str, object]) -> None:
        """Add an entry while it runs; a value may be text, octets, or several of them."""
        self._change("ldapadd", ldif(dn, attributes))

    def add_user(
        self,
        name: str,
        password: str | None = PASSWORD,
        *,
        base: str = PEOPLE,
        dn: str | None = None,
        **attributes: object,
    ) -> str:
        """Add a user below ``base``, or with another DN, and answer the DN."""
        dn = dn or f"uid={name},{base}"
        self.add(dn, user(name, password, **attributes))
        return dn

    def modify(self, dn: str, attribute: str, *values: str | bytes) -> None:
        """Replace an attribute's values; with none, take it out. Operational ones too."""
        lines = [_line("dn", dn), "changetype: modify", f"replace: {attribute}"]
        lines += [_line(attribute, value) for value in values]
        # "Relax rules": a password policy's own attributes, too (draft-zeilenga-ldap-relax).
        self._change("ldapmodify", "\n".join([*lines, "-", "", ""]), "-e", "relax")

    def delete(self, dn: str) -> None:
        """Delete an entry, also one that refers elsewhere."""
        self._change("ldapmodify", f"{_line('dn', dn)}\nchangetype: delete\n\n", "-M")

    def _listens(self) -> bool:
        try:
            socket.create_connection((self.address, self.port), 1).close()
        except OSError:
            return False
        return True

    def _configure(self) -> None:
        (self.directory / "own.schema").write_text(_OWN_SCHEMA)
        configuration = _CONFIGURATION.format(
            schemas="\n".join(f"include /etc/ldap/schema/{name}.schema" for name in _SCHEMAS),
            directory=self.directory,
            authority=self.authority,
            certificate=self.certificate[0],
            key=self.certificate[1],
            more=self._more,
            suffix=SUFFIX,
            admin=ADMIN,
            admin_password=ADMIN_PASSWORD,
            access=self._access,
            policies=POLICIES,
            lockout=self._lockout,
        )
        path = self.directory / "slapd.conf"
        path.touch(mode=0o600)
        path.write_text(configuration)

    def _fill(self, users: int) -> None:
        entries = [ldif(dn, attributes) for dn, attributes in _base_entries()]
        entries += [
            ldif(f"uid=user{number},{PEOPLE}", user(f"user{number}")) for number in range(users)
        ]
        _run(
            [_program("slapadd"), "-q", "-f", self.directory / "slapd.conf"],
            "".join(entries),
        )

    def _change(self, program: str, text: str, *options: str) -> None:
        command = [_program(program), "-x", "-H", self.url, "-D", ADMIN, "-w", ADMIN_PASSWORD]
        _run([*command, *options], text)


def user(name: str, password: str | None = PASSWORD, **attributes: object) -> dict[str, object]:
    """The attributes of a user's entry; ``attributes`` override, None takes one out."""
    found: dict[str, object] = {
        "objectClass": ("inetOrgPerson", "testUser"),
        "uid": name,
        "cn": name,
        "sn": name,
        "userPassword": password,
        **attributes,
    }
    return {name: value for name, value in found.items() if value is not None}


def ldif(dn: str, attributes: Mapping[str, object]) -> str:
    """One entry as LDIF (RFC 2849)."""
    lines = [_line("dn", dn)]
    for name, value in attributes.items():
        several = isinstance(value, Iterable) and not isinstance(value, str | bytes)
        lines += [_line(name, one) for one in (value if several else [value])]  # type: ignore[union-attr]
    return "\n".join([*lines, "", ""])


def _line(name: str, value: object) -> str:
    octets = value if isinstance(value, bytes) else str(value).encode()
    return f"{name}:: {base64.b64encode(octets).decode()}"


def _base_entries() -> Iterable[tuple[str, dict[str, object]]]:
    yield SUFFIX, {"objectClass": ("dcObject", "organization"), "dc": "example", "o": "Example"}
    for unit in ("people", "services", "policies"):
        yield f"ou={unit},{SUFFIX}", {"objectClass": "organizationalUnit", "ou": unit}
    yield (
        SERVICE,
        {
            "objectClass": ("organizationalRole", "simpleSecurityObject"),
            "cn": "callbridge",
            "userPassword": SERVICE_PASSWORD,
        },
    )
    policy = {"objectClass": ("device", "pwdPolicy"), "pwdAttribute": "userPassword"}
    yield f"cn=default,{POLICIES}", {**policy, "cn": "default", "pwdLockout": "TRUE"}
    strict = {"pwdLockout": "TRUE", "pwdMaxFailure": "3", "pwdMustChange": "TRUE"}
    yield f"cn=strict,{POLICIES}", {**policy, "cn": "strict", **strict}
    yield f"cn=aging,{POLICIES}", {**policy, "cn": "aging", "pwdMaxAge": "3600"}


def _program(name: str) -> str:
    program = shutil.which(name, path=_PATH)
    assert program, f"{name} is missing: apt-get install slapd ldap-utils"
    return program


def _run(command: list[str | Path], text: str) -> None:
    done = subprocess.run(
        list(map(str, command)),
        input=text,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command[0]}: exit {done.returncode}\n{done.stdout}{done.stderr}")
