"""A mail server of others for the tests: aiosmtpd with STARTTLS and a login, both required.

smtpd.py PORT CERTIFICATE KEY prints `ready`, and each mail that it accepted as one line of JSON.
A mail to `later@…` is put off twice with 451, one to `nobody@…` is refused with 550.
"""

import json
import ssl
import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

put_off = {}


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        if address.startswith("later@") and put_off.setdefault(address, 0) < 2:
            put_off[address] += 1
            return "451 4.7.1 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "mail": envelope.content.decode(),
        }
        print(json.dumps(mail), flush=True)
        return "250 2.0.0 queued"


def authenticate(server, session, envelope, mechanism, login):
    is_right = (login.login, login.password) == (b"agent", b"mail-s3cr3t")
    return AuthResult(success=is_right, handled=False)


port, certificate, key = sys.argv[1:4]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
Controller(
    Handler(),
    hostname="127.0.0.1",
    port=int(port),
    tls_context=context,
    require_starttls=True,
    authenticator=authenticate,
    auth_required=True,
).start()
print("ready", flush=True)
while True:
    time.sleep(60)
