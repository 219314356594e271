#!/usr/bin/env python3
"""How long from a device showing an excess to the message arriving at the chat service, with dead and slow neighbours.

usage: benches/in_ns benches/latency.py [--binary target/release/rackwarden] [--pdus 100] [--dead 5] [--slow 5] [--rounds 20] [--pause 35]
"""
import argparse
import asyncio
import random
import statistics
import subprocess
import tempfile
import time

import lab

LIMIT_W, CALM_W, EXCESS_W = 3000, 1000, 3500
BASE_PORT = 20000


def configuration(folder, options):
    addresses = [f"127.0.0.1:{BASE_PORT + i}" for i in range(options.pdus)]
    return lab.watching(folder, 8093, addresses, f"{LIMIT_W} W") + f"""
[telegram]
token = "{lab.TOKEN}"
api_url = "http://127.0.0.1:8081"
[access]
owners = ["telegram:42"]
[notify]
to = ["telegram:42"]
max_notifications = 1000
{lab.QUIET_HOST}"""


async def measure(options):
    api = lab.BotApi()
    await api.start(8081)
    pdus = [lab.Pdu(None if i < options.dead else 1.2 if i < options.dead + options.slow else 0.0) for i in range(options.pdus)]
    for number, pdu in enumerate(pdus):
        await lab.serve_pdu(pdu, BASE_PORT + number)
    with tempfile.TemporaryDirectory() as folder:
        config = f"{folder}/rackwarden.toml"
        with open(config, "w") as file:
            file.write(configuration(folder, options))
        with open(f"{folder}/log", "wb") as log:
            agent = subprocess.Popen([options.binary, "run", "--config", config], stdout=log, stderr=log)
        try:
            return await rounds(options, api, pdus)
        except Exception:
            print(open(f"{folder}/log").read()[-3000:])
            raise
        finally:
            agent.terminate()
            agent.wait()


async def rounds(options, api, pdus):
    # Dead devices are told first; that traffic is not what is measured.
    await asyncio.sleep(25)
    candidates = range(options.dead + options.slow, options.pdus)
    latencies, waiting = [], {}

    def arrived(at, message):
        for name, future in list(waiting.items()):
            if name in message.get("text", "") and not future.done():
                future.set_result(at)

    api.on_message = arrived
    order = random.Random(options.seed)
    for number in order.choices(candidates, k=options.rounds):
        # Far enough from the one before not to join its group of messages, and in no step with the polls.
        await asyncio.sleep(options.pause + order.uniform(0.0, 2.0))
        name = f"p{number:05}"
        waiting[name] = asyncio.get_running_loop().create_future()
        began = time.monotonic()
        pdus[number].watts = EXCESS_W
        latencies.append(await asyncio.wait_for(waiting[name], 30) - began)
        waiting[name] = asyncio.get_running_loop().create_future()
        pdus[number].watts = CALM_W
        # The end is told as well; the next excess of this device is an alert of its own after it.
        await asyncio.wait_for(waiting[name], 30)
        del waiting[name]
    return latencies


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/release/rackwarden")
    parser.add_argument("--pdus", type=int, default=100)
    parser.add_argument("--dead", type=int, default=5)
    parser.add_argument("--slow", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--pause", type=float, default=35.0)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    lab.require_namespace()
    latencies = asyncio.run(measure(options))
    print(lab.machine())
    print("s:", " ".join(f"{latency:.3f}" for latency in sorted(latencies)))
    print(f"{options.pdus} PDUs, {options.dead} dead, {options.slow} slow (1.2 s), {len(latencies)} excesses:")
    print(f"median {statistics.median(latencies):.3f} s, max {max(latencies):.3f} s   (at most 1.1 s and 2.3 s)")
    raise SystemExit(statistics.median(latencies) > 1.1 or max(latencies) > 2.3)


main()
