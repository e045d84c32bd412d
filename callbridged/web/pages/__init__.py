"""The web page for administrators: Status > General, Configuration > General, the audit log.

`callbridged.web.pages.root` has its tree of pages. What imports no Jinja2 is pure.
"""
