#!/usr/bin/env python3
"""The running agent with many PDUs: missed cycles, CPU and memory; with dead devices, and on a machine that is busy.

usage: benches/in_ns benches/scale.py [--binary …] [--responder PROGRAM] [--pdus 10000] [--dead 0] [--busy] [--window 40]

PROGRAM answers SNMP on every 127.x.y.z at the port given to it, and leaves out a share with `-d PERCENT`; without it the
agent's own simulator answers (no dead devices then). --busy runs two busy loops on every core beside the agent.
"""
import argparse
import multiprocessing
import os
import subprocess
import tempfile
import time

import lab

SNMP_PORT, HTTP_PORT = 1161, 8093


def configuration(folder, options):
    return lab.watching(folder, HTTP_PORT, [f"127.1.{i // 250}.{i % 250 + 1}:{SNMP_PORT}" for i in range(options.pdus)])


def spin():
    while True:
        pass


def states(pdus):
    """How many PDUs stand in which state."""
    found = {}
    for pdu in lab.json.loads(lab.http_get(HTTP_PORT, "/api/power", 20)[1])["pdus"]:
        found[pdu["state"]] = found.get(pdu["state"], 0) + 1
    assert sum(found.values()) == pdus
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/rackwarden")
    parser.add_argument("--responder")
    parser.add_argument("--pdus", type=int, default=10_000)
    parser.add_argument("--dead", type=int, default=0)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--settle", type=int, default=30)
    parser.add_argument("--window", type=int, default=40)
    options = parser.parse_args()
    lab.require_namespace()
    devices = [options.responder, str(SNMP_PORT), "-d", str(options.dead)] if options.responder else [
        options.binary, "simulate", "--listen", f"127.1.0.1:{SNMP_PORT}", "--count", str(options.pdus)]
    with tempfile.TemporaryDirectory() as folder:
        config = f"{folder}/rackwarden.toml"
        with open(config, "w") as file:
            file.write(configuration(folder, options))
        log = open(f"{folder}/log", "wb")
        responder = subprocess.Popen(devices, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        agent = subprocess.Popen([options.binary, "run", "--config", config], stdout=log, stderr=log)
        loops = [multiprocessing.Process(target=spin, daemon=True) for _ in range(2 * os.cpu_count() if options.busy else 0)]
        try:
            time.sleep(options.settle)
            for loop in loops:
                loop.start()
            if loops:
                time.sleep(6)
            before, cpu, began = lab.metrics(HTTP_PORT), lab.cpu_seconds(agent.pid), time.monotonic()
            time.sleep(options.window)
            cpu, took = lab.cpu_seconds(agent.pid) - cpu, time.monotonic() - began
            memory = lab.memory_kib(agent.pid)
            after = lab.metrics(HTTP_PORT)
            found = states(options.pdus)
        finally:
            for loop in loops:
                loop.terminate()
            for process in (agent, responder):
                process.terminate()
            for process in (agent, responder):
                process.wait()
            tail = open(f"{folder}/log").read()[-1500:]
    print(lab.machine())
    print(f"{options.pdus} PDUs every 2 s, {options.dead} % dead{', two busy loops on every core' if options.busy else ''}, {took:.0f} s window")
    print(f"CPU {100 * cpu / took:.2f} % of one core, resident {memory['rss'] / 1024:.1f} MiB, anonymous {memory['anonymous'] / 1024:.1f} MiB, states {found}")
    for name in sorted(after):
        change = after[name] - before.get(name, 0.0)
        if name.startswith("rackwarden_") and name.endswith("_total") and change:
            print(f"  {name} +{change:.0f}")
    if tail.strip():
        print("log:", tail)


main()
