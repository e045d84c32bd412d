from callbridged.backends.file import FileBackendFactory

file_backend = FileBackendFactory()
