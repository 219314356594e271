#!/usr/bin/env python3
"""What the agent costs while it does its work: 4 PDUs, a Telegram long poll over TLS, a scrape every 2 s.

usage: benches/in_ns benches/footprint.py [--binary …] [--responder PROGRAM] [--floor PROGRAM] [--settle 300] [--window 60]

PROGRAM of --responder answers SNMP on every 127.x.y.z at the port given to it; without it the agent's own simulator does.
PROGRAM of --floor is a smallest possible agent, started as `PROGRAM HTTP_PORT SNMP_PORT PDUS`: the limit to compare with.
"""
import argparse
import asyncio
import subprocess
import tempfile
import time

import lab

SNMP_PORT, HTTP_PORT, FLOOR_PORT, API_PORT = 1161, 8093, 9340, 8443


def configuration(folder, certificate, single_address):
    addresses = [f"127.0.0.1:{SNMP_PORT + i}" if single_address else f"127.1.0.{i + 1}:{SNMP_PORT}" for i in range(4)]
    return lab.watching(folder, HTTP_PORT, addresses) + f"""
[telegram]
token = "{lab.TOKEN}"
api_url = "https://127.0.0.1:{API_PORT}"
ca_file = "{certificate}"
[access]
owners = ["telegram:42"]
[notify]
to = ["telegram:42"]
"""


class Watched:
    def __init__(self, name, process, port, path, start):
        self.name, self.process, self.port, self.path, self.start = name, process, port, path, start

    def begin(self):
        self.cpu, self.wakes = lab.cpu_seconds(self.process.pid), lab.wake_ups(self.process.pid)
        self.threads = lab.wake_ups_by_thread(self.process.pid)

    def row(self, seconds):
        pid = self.process.pid
        memory = lab.memory_kib(pid)
        return {
            "start_ms": self.start * 1000,
            "cpu_s_h": (lab.cpu_seconds(pid) - self.cpu) / seconds * 3600,
            "wake_s": (lab.wake_ups(pid) - self.wakes) / seconds,
            "by_thread": {name: round((now - self.threads.get(name, 0)) / seconds, 2) for name, now in lab.wake_ups_by_thread(pid).items()},
            **memory,
        }


async def measure(options, folder):
    tls, certificate = lab.self_signed(folder)
    api = lab.BotApi()
    await api.start(API_PORT, tls)
    devices = [options.responder, str(SNMP_PORT)] if options.responder else [
        options.binary, "simulate", "--listen", f"127.0.0.1:{SNMP_PORT}", "--count", "4"]
    running = [subprocess.Popen(devices, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]
    await asyncio.sleep(1)
    config = f"{folder}/rackwarden.toml"
    with open(config, "w") as file:
        file.write(configuration(folder, certificate, not options.responder))
    log = open(f"{folder}/log", "wb")
    try:
        start = lambda command: lambda: subprocess.Popen(command, stdout=log, stderr=log)
        in_thread = asyncio.get_running_loop().run_in_executor
        agent, seconds = await in_thread(None, lab.first_answer, start([options.binary, "run", "--config", config]), HTTP_PORT, "/health")
        running.append(agent)
        watched = [Watched("rackwarden", agent, HTTP_PORT, "/metrics", seconds)]
        if options.floor:
            command = [options.floor, str(FLOOR_PORT), str(SNMP_PORT), "4"]
            floor, seconds = await in_thread(None, lab.first_answer, start(command), FLOOR_PORT, "/")
            running.append(floor)
            watched.append(Watched("floor", floor, FLOOR_PORT, "/", seconds))
        await scrape(watched, options.settle)
        polls = api.polls
        for one in watched:
            one.begin()
        took = await scrape(watched, options.window)
        assert api.polls > polls or api.polls, "the agent never polled the chat service"
        return {one.name: one.row(took) for one in watched}
    except BaseException:
        print(open(f"{folder}/log").read()[-3000:])
        raise
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


async def scrape(watched, seconds):
    began, turn = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        for one in watched:
            await asyncio.get_running_loop().run_in_executor(None, lab.http_get, one.port, one.path)
        turn += 1
        await asyncio.sleep(max(0.0, began + 2 * turn - time.monotonic()))
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/rackwarden")
    parser.add_argument("--responder")
    parser.add_argument("--floor")
    parser.add_argument("--settle", type=int, default=300)
    parser.add_argument("--window", type=int, default=60)
    options = parser.parse_args()
    lab.require_namespace()
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(measure(options, folder))
    print(lab.machine())
    print(f"4 PDUs, long poll over TLS, scraped every 2 s; {options.settle} s settling, {options.window} s window")
    print(f"{'':<12}{'start ms':>9}{'CPU s/h':>9}{'wake/s':>8}{'RSS KiB':>9}{'anon KiB':>9}{'private':>9}{'threads':>8}")
    for name, row in rows.items():
        print(f"{name:<12}{row['start_ms']:>9.1f}{row['cpu_s_h']:>9.2f}{row['wake_s']:>8.2f}{row['rss']:>9}{row['anonymous']:>9}{row['private']:>9}{row['threads']:>8}")
    print("wake-ups a second by thread:", rows["rackwarden"]["by_thread"])
    ours, floor = rows["rackwarden"], rows.get("floor")
    limits = [
        ("CPU at most 3 s/h", ours["cpu_s_h"] <= 3),
        ("at most 6 wake-ups/s", ours["wake_s"] <= 6),
        ("at most 8 MB resident", ours["rss"] * 1024 <= 8e6),
        ("at most 1.5 MB anonymous", ours["anonymous"] * 1024 <= 1.5e6),
        ("first answer within 20 ms", ours["start_ms"] <= 20),
    ]
    if floor:
        limits.append((f"CPU at most 5 x the floor agent ({ours['cpu_s_h'] / floor['cpu_s_h']:.1f} x)", ours["cpu_s_h"] <= 5 * floor["cpu_s_h"]))
    for text, holds in limits:
        print(f"{'ok  ' if holds else 'MISS'} {text}")
    raise SystemExit(not all(holds for _, holds in limits))


main()
