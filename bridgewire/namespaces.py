"""XML namespaces, under the names their specifications give them."""

from __future__ import annotations

STREAMS = "http://etherx.jabber.org/streams"
STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"
TLS = "urn:ietf:params:xml:ns:xmpp-tls"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"  # RFC 7395
SESSION = "urn:ietf:params:xml:ns:xmpp-session"

SASL2 = "urn:xmpp:sasl:2"  # XEP-0388
BIND2 = "urn:xmpp:bind:0"  # XEP-0386
FAST = "urn:xmpp:fast:0"  # XEP-0484
CHANNEL_BINDINGS = "urn:xmpp:sasl-cb:0"  # XEP-0440
MANAGEMENT = "urn:xmpp:sm:3"  # XEP-0198
CSI = "urn:xmpp:csi:0"  # XEP-0352

CLIENT = "jabber:client"
COMPONENT = "jabber:component:accept"  # XEP-0114
#: The default namespaces of streams: a stanza changes from one to the other on its way.
CONTENT = frozenset({CLIENT, COMPONENT})

DISCO_INFO = "http://jabber.org/protocol/disco#info"  # XEP-0030
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
VERSION = "jabber:iq:version"  # XEP-0092
PING = "urn:xmpp:ping"  # XEP-0199
TIME = "urn:xmpp:time"  # XEP-0202
ROSTER = "jabber:iq:roster"  # RFC 6121, section 2
EXTERNAL_SERVICES = "urn:xmpp:extdisco:2"  # XEP-0215

LOGIN = "urn:x-callbridge:login:1"  # docs/link-protocol.md
OWN_SESSION = "urn:x-callbridge:session:1"  # docs/client-protocol.md
ERRORS = "urn:x-callbridge:errors:1"
