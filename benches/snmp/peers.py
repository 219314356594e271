#!/usr/bin/env python3
"""One sweep over simulated PDUs, four objects each: ours, a plain UDP program, net-snmp's C library and Prometheus' snmp_exporter.

usage: benches/in_ns benches/snmp/peers.py FOLDER [--count N] [--rounds N] [--sweep PROGRAM]

FOLDER holds `responder PORT` (answers for every 127.x.y.z), `rawudp N` (asks N of them with one socket, in batches) and `netsnmp_async N WINDOW`
(the same with net-snmp's asynchronous API); each prints `cpu SECONDS s`. `prometheus-snmp-exporter` is Debian's; it is scraped for
each PDU over 64 kept connections, and its own CPU is counted, not the scraper's. Rounds alternate. CPU is user and system time.
"""
import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

OIDS = ["1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.5.0", "1.3.6.1.4.1.318.1.1.12.2.3.1.1.2.1", "1.3.6.1.4.1.318.1.1.26.4.3.1.5.1"]
SNMP_PORT, EXPORTER_PORT, CONNECTIONS = 1161, 9116, 64
HERE = os.path.dirname(os.path.abspath(__file__))

MODULE = f"""pdu:
  get: [{", ".join(OIDS)}]
  metrics:
  - {{name: uptime, oid: 1.3.6.1.2.1.1.3, type: gauge, help: u}}
  - {{name: name, oid: 1.3.6.1.2.1.1.5, type: DisplayString, help: n}}
  - {{name: load, oid: 1.3.6.1.4.1.318.1.1.12.2.3.1.1.2, type: gauge, help: l, indexes: [{{labelname: i, type: gauge}}]}}
  - {{name: power, oid: 1.3.6.1.4.1.318.1.1.26.4.3.1.5, type: gauge, help: p, indexes: [{{labelname: i, type: gauge}}]}}
  version: 2
  retries: 1
  timeout: 1s
  auth: {{community: public}}
"""


def run(*command):
    """CPU seconds of one client's sweep."""
    out = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "MIBS": ""}, check=True)
    found = re.findall(r"cpu ([0-9.]+) (ms|s)", out.stdout + out.stderr)
    if not found:
        sys.exit(f"{command[0]} does not say its CPU time:\n{out.stdout}{out.stderr}")
    number, unit = found[0]
    return float(number) / (1000 if unit == "ms" else 1)


def cpu_of(process):
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def scrape(count):
    """Reads every PDU once through the exporter; how many answered with all four."""
    todo, answered = list(range(count)), 0

    async def client():
        nonlocal answered
        reader, writer = await asyncio.open_connection("127.0.0.1", EXPORTER_PORT)
        while todo:
            at = todo.pop()
            target = f"127.1.{at // 250}.{at % 250 + 1}:{SNMP_PORT}"
            writer.write(f"GET /snmp?module=pdu&target={target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = re.search(r"content-length: (\d+)", head)
            if length:
                body = await reader.readexactly(int(length[1]))
            else:
                body = b""
                while (size := int(await reader.readline(), 16)) > 0:
                    body += await reader.readexactly(size)
                    await reader.readline()
                await reader.readline()
            answered += b"\npower" in body and b"\nload" in body
        writer.close()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return answered


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sweep", default=os.path.join(HERE, "../target/release/sweep"))
    options = parser.parse_args()
    count, program = options.count, lambda name: os.path.join(options.folder, name)
    responder = subprocess.Popen([program("responder"), str(SNMP_PORT)], stderr=subprocess.DEVNULL)
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as config:
        config.write(MODULE)
        config.flush()
        exporter = subprocess.Popen(
            ["prometheus-snmp-exporter", f"--config.file={config.name}", f"--web.listen-address=127.0.0.1:{EXPORTER_PORT}", "--log.level=error"]
        )
        time.sleep(1.5)
        try:
            asyncio.run(scrape(64))
            seconds = {"rawudp": [], "rackwarden": [], "net-snmp, C, asynchronous": [], "snmp_exporter": []}
            for _ in range(options.rounds):
                seconds["rawudp"].append(run(program("rawudp"), str(count)))
                seconds["rackwarden"].append(run(options.sweep, str(count)))
                seconds["net-snmp, C, asynchronous"].append(run(program("netsnmp_async"), str(count), "200"))
                before = cpu_of(exporter)
                answered = asyncio.run(scrape(count))
                if answered != count:
                    sys.exit(f"the exporter read {answered} of {count}")
                seconds["snmp_exporter"].append(cpu_of(exporter) - before)
        finally:
            exporter.kill()
            responder.kill()
    ours = statistics.median(seconds["rackwarden"])
    print(f"{count} PDUs, 4 objects each, medians of {options.rounds}")
    for name, all_of_it in seconds.items():
        cpu = statistics.median(all_of_it)
        print(f"{name:28} {cpu / count * 1e6:8.2f} µs a PDU   {cpu / ours:7.2f} x ours   ({', '.join(f'{one:.3f}' for one in all_of_it)} s)")


if __name__ == "__main__":
    main()
