"""The user backend ``ldap:``: users in an LDAP directory, such as OpenLDAP or Active Directory.

From the outside in: `factory` opens what `settings` say. `backend` answers logins, by what
`bindings`, `account_state` and `users` make of what `directory` was told. That has its connections
from `pool`, and `dialer` makes them. A `connection` is Twisted's; libldap only makes and reads its
messages, in `codec`.
"""
