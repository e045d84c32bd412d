"""The Call Bridge: keeps links to the XMPP servers of a domain, and answers their logins."""
