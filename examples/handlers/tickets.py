#!/usr/bin/env python3
"""tickets.py SOCKET DESK: a handler behind a socket (doc/handlers.md). Each
message gets a number and goes to DESK; its sender is told the number, if that
may be. Events come while others are worked on: each has a thread."""
import json
import os
import socket
import struct
import sys
import threading

numbers = iter(range(1, sys.maxsize))


def read(stream, length):
    data = stream.read(length)
    if len(data) != length:
        raise EOFError
    return data


def decide(event, message):
    """message: the octets. What is to be done with it."""
    number = next(numbers)
    return [
        {"action": "forward", "to": sys.argv[2],
         "fields": {"X-Ticket": str(number)}},
        {"action": "reply", "optional": True, "message": {
            "from": event["to"], "subject": f"Your ticket {number}",
            "text": f"We have your {len(message)} octets.\n"}},
    ]


def answer(connection, lock, header, message):
    try:
        result = {"actions": decide(header["event"], message)}
    except Exception as e:  # the sender is to come again
        result = {"error": repr(e)}
    text = json.dumps({"id": header["id"], **result}).encode()
    with lock:
        connection.sendall(struct.pack("!I", len(text)) + text)


def serve(connection):
    stream, lock = connection.makefile("rb"), threading.Lock()
    try:
        while True:
            (length,) = struct.unpack("!I", read(stream, 4))
            header = json.loads(read(stream, length))
            message = read(stream, header["size"])
            threading.Thread(target=answer, daemon=True, args=[
                connection, lock, header, message]).start()
    except (EOFError, OSError):
        connection.close()


def main():
    if os.path.exists(sys.argv[1]):
        os.unlink(sys.argv[1])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, daemon=True,
                             args=[connection]).start()


main()
