"""``python3 extauth.py MILLISECONDS``: what ejabberd asks with ``auth_method: external``.

Knows every user, with the password ``wonderland``, after so many milliseconds. One question at a
time, as the protocol has it: two octets of length, then ``auth:USER:DOMAIN:PASSWORD``.
"""

import struct
import sys
import time

late = int(sys.argv[1]) / 1000
while size := sys.stdin.buffer.read(2):
    question = sys.stdin.buffer.read(struct.unpack(">H", size)[0]).split(b":", 3)
    time.sleep(late)
    known = question[0] == b"isuser" or (question[0] == b"auth" and question[3] == b"wonderland")
    sys.stdout.buffer.write(struct.pack(">HH", 2, known))
    sys.stdout.buffer.flush()
