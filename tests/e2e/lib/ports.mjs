// SPDX-License-Identifier: Apache-2.0
// A port that is free now and stays so until its caller takes it: see ports.py.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

export async function freePort() {
  const first = Number(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split("\t")[0]);
  for (;;) {
    const port = Math.floor(first / 2 + Math.random() * (first / 2));
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}
