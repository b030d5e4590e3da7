#!/usr/bin/env python3
"""state.py PROGRAM [CASE...]: what outlasts the forwarder, and where it is."""
import os
import shutil
import stat

from forwarder import Cases, Forwarder, Hop, begins, equal, holds

case = Cases()


def half_done(f, hop_says):
    """A message to two, of which one took it."""
    with Hop(f, 1) as one, Hop(f, 2, **hop_says) as two:
        with f.client() as c:
            reply = c.send(to="two@zone.example")
        return reply, len(one.messages), len(two.messages)


@case
def knows_after_sigkill_what_was_delivered(program):
    with Forwarder(program) as f:
        f.start()
        reply, one, two = half_done(f, {"end": "450 4.2.0 not now"})
        begins(reply, "450")
        equal((one, two), (1, 0))
        f.kill()
        f.start()
        reply, one, two = half_done(f, {})
        begins(reply, "250")
        equal((one, two), (0, 1))


@case
def forgets_with_a_store_in_memory(program):
    with Forwarder(program) as f:
        f.start(store="memory", state=None)
        half_done(f, {"end": "450 4.2.0 not now"})
        equal(f.stop(), 0)
        f.start()
        reply, one, two = half_done(f, {})
        begins(reply, "250")
        equal((one, two), (1, 1))


@case
def two_share_a_folder(program):
    with Forwarder(program) as f, Forwarder(program) as g:
        f.start()
        g.out_port = f.out_port
        # The store is for all; a spool belongs to one.
        g.start(state=str(f.path / "state"), out_port=f.out_port,
                spool="spool")
        reply, one, two = half_done(f, {"end": "450 4.2.0 not now"})
        equal((one, two), (1, 0))
        reply, one, two = half_done(g, {})
        begins(reply, "250")
        equal((one, two), (0, 1))


@case
def makes_its_folder_for_itself_alone(program):
    with Forwarder(program) as f:
        f.start(state="lasting")
        for name in ("lasting", "lasting/store"):
            mode = (f.path / name).stat().st_mode
            equal(stat.S_IMODE(mode), 0o700)
        mode = (f.path / "lasting/store/data.mdb").stat().st_mode
        equal(stat.S_IMODE(mode), 0o600)


@case
def takes_the_folder_of_systemd(program):
    with Forwarder(program) as f:
        (f.path / "given").mkdir()
        f.start(state=None,
                env={"STATE_DIRECTORY": f"{f.path}/given:{f.path}/other"})
        assert (f.path / "given/store/data.mdb").exists()
        assert not (f.path / "other").exists()


def refused(program, state, why, more=""):
    """Exit status 3, and what to set; with --check too, which makes nothing."""
    with Forwarder(program) as f:
        f.write("file", "")
        f.configure(state=state)
        for args in (["--check"], []):
            done = f.run("--config", "forwarder.conf", *args)
            equal((done.returncode, done.stdout), (3, b""))
            equal(done.stderr.decode(),
                  f"onward-forwarder: {state}: {why}, expected a folder that "
                  'we can write to; set "state = FOLDER"\n')


@case
def ends_with_3_without_its_folder(program):
    refused(program, "nowhere/state", "No such file or directory")
    refused(program, "file", "Not a directory")
    refused(program, "file/state", "Not a directory")
    if os.geteuid() != 0:
        with Forwarder(program) as f:
            (f.path / "locked").mkdir(0o500)
            f.configure(state="locked")
            done = f.run("--config", "forwarder.conf")
            equal(done.returncode, 3)
            holds(done.stderr, b"locked: Permission denied")


@case
def checks_and_makes_nothing(program):
    with Forwarder(program) as f:
        f.configure()
        equal(f.run("--config", "forwarder.conf", "--check").returncode, 0)
        assert not (f.path / "state").exists()


@case
def ends_with_3_when_the_store_is_no_store(program):
    with Forwarder(program) as f:
        (f.path / "state" / "store").mkdir(parents=True)
        (f.path / "state" / "store" / "data.mdb").write_bytes(b"x" * 8192)
        f.configure()
        done = f.run("--config", "forwarder.conf")
        equal(done.returncode, 3)
        begins(done.stderr.decode(), "onward-forwarder: state/store: MDB_INVALID")


@case
def starts_anew_without_its_files(program):
    with Forwarder(program) as f:
        f.start()
        equal(f.stop(), 0)
        shutil.rmtree(f.path / "state")
        f.start()


case.main()
