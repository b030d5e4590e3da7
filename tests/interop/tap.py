"""A relay on loopback that remembers what passed, in order: the evidence of
which commands were used, and whether they waited for replies."""
import re
import socket
import threading
import time


class Tap:
    """Connections to its port go on to another one."""

    def __init__(self, target):
        self.target = target
        # Seconds that a reply takes: with some, whoever does not wait for it
        # is seen not to.
        self.delay = 0
        self.talks = []  # one a connection: [("C" or "S", octets), ...]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            talk = []
            self.talks.append(talk)
            for args in (("C", client, server), ("S", server, client)):
                threading.Thread(target=self._copy, args=(talk, *args),
                                 daemon=True).start()

    def _copy(self, talk, who, source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if who == "S":
                    time.sleep(self.delay)
                talk.append((who, data))
                sink.sendall(data)
        except OSError:
            pass
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def said(self, since=0):
        """All that clients said in the talks from that one on."""
        return b"".join(data for talk in self.talks[since:]
                        for who, data in talk if who == "C")

    def used_bdat(self, since=0):
        return re.search(rb"^BDAT \d+", self.said(since), re.M | re.I) is not None

    def was_pipelined(self, since=0):
        """Whether a RCPT left before MAIL was answered."""
        for talk in self.talks[since:]:
            waits = False
            for who, data in talk:
                if who == "S":
                    waits = False
                    continue
                mail = re.search(rb"^MAIL FROM:.*\r\n", data, re.M | re.I)
                if mail and re.search(rb"^RCPT TO:", data[mail.end():],
                                      re.M | re.I):
                    return True
                if waits and re.match(rb"RCPT TO:", data, re.I):
                    return True
                waits = mail is not None
        return False
