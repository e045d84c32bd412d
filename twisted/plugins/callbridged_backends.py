from callbridged.backends.file import FileBackendFactory
from callbridged.backends.http.factory import HttpBackendFactory
from callbridged.backends.ldap.factory import LdapBackendFactory
from callbridged.backends.sql.backend import SqlBackendFactory

file_backend = FileBackendFactory()
http_backend = HttpBackendFactory()
ldap_backend = LdapBackendFactory()
sql_backend = SqlBackendFactory()
