"""The twistd plugin's options and service: the only place that names the reactor."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from twisted.application.service import IService
from twisted.python import usage

from bridgewire.identity import CertificateFault
from bridgewire.log_fields import FIELDS, PREFIX
from daemonkit import unusable
from daemonkit.ini import ConfigurationFault
from daemonkit.logging.service import LogFault, open_log
from xmppd.config import DEFAULT_PATH, load
from xmppd.service import make_service


class Options(usage.Options):
    """Options of `twistd xmppd`."""

    optParameters = [["config", "c", str(DEFAULT_PATH), "The configuration file."]]
    longdesc = (
        "The XMPP server at the edge. Clients log in to it; the Call Bridges that connect to it "
        "decide who may. Its settings are in the configuration file, and `xmppctl` operates it."
    )


def makeService(options: Options) -> IService:
    """Answer the daemon. A configuration that cannot be used ends twistd, with every fault and
    exit status 78.
    """
    from twisted.internet import reactor

    reread = partial(load, Path(options["config"]))
    try:
        config = reread()
        log = open_log(reactor, "xmppd", FIELDS, PREFIX, config.log, options.parent)
        return make_service(reactor, config, reread, log)
    except (ConfigurationFault, CertificateFault, LogFault) as fault:
        unusable.end("xmppd", fault)
