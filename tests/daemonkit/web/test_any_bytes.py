"""Properties of daemonkit.web.channel: any bytes, any cut."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tests.daemonkit.web.case import SiteCase

_DATE = re.compile(rb"Date: [^\r]*\r\n")
_LINES = st.sampled_from(
    [
        b"GET /echo HTTP/1.1\r\n",
        b"POST /echo HTTP/1.1\r\n",
        b"OPTIONS * HTTP/1.1\r\n",
        b"GET /echo HTTP/1.0\r\n",
    ]
)
_HEADERS = st.one_of(
    st.sampled_from(
        [
            b"Host: x\r\n",
            b"Connection: close\r\n",
            b"Content-Length: 3\r\n",
            b"Content-Length: 101\r\n",
            b"Content-Length: " + b"9" * 5000 + b"\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Content-Type: multipart/form-data; boundary=x\r\n",
            b"Cookie: a=\xff; b\r\n",
            b" folded\r\n",
        ]
    ),
    st.binary(max_size=20).map(lambda value: b"X: " + value + b"\r\n"),
    st.binary(max_size=20),
)
_REQUESTS = st.builds(
    lambda line, headers, rest: line + b"".join(headers) + b"\r\n" + rest,
    _LINES,
    st.lists(_HEADERS, max_size=4),
    st.sampled_from([b"", b"abc"]) | st.binary(max_size=5),
)


class AnyBytesTests(SiteCase):
    """Connections on which anything may come."""

    @given(st.lists(_REQUESTS, min_size=1, max_size=3).map(b"".join), st.data())
    def test_any(self, said: bytes, data: st.DataObject) -> None:
        """Whatever comes, and however it is cut, is answered alike, and never with a 500."""
        cuts = sorted(data.draw(st.sets(st.integers(0, len(said)), max_size=4)))
        whole, cut = self.client(), self.client()
        answer = whole.type(said)
        pieces = [cut.type(said[a:b]) for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]
        for client in (whole, cut):
            client.lose()
        self.assertNotIn(b"HTTP/1.1 500", answer)
        # Where requests follow each other in one piece, only the first is answered.
        first = answer.find(b"HTTP/1.1", 1)
        shown = _DATE.sub(b"", answer if first < 0 else answer[:first])
        self.assertTrue(_DATE.sub(b"", b"".join(pieces)).startswith(shown), (answer, pieces))
        self.assertEqual((self.flushLoggedErrors(), len(self.door.places)), ([], 0))
