"""Many SMTP sessions at once, each message with an id of its own."""
import random
import socket
import threading

SESSIONS_MAY_BREAK = 50  # per session, before it gives up


def message(ident, sender, recipient):
    """A message as octets, the same for the same id: sizes from a few lines to
    a few hundred kilobytes, leading dots, octets above 127, full lines."""
    dice = random.Random(ident)
    lines = [f"From: <{sender}>", f"To: <{recipient}>",
             f"Subject: message {ident}", f"Message-ID: <{ident}@load.test>",
             "Date: Thu, 1 Jan 2026 00:00:00 +0000", f"X-Load-Id: {ident}",
             ""]
    kind = dice.random()
    count = 3000 if kind < 0.01 else dice.randrange(200 if kind < 0.1 else 20)
    for _ in range(count):
        lines.append(dice.choice((
            ".", "..", ". a dot first", "", "plain text of no importance",
            "From here on", "trailing blanks   ", "caf\u00e9 \u00fc",
            "x" * 996, "\u00e9" * 499, "%06x" % dice.getrandbits(24))))
    return ("\r\n".join(lines) + "\r\n").encode()


class Session(threading.Thread):
    """Sends its share in one session, and in new ones where that breaks."""

    def __init__(self, target, sender, recipient, idents):
        super().__init__(daemon=True)
        self.target, self.sender = target, sender
        self.recipient, self.idents = recipient, idents
        self.replies = {}  # id -> the last reply, or the reason for none
        self.connection = self.stream = None

    def run(self):
        breaks = 0
        for ident in self.idents:
            try:
                got = self.send(ident)
                if got.startswith("421"):
                    # Before the message: the server has enough of this session
                    # (of errors, say), not of the message.
                    self.close()
                    got = self.send(ident)
                self.replies[ident] = got
            except OSError as e:
                self.replies[ident] = f"--- {e}"
                self.close()
                breaks += 1
                if breaks > SESSIONS_MAY_BREAK:
                    return
        try:
            if self.stream:
                self.command("QUIT")
        except OSError:
            pass
        self.close()

    def close(self):
        if self.connection:
            self.stream.close()
            self.connection.close()
        self.connection = self.stream = None

    def reply(self):
        while True:
            line = self.stream.readline(2048)
            if not line.endswith(b"\n"):
                raise OSError("the connection was closed")
            if line[3:4] != b"-":
                return line.decode("ascii", "replace").strip()

    def command(self, text):
        self.connection.sendall(text.encode() + b"\r\n")
        return self.reply()

    def connect(self):
        self.connection = socket.create_connection(self.target, timeout=60)
        self.stream = self.connection.makefile("rb")
        got = self.reply()
        if got[0] == "2":
            got = self.command("EHLO load.test")
        if got[0] != "2":
            raise OSError(got)

    def send(self, ident):
        """The reply that decided over the message."""
        if not self.connection:
            self.connect()
        for text, good in ((f"MAIL FROM:<{self.sender}> BODY=8BITMIME", "2"),
                           (f"RCPT TO:<{self.recipient}>", "2"),
                           ("DATA", "3")):
            got = self.command(text)
            if got[0] != good:
                if not got.startswith("421"):
                    self.command("RSET")
                return got
        data = message(ident, self.sender, self.recipient)
        if data.startswith(b"."):
            data = b"." + data
        self.connection.sendall(data.replace(b"\r\n.", b"\r\n..") +
                                b".\r\n")
        got = self.reply()
        if got.startswith("421"):
            self.close()
            return "--- at the final dot: " + got
        return got


def send_all(target, sender, recipient, idents, sessions, seconds=240):
    """{id: reply} of all idents, over this many sessions at once."""
    threads = [Session(target, sender, recipient, idents[i::sessions])
               for i in range(sessions)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(seconds)
    replies = dict.fromkeys(idents, "--- not sent")
    for t in threads:
        replies.update(t.replies)
    return replies
