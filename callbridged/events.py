"""The events in the log of callbridged."""

from __future__ import annotations

from daemonkit.logging.event import Event, Limit

_BACKEND = (
    "Users of it cannot log in with a password until it can be asked, unless another one knows "
    "them."
)

CONFIGURED = Event(
    "callbridged-configured",
    "step {step.number} ({step}), {domain}: this is Call Bridge {name}, XMPP servers are found "
    "by {how}, users are in {backends}",
    "The daemon starts, and this is what it was told to do.",
)

# Links

LINK_STEP = Event(
    "link-step",
    "step {step.number} ({step}), {target}: {text}",
    "A step on the way to a link went well.",
)
LINK_FAILED = Event(
    "link-failed",
    "{target}: {failure}",
    "There is no link to this XMPP server, or no longer. It is tried again for ever, and the log "
    "says no more until it fails in another way, or works. `callbridgectl check` walks through all "
    "steps.",
)
LINK_RECOVERED = Event(
    "link-recovered",
    "{target}: works again after {duration} and {attempts} failed attempts; "
    "the last failure was {reason} at step {step.number} ({step})",
    "What failed before works now.",
)
LINK_RENEWAL_BEGINS = Event(
    "link-renewal-begins",
    "{target}: a newer link is to take the place of the one that there is",
    "What a link is made with has changed, like the secret: a newer one is made before the older "
    "one ends.",
)
LINK_NOT_RENEWED = Event(
    "link-not-renewed",
    "{target}: the newer link failed; the one that there is goes on as it was",
    "A line above says why. The newer link is tried again.",
)
LINK_RENEWED = Event(
    "link-renewed",
    "{target}: the newer link is in use",
    "It was made before the older one ended, with another secret or certificate.",
)
LINKS_MOVE = Event(
    "links-move",
    "the links move to {to}; those of {former} {how}",
    "The name, the domain or the server address has changed. Logins go on: links by the settings "
    "of before are there until one by the new ones is up, unless it was said otherwise.",
)
LINKS_NOT_MOVED = Event(
    "links-not-moved",
    "the links have not moved to {to}, {reason} at step {step.number} ({step}); those of {former} "
    "go on",
    "A line above says why. The new settings are tried again for ever; correct them, or go back to "
    "the former ones.",
)
LINKS_MOVED = Event(
    "links-moved",
    "the links have moved to {to}, within {duration}",
    "The new links are up. Those by the settings of before end when the logins are over that came "
    "that way.",
)
LINKS_STAY = Event(
    "links-stay",
    "the links do not move, and stay {to}",
    "The settings are those again that the links are made with. Others were tried, and no link by "
    "them is kept.",
)
TOO_MANY_TARGETS = Event(
    "too-many-targets",
    "{name} names {count} XMPP servers; only the first {limit} in order are used",
    "See whether the SRV records of the domain are as they should be.",
)
CLOCKS_DIFFER = Event(
    "clocks-differ",
    "{text}",
    "Certificates and tokens are good from one time to another, and logs are compared by theirs. "
    "Let both hosts follow a time server.",
    limit=Limit(("target",)),
)
OFFER_TAKEN = Event(
    "login-service-accepted",
    "step {step.number} ({step}): {target} relays logins to us",
    "The XMPP server knows which logins are answered here.",
)
OFFER_REFUSED = Event(
    "login-service-refused",
    "step {step.number} ({step}): {target} takes no offer to answer logins ({why}). "
    "It may be another XMPP server than xmppd; the link stays.",
    "No login comes over this link.",
)
BAD_LOGIN = Event(
    "login-malformed",
    "{target} sent a bad login: {why}",
    "The XMPP server did something that it must not, and got an error for it. Different versions "
    "on the two hosts may be the cause.",
    limit=Limit(("target",)),
)

# Alarms

_ALARM = Limit(("alarm", "subject"), each=20, in_all=1000)

ALARM_RAISED = Event(
    "alarm-raised",
    "alarm {alarm}, {severity}, of {subject}: {text} {remedy}",
    "Something is wrong, and has been for a while. It stays an alarm until it is mended: "
    "`callbridgectl alarms` lists all of them.",
    limit=_ALARM,
)
ALARM_CHANGED = Event(
    "alarm-changed",
    "alarm {alarm} of {subject} is {severity} now: {text} {remedy}",
    "What is wrong matters more than before, or less.",
    limit=_ALARM,
)
ALARM_CLEARED = Event(
    "alarm-cleared",
    "alarm {alarm} of {subject} is over, after {lasted}",
    "What was wrong has been mended, or is so no longer.",
    limit=_ALARM,
)

# Logins

LOGIN_SUCCEEDED = Event(
    "login-succeeded",
    "step {step.number} ({step}): {user!r} from {peer} by {mechanism}: {outcome}{why} ({took})",
    "Somebody has logged in. The XMPP server has the other half of it in its log, with the same "
    "login.",
)
LOGIN_ENDED = Event(
    "login-ended",
    LOGIN_SUCCEEDED,
    "A login has ended like this: with an error, or without one for a guest. The XMPP server has "
    "the other half of it in its log, with the same login.",
    limit=Limit(("peer",), each=60, in_all=1000),
)
NO_ROOM = Event(
    "no-room-for-logins",
    "a login was refused: {why}",
    "The XMPP server asks another Call Bridge, if there is one. More are under way at once than "
    "are taken: user backends may be slow.",
    limit=Limit(()),
)
ACCOUNT_PAUSED = Event(
    "account-paused",
    "logins of {user!r} are paused for {pause} after {most} failed ones, the last from "
    "{network}. From networks where this account has logged in before, they go on. "
    "callbridgectl unpause ends the pause",
    "Somebody guesses at the password of this account, or its owner has a wrong one somewhere. The "
    "limits are in [failed_logins] of callbridged.ini.",
    limit=Limit(("user",)),
)
GUESTS_FULL = Event(
    "guests-full",
    "a guest was refused: {count} guests are there. Raise max_guests in [guest], or "
    "see with callbridgectl guests who they are",
    "Guests who leave, or whose time is over, make room.",
    limit=Limit(()),
)
GUESTS_OF_NETWORK_FULL = Event(
    "guests-of-network-full",
    "a guest from {network} was refused: {count} guests are there from that network. "
    "If they are people behind one address, raise max_guests_per_network in [guest]",
    "Guests who leave, or whose time is over, make room.",
    limit=Limit(("network",)),
)
NO_TOKEN = Event(
    "no-token-issued",
    "no token was issued: {why}",
    "The login has succeeded; the client needs the password again next time.",
    limit=Limit(()),
)
DECOY_KEY_UNUSABLE = Event(
    "decoy-key-unusable",
    "{path} cannot be used: {why}. Until that is mended, a restart changes the SCRAM salts of "
    "users who do not exist, and shows who they are",
    "The file is in [callbridge] state_directory, which the daemon must be able to write to.",
)

# User backends

BACKEND_UNAVAILABLE = Event(
    "backend-unavailable",
    "the user backend cannot look: {why}",
    "A login ended with temporary-auth-failure: nobody could say whether the password is right.",
    limit=Limit(("why",), in_all=30),
)
BACKEND_SKIPPED = Event(
    "backend-skipped",
    "the user backend {backend} cannot look, another one could: {why}",
    _BACKEND,
    limit=Limit(("backend", "why"), in_all=30),
)
BACKEND_REMOVED = Event(
    "backend-removed",
    "the user backend {backend} is used no more",
    "A reload has taken it out, and the last login that it was asked about is over.",
)
USERS_READ = Event(
    "users-file-read",
    "{path}: {count} users",
    "The file has changed, or the daemon has started.",
)
USERS_FAULT = Event(
    "users-file-fault",
    "{path}, {fault} The other lines count.",
    "Who stands in that line cannot log in. `callbridgectl user passwd` writes it anew.",
)
USERS_FAULTS = Event(
    "users-file-faults",
    "{path}: {more} more lines are broken",
    "Who stands in these lines cannot log in.",
)
USERS_KEYS_MISSING = Event(
    "users-keys-missing",
    "{path}: of {count} users, {missing}. A mechanism that not all users have keys for is "
    "not offered. callbridgectl user list shows who has which, callbridgectl user passwd "
    "NAME makes all of them.",
    "Keys of other mechanisms go on to work.",
)
USERS_NOT_THERE = Event(
    "users-file-not-there",
    "{path} is not there, or may not be read: no user can log in. Make it with "
    "callbridgectl user add; it is looked for at every login.",
    "See to it that the daemon's user may read it, too.",
)
DIRECTORY_ANSWERS = Event(
    "directory-answers",
    "{backend}: the directory answers",
    "It was tried at the start, with a user who does not exist.",
)
DIRECTORY_UNAVAILABLE = Event(
    "directory-unavailable",
    "{backend}: the directory cannot be asked: {why}",
    f"It was tried at the start. {_BACKEND}",
)
DIRECTORY_SERVER_FAILED = Event(
    "directory-server-failed",
    "{backend}: {server} cannot be used, and {used} is: {why}",
    "Logins go on, through another of the servers in url.",
    limit=Limit(("server", "reason")),
)
DIRECTORY_SAYS_NOT_WHO = Event(
    "directory-says-not-who",
    "{backend}: {server} does not say who is bound (RFC 4532), and its word on passwords "
    "is taken as it is: {result}",
    "Nothing is wrong with it: not all servers have this extension.",
)

# The web page and the API

ADMIN_LISTENS = Event(
    "admin-listens",
    "web page and REST API on {where}",
    "The port of [admin] in callbridged.ini is open.",
)
ADMIN_TLS_FAILED = Event(
    "admin-tls-failed",
    "TLS with {peer}, web page: {failure}",
    "A browser, or a script, came to no agreement on TLS. One that does not trust the certificate "
    "ends it like this.",
    limit=Limit(("peer", "reason")),
)
ADMIN_SIGNED_IN = Event(
    "admin-signed-in",
    "administrator {user} has signed in from {peer}, {how}",
    "On the web page, or with a request to the API; a script that asks again and again is named "
    "once a day.",
)
ADMIN_REFUSED = Event(
    "admin-refused",
    "failed sign-in of {user} from {peer}: {why}",
    "Somebody tried to sign in on the web page, or at the API. Names that no account has are not "
    "written: people type passwords there.",
    limit=Limit(("peer",), each=60, in_all=1000),
)
ADMIN_DENIED = Event(
    "admin-denied",
    "a change by {user} from {peer} was refused: {why}",
    "It is a viewer's, who may change nothing (`viewer`), or came without the token of the session "
    "(`csrf`): another site may have sent it.",
    limit=Limit(("user", "peer")),
)
ADMIN_PAUSED = Event(
    "admin-paused",
    "sign-ins of {who} from {network} are refused for {pause}: too many have failed",
    "Somebody guesses at administrators' passwords. From networks where an administrator has "
    "signed in before, that account can go on.",
    limit=Limit(("network",)),
)
ADMIN_CHANGED = Event(
    "admin-changed",
    "{user} from {peer} has changed {what}: {values}",
    "An administrator changed something on the web page, or by the API. `callbridgectl audit` "
    "lists what was changed before.",
)
ADMINS_READ = Event(
    "admins-file-read",
    "{path}: {count} administrators",
    "The file has changed, or the daemon has started.",
)
ADMINS_FAULT = Event(
    "admins-file-fault",
    "{path}, {fault} The other lines count.",
    "Who stands in that line cannot sign in. `callbridgectl admin passwd` writes it anew.",
)
ADMINS_UNREADABLE = Event(
    "admins-file-unreadable",
    "{path} cannot be read ({why}): nobody can sign in on the web page. Make it with "
    "`callbridgectl admin add NAME`, as root, and let the daemon's group read it",
    "It is looked at again every few seconds.",
)
ADMIN_HASH_WEAK = Event(
    "admin-hash-weak",
    "the password of {user} is kept by a hash with other parameters than today's. `callbridgectl "
    "admin passwd {user}` makes another one",
    "The password works as before.",
    limit=Limit(("user",)),
)
AUDIT_LOST = Event(
    "audit-lost",
    "{path} cannot be written: {why}. What administrators do is in this log only",
    "The audit log is in [callbridge] state_directory, which the daemon must be able to write to.",
    limit=Limit(()),
)
