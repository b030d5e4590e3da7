#!/usr/bin/env python3
"""server.py FOLDER COUNT AT_ONCE: a policy host for all names of FOLDER, over
TLS on loopback. It answers nobody before AT_ONCE have asked, again and again;
prints its port."""
import asyncio
import pathlib
import ssl
import sys

FOLDER, COUNT, AT_ONCE = (pathlib.Path(sys.argv[1]), int(sys.argv[2]),
                          int(sys.argv[3]))
POLICY = (b"version: STSv1\r\nmode: enforce\r\nmx: mx1.example.net\r\n"
          b"mx: *.mx.example.net\r\nmax_age: 604800\r\n")
ANSWER = (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close"
          b"\r\nContent-Length: %d\r\n\r\n" % len(POLICY) + POLICY)


def context(name):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(FOLDER / name, FOLDER / "key.pem")
    return made


async def main():
    contexts = {path.name[:-4]: context(path.name)
                for path in FOLDER.glob("mta-sts.*.pem")}
    first = context(next(iter(FOLDER.glob("mta-sts.*.pem"))).name)

    def choose(tls, name, _):
        tls.context = contexts[name]
    first.sni_callback = choose
    waiting = []

    async def serve(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            turn = asyncio.get_running_loop().create_future()
            waiting.append(turn)
            if len(waiting) == AT_ONCE:
                for one in waiting:
                    one.set_result(None)
                waiting.clear()
            await turn
            writer.write(ANSWER)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            pass

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=first,
                                        backlog=2048,
                                        ssl_handshake_timeout=120)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
