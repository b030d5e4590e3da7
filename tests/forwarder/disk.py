#!/usr/bin/env python3
"""disk.py PROGRAM ONWARD FAULT: what the spool does when its disk is full or
broken: 451, nothing half, and all goes on when that ends."""
import errno
import os
import re
import resource
import subprocess
import sys
import time

from forwarder import Cases, Hop, MESSAGE, begins, equal, until

FAULT = os.path.abspath(sys.argv.pop(3))
from spool import Spooling, send  # noqa: E402 (takes ONWARD from argv)

case = Cases()


class Faulty(Spooling):
    def start(self, **changes):
        env = {"LD_PRELOAD": FAULT, "FAULT_FILE": str(self.path / "fault"),
               "FAULT_TRACE": str(self.path / "trace")}
        return super().start(env=env, **changes)

    def fail(self, call, number, times=1000):
        self.write("fault", f"{call} {number} {times}\n")

    def heal(self):
        (self.path / "fault").unlink()

    def trace(self):
        return (self.path / "trace").read_text().splitlines()

    def nothing_left(self):
        equal([self.files(x) for x in ("messages", "new", "damaged")],
              [[], [], []])


@case
def data_then_folder_are_synced_before_the_answer(program):
    """A117, step by step."""
    with Faulty(program) as f:
        f.start()
        begins(send(f), "250")
        steps = [re.sub(r"[0-9a-f]{14}-[0-9a-f]{8}", "ID", line).rstrip()
                 for line in f.trace()]
        at = steps.index("openat spool/new ID")
        equal(steps[at:at + 8],
              ["openat spool/new ID", "pwrite spool/new/ID",
               "pwrite spool/new/ID", "pwrite spool/new/ID",
               "fsync spool/new/ID", "linkat spool/messages ID",
               "fsync spool/messages", "unlinkat spool/new ID"])


@case
def each_call_that_fails_is_a_451_and_no_more(program):
    """A117, A118: full, broken, no descriptors; nothing of it is tried again
    into success, and when it ends mail is taken as before."""
    for call, number in (("openat", errno.EMFILE), ("openat", errno.EROFS),
                         ("pwrite", errno.ENOSPC), ("pwrite", errno.EIO),
                         ("fsync@new", errno.EIO), ("fsync@messages", errno.ENOSPC),
                         ("linkat", errno.ENOSPC)):
        with Faulty(program) as f:
            f.start()
            f.fail(call, number)
            for _ in range(3):
                begins(send(f), "451 4.3.")
            f.nothing_left()
            faults = f.events("queue-fault")
            equal(len(faults), 3)
            assert os.strerror(number) in faults[0]["detail"], faults
            f.heal()
            with Hop(f) as hop:
                begins(send(f), "250")
                assert until(lambda: len(hop.messages) == 1)
                assert f.quiet()


@case
def a_sync_that_failed_once_is_not_tried_again(program):
    """A117: the kernel says once that octets are lost, then all is well."""
    for call in ("fsync@new", "fsync@messages"):
        with Faulty(program) as f:
            f.start()
            f.fail(call, errno.EIO, times=1)
            begins(send(f), "451 4.3.")
            f.nothing_left()
            with Hop(f) as hop:
                begins(send(f), "250")
                assert until(lambda: hop.messages)
                assert f.quiet()


@case
def what_is_not_written_down_is_remembered(program):
    """Two recipients in a file, and no room for what became of the first: it
    is not sent again while the process lives."""
    import spoolfile
    now = int(time.time())
    envelope = spoolfile.relayed(arrival=now) + [
        (spoolfile.RCPT, "box@two.example"),
        (spoolfile.RCPT_DOMAIN, "two.example")]
    with Faulty(program) as f, Hop(f) as one:
        folder = f.path / "state/spool/messages"
        folder.mkdir(parents=True)
        (f.path / "state").chmod(0o700)
        (folder / "0a-1").write_bytes(spoolfile.message(envelope, MESSAGE))
        f.fail("pwrite", errno.ENOSPC)
        f.start()
        assert until(lambda: f.events("queue-deferred"))
        equal(len(one.messages), 1)
        with Hop(f, 2) as two:
            f.heal()
            f.queue("retry", "0a-1")
            assert until(lambda: two.messages), f.log()
            assert f.quiet()
        equal(len(one.messages), 1)


@case
def a_failure_waits_until_its_notice_can_be_kept(program):
    with Faulty(program) as f, Hop(f, rcpt="550 5.1.1 no such user") as hop, \
            Hop(f, 3) as home:
        f.start()
        f.fail("linkat", errno.ENOSPC)
        import spoolfile
        (f.path / "state/spool/messages/0a-1").write_bytes(
            spoolfile.message(spoolfile.relayed(arrival=int(time.time())),
                              MESSAGE))
        equal(f.stop(), 0)
        f.start()
        assert until(lambda: f.events("queue-deferred"))
        equal(f.files(), ["0a-1"])
        f.heal()
        f.queue("retry", "0a-1")
        assert until(lambda: home.messages), f.log()
        assert f.quiet()
        equal(len(hop.heard("RCPT")), 2)


@case
def what_cannot_be_removed_is_not_sent_again(program):
    with Faulty(program) as f, Hop(f) as hop:
        f.start()
        f.fail("unlinkat", errno.EIO)
        begins(send(f), "250")
        assert until(lambda: f.events("queue-delivered"))
        for _ in range(2):
            f.kill()
            f.start()
            time.sleep(0.3)
        equal(len(hop.messages), 1)
        f.heal()
        f.kill()
        f.start()
        assert f.quiet()
        equal(len(hop.messages), 1)


@case
def a_real_disk_that_is_full(program):
    """A small tmpfs; skipped where it cannot be mounted."""
    with Spooling(program) as f, Hop(f) as hop:
        small = f.path / "small"
        small.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k",
                               "tmpfs", small], capture_output=True)
        if done.returncode != 0:
            print("a_real_disk_that_is_full: skipped, cannot mount: "
                  + done.stderr.decode().strip())
            return
        try:
            hop.says["MAIL"] = "451 4.3.0 later"
            f.start(spool="small/spool")
            big = MESSAGE + b"x" * 70 + b"\r\n"
            big += (b"y" * 70 + b"\r\n") * 600
            replies = [send(f, message=b"X-N: %d\r\n" % i + big.replace(
                b"<1@", b"<%d@" % i))[:3] for i in range(12)]
            equal(sorted(set(replies)), ["250", "451"])
            kept = sorted(p.name for p in (small / "spool/messages").iterdir())
            equal(len(kept), replies.count("250"))
            equal(list((small / "spool/new").iterdir()), [])
            hop.says["MAIL"] = "250 2.1.0 ok"
            subprocess.run(["mount", "-o", "remount,size=8m", small],
                           check=True)
            begins(send(f, message=big), "250")
            for name in kept:
                subprocess.run([sys.argv[1].replace("forwarder/onward-forward"
                                                    "er", "cli/onward"),
                                "queue", "retry", "--spool", small / "spool",
                                name], capture_output=True)  # or it is gone
            assert until(lambda: len(hop.messages) == len(kept) + 1)
            assert all(octets.endswith(big[-43000:]) for _, _, octets in hop.messages)
        finally:
            f.stop()
            subprocess.run(["umount", small], check=True)


@case
def what_may_be_forgotten_holds_no_descriptor(program):
    """That a message was tried is no reason to keep its file open: a disk that
    is full would use up what deliveries need."""
    import spoolfile
    with Faulty(program) as f:
        folder = f.path / "state/spool/messages"
        folder.mkdir(parents=True)
        (f.path / "state").chmod(0o700)
        for i in range(20):
            (folder / f"0a-{i}").write_bytes(spoolfile.message(
                spoolfile.relayed(arrival=int(time.time())), MESSAGE))
        f.fail("pwrite", errno.ENOSPC)
        f.start()
        assert until(lambda: len(f.events("queue-deferred")) == 20)
        fds = f"/proc/{f.process.pid}/fd"
        equal([x for x in os.listdir(fds)
               if "spool/messages/" in os.readlink(f"{fds}/{x}")], [])


@case
def no_descriptors_are_left(program):
    """A limit of the process, while its sessions hold them."""
    with Spooling(program) as f, Hop(f) as hop:
        f.start()
        pid = f.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        with f.client() as c:
            # Descriptors in use, and no more.
            used = len(os.listdir(f"/proc/{pid}/fd"))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, hard))
            begins(c.send(), "451")
            equal(f.files("messages") + f.files("new"), [])
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
            begins(c.send(), "250")
        assert until(lambda: hop.messages)


case.main()
