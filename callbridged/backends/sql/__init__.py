"""The SQL backend: users in a database, SQLite or PostgreSQL.

`backend` answers logins, out of what `account` finds in the rows of the operator's query, with
`hashes` to check a password against. `questions` asks the database in threads, over connections
that `sqlite` and `postgresql` make. `settings` reads ``[sql NAME]``.
"""
