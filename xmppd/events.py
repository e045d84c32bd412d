"""The events in the log of xmppd."""

from __future__ import annotations

from daemonkit.logging.event import Event, Limit

_OTHER_HALF = "The Call Bridge has the other half of it in its log, with the same login."

_PER_PEER = Limit(("peer", "reason"))
#: What somebody has logged in for, or would like to: more of it than fail2ban bans for.
_LOGINS = Limit(("peer",), each=60, in_all=1000)

READY = Event(
    "xmppd-ready",
    "ready: XMPP {served}, components on {components}, clients on {clients}",
    "The server listens on all its ports.",
)

# Logins

LOGIN_ACCEPTED = Event(
    "login-accepted",
    "step {step.number} ({step}): {who} from {peer} is in by {mechanism}, answered by {callbridge}",
    f"A client has logged in. {_OTHER_HALF}",
)
GUEST_ACCEPTED = Event(
    "guest-accepted",
    LOGIN_ACCEPTED,
    f"A guest has logged in, without an account. {_OTHER_HALF}",
    limit=_LOGINS,
)
# fail2ban reads this one (packaging/fail2ban/filter.d/xmppd.conf). What is in it comes from fixed
# lists: a peer can put nothing into it but its address.
LOGIN_REFUSED = Event(
    "login-refused",
    "failed login from {peer} by {mechanism}: {outcome}",
    "A Call Bridge has looked, and said no. Its log says whose login it was, with the same login.",
    limit=_LOGINS,
)
LOGIN_FAILED = Event(
    "login-failed",
    "login from {peer}: {failure}",
    "A login came to no end: no Call Bridge could say who it is, or the client did something "
    "wrong. Clients that are told to may try again.",
    limit=_PER_PEER,
)
NETWORK_PAUSED = Event(
    "network-paused",
    "logins by password from {network} are refused for {pause}: too many have failed. "
    "`xmppctl unpause {network}` ends that",
    "Somebody there guesses at passwords, or many people behind one address have wrong ones. The "
    "limits are in [failed_logins] of xmppd.ini.",
    limit=Limit(("network",)),
)
LOGIN_PAUSED = Event(
    "login-paused",
    "a login by password from {peer} was refused, policy: too many from {network} have failed; "
    "they are let in again after {left}, or by `xmppctl unpause {network}`",
    "Nobody was asked: the network is paused. The limits are in [failed_logins] of xmppd.ini.",
    limit=Limit(("network",)),
)
NETWORK_FORGIVEN = Event(
    "network-forgiven",
    "an operator let logins from {network} in again",
    "The failed logins from there are forgotten, by `xmppctl unpause`.",
)

# Clients

CLIENT_TLS_FAILED = Event(
    "client-tls-failed",
    "TLS with {peer}: {failure}",
    "A client came to no agreement on TLS. One that does not trust the certificate ends it like "
    "this.",
    limit=_PER_PEER,
)
CLIENT_STREAM_ENDED = Event(
    "client-stream-ended",
    "client {who}from {peer}: stream ended with {condition}: {text}",
    "The server has ended a client's stream, because of what the client did, or did not do in "
    "time.",
    limit=Limit(("peer", "condition")),
)
CLIENTS_FULL = Event(
    "clients-full",
    "a connection from {peer} to a client port was closed, resource-limit: too many are open, from "
    "this address or in all; max_connections and max_connections_per_address are in [limits]",
    "Connections that are there go on. `xmppctl status` shows how many there are.",
    limit=Limit(("peer",)),
)
NOT_LOGGED_IN_FULL = Event(
    "not-logged-in-full",
    "a connection from {peer} to a client port was closed, resource-limit: too many are open that "
    "have not logged in",
    "The limits are max_not_logged_in and max_not_logged_in_per_address in [limits] of xmppd.ini.",
    limit=Limit(("peer",)),
)
PROXY_UNNAMED = Event(
    "proxy-names-nobody",
    "the proxy {peer} does not say in X-Forwarded-For who its clients are, and its own address "
    "counts for all of them. Let it add the header (in nginx: proxy_set_header X-Forwarded-For "
    "$proxy_add_x_forwarded_for), or take it out of [client] trusted_proxies in xmppd.ini",
    "Limits that count by address count all clients of that proxy as one.",
    limit=Limit(("peer",)),
)
PROXY_HEADER_MISSING = Event(
    "proxy-header-missing",
    "a connection from the proxy {peer} to {port} was closed, protocol-error: it did not begin "
    "with a PROXY header ({text}). Switch it on in the proxy (send-proxy-v2 in HAProxy), or leave "
    "this port out of proxy_protocol in xmppd.ini.",
    "No client that comes through this proxy can log in.",
    limit=Limit(("peer", "port")),
)
WEBSOCKET_REFUSED = Event(
    "websocket-refused",
    "client from {peer}: WebSocket refused, protocol-error: {text}",
    "What came is no WebSocket handshake for XMPP (RFC 7395).",
    limit=Limit(("peer",)),
)
ORIGIN_REFUSED = Event(
    "origin-refused",
    "client from {peer}: WebSocket refused, policy: pages of {origin} may not log in here. If they "
    "should, add it to [client] websocket_origins in xmppd.ini",
    "A browser shows a page of another site, which tried to log in here.",
    limit=Limit(("peer",)),
)

# Sessions

RESUMPTION_REFUSED = Event(
    "resumption-refused",
    "{who} cannot go on with a session: {why}",
    "A client that came back has counted wrongly (XEP-0198), and begins a new session.",
    limit=Limit(("user",)),
)
ACKNOWLEDGEMENTS_MISSING = Event(
    "acknowledgements-missing",
    "{session} acknowledges too little, and cannot resume this session any more",
    "A client takes stanzas and does not say so (XEP-0198). The session goes on, without what "
    "would be sent again.",
    limit=Limit(("user",)),
)
SESSIONS_ENDED = Event(
    "sessions-ended",
    "an operator ended {what}",
    "By `xmppctl kick`.",
)
SESSIONS_ENDED_FOR = Event(
    "sessions-ended-by-callbridge",
    "step {step.number} ({step}): {callbridge} ended {what}",
    "The Call Bridge that let these sessions in has ended them: an operator there, or a guest's "
    "time.",
    limit=Limit(("callbridge",), each=100, in_all=1000),
)

# Call Bridges, and other components

COMPONENT_REGISTERED = Event(
    "component-registered",
    "step {step.number} ({step}): {callbridge} from {peer}; its certificate: {certificate}",
    "A Call Bridge, or another component, has proved that it knows its secret. Its link is up.",
    limit=Limit(("callbridge",), each=10),
)
COMPONENT_OFFER = Event(
    "login-service-offered",
    "step {step.number} ({step}): {callbridge} {answers}",
    "A Call Bridge has said what logins it takes from now on.",
    limit=Limit(("callbridge",), each=10),
)
COMPONENT_LOST = Event(
    "component-lost",
    "step {step.number} ({step}): link of {callbridge} from {peer} is down, {reason}: {why}",
    "Logins go to the other Call Bridges. A callbridged comes back by itself, and its own log says "
    "what it sees. `xmppctl status` shows which are connected.",
    limit=Limit(("callbridge",), each=10),
)
COMPONENT_REPLACED = Event(
    "component-replaced",
    "step {step.number} ({step}): an older link of {callbridge} from {peer} is closed: {why}",
    "A newer link has taken its place, for another secret or certificate. No login was lost.",
    limit=Limit(("callbridge",), each=10),
)
COMPONENT_REFUSED = Event(
    "component-refused",
    "{callbridge} from {peer}: {failure}",
    "Whoever this is does not get in as a component, or did something wrong as one. The remedy, if "
    "there is one, is in the line; `callbridgectl check` on the other host walks through all "
    "steps.",
    limit=Limit(("callbridge", "address", "step", "reason")),
)
STRANGER_REFUSED = Event(
    "stranger-refused",
    "a component from {peer}: {failure}",
    "Whoever this is came to the component port, and never got so far as to say a name that is "
    "known. Only Call Bridges should reach this port: let a firewall see to it.",
    limit=Limit(("address", "step", "reason")),
)
COMPONENTS_FULL = Event(
    "components-full",
    "a connection from {peer} to the component port was closed, resource-limit: too many are open "
    "that have not registered",
    "Links that are up go on. Only Call Bridges should reach this port: let a firewall see to it.",
    limit=Limit(("peer",)),
)
SECRET_ROTATED = Event(
    "secret-rotated",
    "the new secret of {callbridge} is in use, and the old one forgotten",
    "What `xmppctl callbridge rotate` began is done.",
)
ROTATION_LONG = Event(
    "secret-rotation-long",
    "{callbridge} uses the old secret, and a rotation goes on for long: give it the new one, or "
    "run `xmppctl callbridge rotate {name} --abort`",
    "Both secrets count until the Call Bridge has used the new one.",
    limit=Limit(("callbridge",)),
)
SECRET_NOT_ROTATED = Event(
    "secret-not-rotated",
    "the new secret of {callbridge} is in use, but the old one cannot be forgotten: "
    "{fault} Then run `xmppctl callbridge rotate {name} --finish`.",
    "Both secrets count until that is done.",
    limit=Limit(("callbridge",)),
)
