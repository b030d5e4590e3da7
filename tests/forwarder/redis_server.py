"""A Redis for tests, one that is none, and what is said to forwarders."""
import shutil
import socket
import subprocess
import sys
import threading

from forwarder import MESSAGE, free_port, until

# The package redis-server would start one for the whole machine; the same
# program is in redis-tools, and goes by its name.
REDIS = shutil.which("redis-check-rdb")


def need_redis():
    if REDIS is None:
        print("skipped: no redis-tools")
        sys.exit(77)


class Redis:
    def __init__(self, folder):
        self.folder = folder
        self.port = free_port("127.0.0.1")
        self.url = f"redis://127.0.0.1:{self.port}/1"
        self.process = None
        self.start()

    def start(self):
        """With what it had when it was killed."""
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
             "--appendonly", "yes", "--appendfsync", "always", "--dir",
             str(self.folder)],
            executable=REDIS, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL)
        assert until(self.answers), "no Redis"

    def say(self, words):
        """One command, in a line; what comes back at once."""
        with socket.create_connection(("127.0.0.1", self.port), 1) as s:
            s.sendall(words.encode() + b"\r\n")
            return s.recv(65536)

    def answers(self):
        try:
            return self.say("PING").startswith(b"+PONG")
        except OSError:
            return False

    def forget(self):
        """As one whose disk was lost."""
        assert self.say("FLUSHALL").startswith(b"+OK")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stall(self):
        self.process.send_signal(19)

    def go_on(self):
        self.process.send_signal(18)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Stub:
    """Says the same to whoever comes, and hangs up after three seconds."""

    def __init__(self, port, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
                s.sendall(self.answer)
                threading.Timer(3, s.close).start()
            except OSError:
                return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def send(f, to="one@zone.example", number=1, **how):
    with f.client() as c:
        return c.send(to=to, message=MESSAGE.replace(b"<1@",
                                                     b"<%d@" % number), **how)


def comes_to(what, begin, seconds=15):
    """Does it answer so within that time?"""
    return until(lambda: what().startswith(begin), seconds)


def knows_of_redis(f, what):
    return until(lambda: any(what in e["detail"] for e in f.events("store")))
