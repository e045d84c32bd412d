"""The twistd plugin's options and service: the only place that names the reactor."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from twisted.application.service import IService
from twisted.python import usage

from bridgewire.identity import CertificateFault
from bridgewire.log_fields import FIELDS, PREFIX
from callbridged.backends import BackendFault
from callbridged.config import DEFAULT_PATH, load
from callbridged.service import make_service
from daemonkit import unusable
from daemonkit.ini import ConfigurationFault
from daemonkit.logging.service import LogFault, open_log


class Options(usage.Options):
    """Options of `twistd callbridged`."""

    optParameters = [["config", "c", str(DEFAULT_PATH), "The configuration file."]]
    longdesc = (
        "The Call Bridge: connects out to the XMPP servers of its domain and answers the logins "
        "that they relay. Its settings are in the configuration file, and `callbridgectl` "
        "operates it."
    )


def makeService(options: Options) -> IService:
    """Answer the daemon. A configuration that cannot be used ends twistd, with every fault and
    exit status 78.
    """
    from twisted.internet import reactor

    reread = partial(load, Path(options["config"]))
    try:
        config = reread()
        log = open_log(reactor, "callbridged", FIELDS, PREFIX, config.log, options.parent)
        return make_service(reactor, config, reread, log)
    except (ConfigurationFault, CertificateFault, BackendFault, LogFault) as fault:
        unusable.end("callbridged", fault)
