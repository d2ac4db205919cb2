#!/usr/bin/python3
"""ping.py ENDPOINT DOMAIN SUBJECT [HINT]: an acknowledged ping, as docs/protocol.md describes it."""
import sys
import msgpack, zmq

endpoint, domain, subject, *hint = sys.argv[1:]               # ipc:///srv/shop/data/run/ping.sock orders order/17
socket = zmq.Context.instance().socket(zmq.DEALER)
socket.linger = 0
socket.connect(endpoint)
socket.send(msgpack.packb([1, 1, domain, subject, int(hint[0]) if hint else 0]))  # version, type, fields
if not socket.poll(10_000):                                   # milliseconds
    sys.exit("no broker answered")
version, kind, answer, reason = msgpack.unpackb(socket.recv())
print(["acknowledged", "busy", "refused"][answer], reason)
sys.exit(0 if answer == 0 else 1)
