"""The `http:` user backend: asks a web hook who may log in. docs/web-hook.md is its protocol.

`settings` has the section of callbridged.ini, `messages` the JSON, `client` the HTTP requests,
`connection` what they go over, `failures` the words for what goes wrong; `backend` joins them, and
`factory` is what Twisted finds.
"""
