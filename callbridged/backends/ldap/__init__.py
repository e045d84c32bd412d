"""The user backend ``ldap:``: users in an LDAP directory, such as OpenLDAP or Active Directory.

From the outside in: `factory` opens what `settings` say, `backend` answers logins, by `bindings` and
`users`, what `pool` lets it ask over connections that `dialer` makes. A `connection` is Twisted's;
libldap only makes and reads its messages, in `codec`.
"""
