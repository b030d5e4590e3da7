"""aiosmtpd as a server: SMTP, SMTP under TLS and LMTP, as the JSON argument
says. Keeps what it gets as files."""
import asyncio
import itertools
import json
import os
import signal
import ssl
import sys

import aiosmtpd
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult

ORDER = json.loads(sys.argv[1])
SERIAL = itertools.count(1)


class Keeper:
    async def handle_DATA(self, server, session, envelope):
        path = os.path.join(ORDER["folder"], str(next(SERIAL)))
        with open(path + ".json", "w") as f:
            json.dump({"mail": envelope.mail_options,
                       "rcpt": envelope.rcpt_options}, f)
        with open(path + ".part", "wb") as f:
            f.write(envelope.original_content)
        os.rename(path + ".part", path + ".eml")
        return "250 2.0.0 kept"


def login(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (ORDER["user"].encode(),
                                           ORDER["password"].encode())
    return AuthResult(success=good)


async def main():
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*ORDER["identity"])
    more = {"hostname": ORDER["name"], "enable_SMTPUTF8": True,
            "authenticator": login}
    for kind, port, tls, options in (
            (SMTP, ORDER["ports"][0], None, {"tls_context": context}),
            (SMTP, ORDER["ports"][1], context, {}),
            (LMTP, ORDER["ports"][2], None, {})):
        await loop.create_server(
            lambda kind=kind, options=options: kind(Keeper(), **more,
                                                    **options),
            "127.0.0.1", port, ssl=tls)
    with open(ORDER["folder"] + "/version", "w") as f:
        f.write(aiosmtpd.__version__)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()


asyncio.run(main())
