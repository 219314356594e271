"""What the measuring scripts share: a Bot API stand-in, simulated PDUs whose power is steered, and /proc."""
import asyncio
import bisect
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import time

TOKEN = "1:bench"
# A busy machine is no news while something else is measured.
QUIET_HOST = "[monitor.thresholds]\n" + "".join(
    f'{key} = "off"\n' for key in ["cpu", "memory", "disk", "inodes", "cpu_temperature", "gpu_temperature", "disk_temperature"]
)


def watching(folder, http_port, addresses, limit="16 kW"):
    """A configuration that watches the PDUs p00000, p00001, … at these addresses every 2 s."""
    tables = "".join(f'[[pdu]]\nname = "p{i:05}"\naddress = "{address}"\n' for i, address in enumerate(addresses))
    return f"""state_dir = "{folder}/state"
[http]
listen = "127.0.0.1:{http_port}"
[power]
interval = "2s"
limit = "{limit}"
{tables}"""


def require_namespace():
    """Refuses to measure where something else could be reached."""
    names = [name for name in os.listdir("/sys/class/net") if name != "lo"] if os.path.isdir("/sys/class/net") else []
    routes = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout.splitlines()
    if len(routes) != 1:
        sys.exit(f"run it in a namespace of its own: benches/in_ns {sys.argv[0]} …  (interfaces here: {', '.join(names)})")


# --- Bot API stand-in -------------------------------------------------------------------------------------------------


class BotApi:
    """Answers a bot: long polls that end when there is an update, and messages that are noted with their arrival."""

    def __init__(self):
        self.sent = []
        self.on_message = None
        self.polls = 0
        self.connections = set()

    async def start(self, port, tls=None):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", port, ssl=tls)

    async def stop(self):
        """From now on connections are refused; those that stand are cut."""
        self.server.close()
        self.cut()

    def cut(self):
        for writer in self.connections:
            writer.transport.abort()

    async def serve(self, reader, writer):
        self.connections.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
                length = re.search(r"content-length: *(\d+)", head, re.I)
                body = await reader.readexactly(int(length[1])) if length else b""
                arrived = time.monotonic()
                method = head.split(" ", 2)[1].split("?")[0].rsplit("/", 1)[-1]
                refusal = self.refusal(method, arrived)
                answer = refusal or {"ok": True, "result": await self.answer(method, body, arrived)}
                answer = json.dumps(answer).encode()
                status = refusal["error_code"] if refusal else 200
                head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
                writer.write(head.encode())
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError, ssl.SSLError):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()

    def refusal(self, method, arrived):
        """The answer to a call that is refused, None for one that is taken."""
        return None

    async def answer(self, method, body, arrived):
        if method == "getMe":
            return {"id": 1, "is_bot": True, "first_name": "bench", "username": "bench_bot"}
        if method == "getUpdates":
            self.polls += 1
            await asyncio.sleep(json.loads(body or b"{}").get("timeout", 0))
            return []
        if method in ("sendMessage", "editMessageText"):
            message = json.loads(body)
            self.sent.append((arrived, message))
            if self.on_message:
                self.on_message(arrived, message)
            chat = {"id": int(message["chat_id"]), "type": "private"}
            return {"message_id": len(self.sent), "date": int(time.time()), "chat": chat, "text": message.get("text", "")}
        return True


def self_signed(folder):
    """A certificate for 127.0.0.1: (server context, path of the certificate)."""
    key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-days", "2", "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


# --- PDUs -------------------------------------------------------------------------------------------------------------

UPTIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)
RPDU2 = (1, 3, 6, 1, 4, 1, 318, 1, 1, 26)
POWER = RPDU2 + (4, 3, 1, 5, 1)


def ber(tag, content):
    length = len(content)
    head = bytes([length]) if length < 128 else b"\x82" + struct.pack(">H", length)
    return bytes([tag]) + head + content


def ber_integer(value, tag=2):
    return ber(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def ber_oid(oid):
    content = bytearray([oid[0] * 40 + oid[1]])
    for part in oid[2:]:
        septets = [part & 127]
        while part := part >> 7:
            septets.append(part & 127 | 128)
        content += bytes(reversed(septets))
    return ber(6, bytes(content))


def unpack(data, at=0):
    """(tag, content, next) of the element at an offset."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length >= 128:
        count = length & 127
        length, at = int.from_bytes(data[at:at + count], "big"), at + count
    return tag, data[at:at + length], at + length


def elements(data):
    at = 0
    while at < len(data):
        tag, content, at = unpack(data, at)
        yield tag, content


def read_oid(content):
    oid, value = [content[0] // 40, content[0] % 40], 0
    for byte in content[1:]:
        value = value << 7 | byte & 127
        if byte < 128:
            oid.append(value)
            value = 0
    return tuple(oid)


class Pdu:
    """An rPDU2 with one phase. `delay` None: it never answers."""

    def __init__(self, delay=0.0):
        self.delay = delay
        self.watts = 1000

    def objects(self):
        power = self.watts // 10
        return {
            (1, 3, 6, 1, 2, 1, 1, 1, 0): ber(4, b"APC Web/SNMP Management Card (MN:AP8959EU3 HR:02)"),
            (1, 3, 6, 1, 2, 1, 1, 2, 0): ber_oid((1, 3, 6, 1, 4, 1, 318, 1, 3, 4, 6)),
            UPTIME: ber_integer(int(time.monotonic() * 100) & 0x7FFFFFFF, 0x43),
            RPDU2 + (2, 1, 3, 1): ber(4, b"bench"),
            POWER: ber_integer(power),
            RPDU2 + (4, 3, 1, 9, 1): ber_integer(19677),
            RPDU2 + (4, 3, 1, 16, 1): ber_integer(power),
            RPDU2 + (6, 3, 1, 3, 1): ber_integer(1),
            RPDU2 + (6, 3, 1, 5, 1): ber_integer(self.watts * 10 // 230),
            RPDU2 + (6, 3, 1, 6, 1): ber_integer(230),
            RPDU2 + (6, 3, 1, 7, 1): ber_integer(power),
        }

    def answer(self, request):
        (_, version), (_, community), (kind, pdu) = elements(unpack(request)[1])
        (_, request_id), (_, second), (_, third), (_, binds) = elements(pdu)
        asked = [read_oid(next(elements(bind))[1]) for _, bind in elements(binds)]
        objects = self.objects()
        order = sorted(objects)
        if kind == 0xA0:
            found = [(oid, objects.get(oid, b"\x80\x00")) for oid in asked]
        else:
            repeats = int.from_bytes(third, "big") if kind == 0xA5 else 1
            start = [bisect.bisect_right(order, oid) for oid in asked]
            found = []
            for step in range(repeats):
                for oid, first in zip(asked, start):
                    at = first + step
                    # Behind the last object: its name once more, or the one that was asked for (RFC 3416, 4.2.3).
                    end = (order[-1] if first < len(order) else oid, b"\x82\x00")
                    found.append((order[at], objects[order[at]]) if at < len(order) else end)
        content = b"".join(ber(0x30, ber_oid(oid) + value) for oid, value in found)
        answer = ber(2, request_id) + ber_integer(0) + ber_integer(0) + ber(0x30, content)
        return ber(0x30, ber(2, version) + ber(4, community) + ber(0xA2, answer))


class Serving(asyncio.DatagramProtocol):
    def __init__(self, pdu):
        self.pdu = pdu

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        if self.pdu.delay is None:
            return
        send = lambda: self.transport.sendto(self.pdu.answer(data), peer)
        if self.pdu.delay:
            asyncio.get_running_loop().call_later(self.pdu.delay, send)
        else:
            send()


async def serve_pdu(pdu, port):
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: Serving(pdu), local_addr=("127.0.0.1", port))


# --- processes --------------------------------------------------------------------------------------------------------


def tasks(pid):
    return [f"/proc/{pid}/task/{task}" for task in os.listdir(f"/proc/{pid}/task")]


def cpu_seconds(pid):
    """User and system time of all threads, exact to the nanosecond."""
    return sum(int(open(f"{task}/schedstat").read().split()[0]) for task in tasks(pid)) / 1e9


def wake_ups(pid):
    """Voluntary context switches of all threads."""
    pattern = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)", re.M)
    return sum(int(pattern.search(open(f"{task}/status").read())[1]) for task in tasks(pid))


def wake_ups_by_thread(pid):
    pattern = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)", re.M)
    found = {}
    for task in tasks(pid):
        name = open(f"{task}/comm").read().strip()
        found[name] = found.get(name, 0) + int(pattern.search(open(f"{task}/status").read())[1])
    return found


def memory_kib(pid):
    found = {}
    for line in open(f"/proc/{pid}/smaps_rollup"):
        name, _, rest = line.partition(":")
        if rest.strip().endswith("kB"):
            found[name] = int(rest.split()[0])
    return {"rss": found["Rss"], "anonymous": found["Anonymous"], "private": found["Private_Clean"] + found["Private_Dirty"], "threads": len(tasks(pid))}


def http_get(port, path, timeout=5):
    with socket.create_connection(("127.0.0.1", port), timeout) as stream:
        stream.settimeout(timeout)
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := stream.recv(1 << 16):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body.decode()


def first_answer(start, port, path, limit=30):
    """Starts a process and returns it with the seconds until its first complete HTTP answer."""
    began = time.monotonic()
    process = start()
    while time.monotonic() - began < limit:
        try:
            if http_get(port, path)[0] == 200:
                return process, time.monotonic() - began
        except OSError:
            pass
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended with {process.returncode}")
        time.sleep(0.001)
    process.kill()
    sys.exit(f"{process.args[0]} did not answer within {limit} s")


def metrics(port):
    """Every sample of /metrics without labels, summed over labels otherwise."""
    found = {}
    for line in http_get(port, "/metrics")[1].splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            name = name.split("{")[0]
            found[name] = found.get(name, 0.0) + float(value)
    return found


def machine():
    model = re.search(r"model name\s*:\s*(.*)", open("/proc/cpuinfo").read())
    return f"{os.cpu_count()} cores, {model[1] if model else 'unknown CPU'}, Linux {os.uname().release}, {time.strftime('%Y-%m-%d')}"
