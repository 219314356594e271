#!/usr/bin/env python3
"""What Alertmanager, monit and rackwarden make of the same faults, side by side. Takes three minutes.

usage: tests/peers/get side-by-side
       benches/in_ns benches/reliability.py [--binary target/release/rackwarden] [--details]

Every program runs once for each fault, all of them at the same time, each against a service of its own on loopback:
Alertmanager and rackwarden against a stand-in for Telegram's Bot API, monit against a mail server. The same PDUs cross
their limits at the same moments for all; docs/reliability.md describes the faults and prints the table.
"""
import argparse
import asyncio
import base64
import datetime
import http.client
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import lab

NAMES = ("alpha", "bravo", "charlie", "dora")
SECRET = "424242:AAbenchBenchBenchBenchBenchBenchBench"
CALM_W, EXCESS_W = 1000, 3500
COUNTS = "changes / told / with their own time / messages"
OUTAGE, RETRY_AFTER, DENIED, PATIENCE = 45, 30, 20, 100


# --- services that can be away, busy, or deny --------------------------------------------------------------------------


class Faults:
    """What a service does at the moment, the calls it had meanwhile, and the messages that it took."""

    def __init__(self):
        self.fault, self.since, self.calls, self.told = None, None, [], []

    def refuses(self, arrived):
        if self.fault:
            self.since = self.since or arrived
            self.calls.append(arrived)
        if self.fault == "busy" and arrived >= self.since + RETRY_AFTER:
            self.fault = None
        return self.fault

    def take(self, text):
        self.told.append((time.monotonic(), text))

    def calls_within(self, seconds):
        return sum(arrived < self.since + seconds for arrived in self.calls) if self.since else 0


class Chat(lab.BotApi):
    """Telegram's Bot API. `busy` refuses messages only, `denied` every call."""

    def __init__(self, faults, port):
        super().__init__()
        self.faults, self.port = faults, port

    def refusal(self, method, arrived):
        sends = method in ("sendMessage", "editMessageText")
        if self.faults.fault == "busy" and not sends:
            return None
        match self.faults.refuses(arrived):
            case "busy":
                left = math.ceil(self.faults.since + RETRY_AFTER - arrived)
                return {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {left}", "parameters": {"retry_after": left}}
            case "denied":
                return {"ok": False, "error_code": 401, "description": "Unauthorized"}
        return None

    async def answer(self, method, body, arrived):
        if method in ("sendMessage", "editMessageText"):
            self.faults.take(json.loads(body)["text"])
        return await super().answer(method, body, arrived)


class Mail(Chat):
    """A mail server that wants a password. `busy` is its 450, `denied` its 535."""

    async def serve(self, reader, writer):
        self.connections.add(writer)
        say = lambda line: writer.write(line.encode() + b"\r\n")
        say("220 mail.test")
        try:
            while line := (await reader.readline()).decode("latin1").strip():
                verb, now = line.split(" ")[0].upper(), time.monotonic()
                if verb == "EHLO":
                    say("250-mail.test\r\n250 AUTH PLAIN")
                elif verb == "AUTH":
                    right = SECRET.encode() in base64.b64decode(line.split(" ")[-1])
                    denied = self.faults.fault == "denied" and self.faults.refuses(now)
                    say("235 in" if right and not denied else "535 5.7.8 Authentication credentials invalid")
                elif verb == "MAIL":
                    busy = self.faults.fault == "busy" and self.faults.refuses(now)
                    say(f"450 4.7.1 Too many messages, try again in {RETRY_AFTER} s" if busy else "250 ok")
                elif verb == "DATA":
                    say("354 go on")
                    text = (await reader.readuntil(b"\r\n.\r\n")).decode()
                    subject = re.search(r"^Subject: (.*)", text, re.M)[1]
                    # The time in the head is the sending time; the event's own stands in the body.
                    self.faults.take(subject + " " + text.partition("\r\n\r\n")[2].replace("\r\n", " "))
                    say("250 taken")
                elif verb == "QUIT":
                    say("221 bye")
                    return
                else:
                    say("250 ok")
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()


# --- the programs ------------------------------------------------------------------------------------------------------


class Program:
    """One program with a folder, a service and PDUs of its own. What happened to the PDUs stands in `events`."""

    service_class = Chat
    fired, ended = "", ""

    def __init__(self, folder, port, options):
        self.folder, self.port, self.options = folder, port, options
        os.makedirs(folder)
        self.faults = Faults()
        self.service = self.service_class(self.faults, port)
        self.events = []

    async def start(self):
        await self.service.start(self.port)
        await self.prepare()
        self.launch()

    def launch(self):
        with open(f"{self.folder}/output", "ab") as output:
            self.process = subprocess.Popen(self.command(), stdout=output, stderr=output, env={**os.environ, "TZ": "UTC", "RUST_LOG": "trace"})

    async def prepare(self):
        pass

    def switch(self, name, above):
        """A PDU rises above its limit, or falls below it."""
        self.events.append((name, above, time.time()))

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(text)
        return f"{self.folder}/{name}"

    async def restart(self, how):
        self.process.send_signal(how)
        await asyncio.to_thread(self.process.wait)
        await asyncio.sleep(2)
        self.launch()

    def tells(self, event, text):
        """Whether a message tells an event, and with its own time."""
        name, above, at = event
        # Between a change and the next look at it lie up to two cycles of 2 s.
        near = {time.strftime("%H:%M:%S", time.gmtime(at + late)) for late in range(7)}
        lines = [line for line in text.splitlines() if name in line and re.search(self.fired if above else self.ended, line)]
        return bool(lines), any(clock in line for line in lines for clock in near)

    def told(self, events):
        """How many of these were told, and how many with their own time."""
        found = [[self.tells(event, text) for _, text in self.faults.told] for event in events]
        return sum(any(told for told, _ in row) for row in found), sum(any(own for _, own in row) for row in found)

    async def counts(self, events, before=0):
        """Waits until everything is told and a little longer, for what is told twice."""
        await self.until_told(events, PATIENCE)
        await asyncio.sleep(10)
        told, own = self.told(events)
        return f"{len(events)} / {told} / {own} / {len(self.faults.told) - before}"

    async def until_told(self, events, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.told(events)[0] < len(events):
            await asyncio.sleep(0.2)

    def leaks(self):
        return sum(open(f"{self.folder}/{name}", errors="replace").read().count(SECRET) for name in ("output", "log") if os.path.exists(f"{self.folder}/{name}"))


class Alertmanager(Program):
    """Prometheus is played by a loop that gives it all alerts every 2 s, those that are over as well."""

    fired, ended = "FIRING", "RESOLVED"
    group_interval, maintenance = "10s", "15m"

    async def prepare(self):
        times = '{{ .StartsAt.UTC.Format "15:04:05" }}'
        self.config = self.write("config.yml", f"""
route: {{receiver: chat, group_by: [pdu], group_wait: 1s, group_interval: {self.group_interval}, repeat_interval: 1h}}
receivers:
- name: chat
  telegram_configs:
  - api_url: http://127.0.0.1:{self.port}
    bot_token: {SECRET}
    chat_id: 42
    parse_mode: HTML
    message: |
      {{{{ range .Alerts.Firing }}}}FIRING {{{{ .Labels.pdu }}}} since {times}
      {{{{ end }}}}{{{{ range .Alerts.Resolved }}}}RESOLVED {{{{ .Labels.pdu }}}} since {times} until {times.replace("Starts", "Ends")}
      {{{{ end }}}}
""")
        self.feeding = asyncio.create_task(self.feed())

    def command(self):
        return ["prometheus-alertmanager", f"--config.file={self.config}", f"--storage.path={self.folder}/data", "--cluster.listen-address=", "--log.level=debug",
                f"--web.listen-address=127.0.0.1:{self.port + 1}", f"--data.maintenance-interval={self.maintenance}"]

    def post(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port + 1, timeout=2)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            if (status := connection.getresponse().status) != 200:
                raise OSError(f"{path}: {status}")
        finally:
            connection.close()

    async def feed(self):
        when = lambda at: datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat()
        while True:
            alerts = {}
            for name, above, at in self.events:
                if above:
                    alerts[name] = {"labels": {"alertname": "power", "pdu": name}, "startsAt": when(at), "endsAt": when(time.time() + 60)}
                else:
                    alerts[name]["endsAt"] = when(at)
            try:
                await asyncio.to_thread(self.post, "/api/v2/alerts", list(alerts.values()))
            except OSError:
                pass
            await asyncio.sleep(2)

    def silence(self, name):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.post("/api/v2/silences", {"matchers": [{"name": "pdu", "value": name, "isRegex": False, "isEqual": True}], "startsAt": now.isoformat(),
                                       "endsAt": (now + datetime.timedelta(hours=1)).isoformat(), "createdBy": "bench", "comment": "bench"})


class CarefulAlertmanager(Alertmanager):
    """Waits for longer than the outage, and saves its silences every 5 s."""

    group_interval, maintenance = "2m", "5s"


class Monit(Program):
    service_class = Mail
    fired, ended = "Status failed", "Status succeeded"
    further = ""

    async def prepare(self):
        checks = "".join(f'check program {name} with path "/usr/bin/test ! -e {self.folder}/{name}.high"\n  if status != 0 then alert\n' for name in NAMES)
        self.config = self.write("monitrc", f"""
set daemon 2
set log {self.folder}/log
set pidfile {self.folder}/pid
set idfile {self.folder}/id
set statefile {self.folder}/state
set mailserver 127.0.0.1 port {self.port} username "agent" password "{SECRET}" with timeout 5 seconds
{self.further.replace("FOLDER", self.folder)}
set alert oncall@mail.test not on {{ instance, action }}
set httpd unixsocket {self.folder}/socket
  allow agent:agent
{checks}""")

    def command(self):
        return ["monit", "-I", "-v", "-c", self.config]

    def switch(self, name, above):
        super().switch(name, above)
        path = f"{self.folder}/{name}.high"
        open(path, "w").close() if above else os.remove(path)

    def silence(self, name):
        subprocess.run(["monit", "-c", self.config, "unmonitor", name], check=True, stdout=subprocess.DEVNULL)


class CarefulMonit(Monit):
    """Keeps events that it cannot send, and what is not monitored over a restart."""

    further = "set eventqueue basedir FOLDER/queue slots 1000\nset onreboot laststate"


class Rackwarden(Program):
    fired, ended = "above power limit", "back below limit"

    async def prepare(self):
        self.pdus = {name: lab.Pdu() for name in NAMES}
        for number, pdu in enumerate(self.pdus.values()):
            await lab.serve_pdu(pdu, self.port + 2 + number)
        tables = "".join(f'[[pdu]]\nname = "{name}"\naddress = "127.0.0.1:{self.port + 2 + number}"\n' for number, name in enumerate(NAMES))
        self.config = self.write("rackwarden.toml", f"""
name = "rack"
state_dir = "{self.folder}/data"
[log]
level = "trace"
[telegram]
token = "{SECRET}"
api_url = "http://127.0.0.1:{self.port}"
[access]
owners = ["telegram:42"]
[notify]
to = ["telegram:42"]
timezone = "UTC"
[http]
listen = "off"
{lab.QUIET_HOST}[power]
interval = "2s"
limit = "3 kW"
{tables}""")

    def command(self):
        return [self.options.binary, "run", "--config", self.config]

    def switch(self, name, above):
        super().switch(name, above)
        self.pdus[name].watts = EXCESS_W if above else CALM_W

    def silence(self, name):
        subprocess.run([self.options.binary, "ask", "--config", self.config, f"/mute power.limit:{name} 1h"], check=True, stdout=subprocess.DEVNULL)


# --- the faults --------------------------------------------------------------------------------------------------------


async def run_script(program, script):
    """Does what stands in the script, each step at its second."""
    began = time.monotonic()
    for at, step, *arguments in script:
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        result = step(*arguments)
        if asyncio.iscoroutine(result):
            await result


async def outage(program):
    """The service refuses connections for 45 s."""
    program.switch("dora", True)
    await program.until_told(program.events, 15)
    before = len(program.faults.told)
    await run_script(program, [
        (0, program.service.stop),
        (2, program.switch, "alpha", True),
        (5, program.switch, "bravo", True),
        (8, program.switch, "dora", False),
        (12, program.switch, "alpha", False),
        (OUTAGE, program.service.start, program.port),
    ])
    return {"outage of 45 s: " + COUNTS: await program.counts(program.events[1:], before)}


async def killed(program):
    """kill -9 while the service is away: one PDU is silenced, one is above its limit, one was for 8 s."""
    await asyncio.to_thread(program.silence, "alpha")
    await run_script(program, [
        (20, program.service.stop),
        (21, program.switch, "bravo", True),
        (22, program.switch, "charlie", True),
        (30, program.switch, "charlie", False),
        (36, program.restart, signal.SIGKILL),
        (44, program.service.start, program.port),
        (50, program.switch, "alpha", True),
    ])
    return {"kill -9: " + COUNTS: await program.counts(program.events[:3]),
            "kill -9: the silence of before is kept": "no" if program.told(program.events[3:])[0] else "yes"}


async def busy(program):
    """The service says 'come back in 30 s'."""
    program.faults.fault = "busy"
    program.switch("alpha", True)
    await asyncio.sleep(8)
    program.switch("alpha", False)
    await asyncio.sleep(RETRY_AFTER)
    counts = await program.counts(program.events)
    return {"429 for 30 s: calls meanwhile": str(program.faults.calls_within(RETRY_AFTER)),
            "429 for 30 s: " + COUNTS: counts}


async def denied(program):
    """The service does not accept the token any longer, for 20 s."""
    program.faults.fault = "denied"
    program.service.cut()
    program.switch("alpha", True)
    await asyncio.sleep(DENIED)
    program.faults.fault = None
    await program.until_told(program.events, 30)
    alone = program.told(program.events)[0]
    await program.restart(signal.SIGTERM)
    await program.until_told(program.events, 30)
    return {"401: calls in the first 12 s": str(program.faults.calls_within(12)),
            "401: told within 30 s after its end": "yes" if alone else "no",
            "401: told after a restart at the latest": "yes" if program.told(program.events)[0] else "no"}


# --- the table ---------------------------------------------------------------------------------------------------------


def version(command, pattern):
    result = subprocess.run(command, capture_output=True, text=True)
    return re.search(pattern, result.stdout + result.stderr)[1]


async def measure(options, folder):
    columns = {
        f"Alertmanager {version(['prometheus-alertmanager', '--version'], r'version ([0-9.]+)')}": Alertmanager,
        "Alertmanager, careful": CarefulAlertmanager,
        f"monit {version(['monit', '--version'], r'version ([0-9.]+)')}": Monit,
        "monit, careful": CarefulMonit,
        f"rackwarden {version([options.binary, '--version'], r'([0-9.]+)')}": Rackwarden,
    }
    scenes = (outage, killed, busy, denied)
    programs = [(column, scene, kind(f"{folder}/{kind.__name__}-{scene.__name__}", 21000 + 10 * number, options))
                for number, (scene, (column, kind)) in enumerate((scene, item) for scene in scenes for item in columns.items())]
    table = {}
    try:
        for _, _, program in programs:
            await program.start()
        # Every program has seen every PDU below its limit.
        await asyncio.sleep(8)
        results = await asyncio.gather(*(scene(program) for _, scene, program in programs))
    finally:
        for _, _, program in programs:
            if hasattr(program, "process"):
                program.process.kill()
                program.process.wait()
    for (column, _, program), result in zip(programs, results):
        for row, cell in result.items():
            table.setdefault(row, {})[column] = cell
    row = "times the token or password stands in the logs"
    table[row] = {column: str(sum(program.leaks() for name, _, program in programs if name == column)) for column in columns}
    if options.details:
        for column, scene, program in programs:
            print(f"\n{column}, {scene.__name__}:")
            for name, above, at in program.events:
                print(f"  {time.strftime('%H:%M:%S', time.gmtime(at))} {name} {'above' if above else 'below'}")
            for _, text in program.faults.told:
                print("  >", text.replace("\n", " | ")[:300])
    return columns, table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/rackwarden")
    parser.add_argument("--details", action="store_true", help="print every message")
    options = parser.parse_args()
    lab.require_namespace()
    for name in ("prometheus-alertmanager", "monit"):
        if not shutil.which(name):
            sys.exit(f"{name} is not installed; run tests/peers/get side-by-side")
    with tempfile.TemporaryDirectory() as folder:
        columns, table = asyncio.run(measure(options, folder))
    print(lab.machine())
    print(f"\n| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for row, cells in table.items():
        print(f"| {row} | {' | '.join(cells[column] for column in columns)} |")


main()
