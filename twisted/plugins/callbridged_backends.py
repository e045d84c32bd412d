from callbridged.backends.file import FileBackendFactory
from callbridged.backends.http.backend import HttpBackendFactory

file_backend = FileBackendFactory()
http_backend = HttpBackendFactory()
