// SPDX-License-Identifier: Apache-2.0
// The fakes of tests/golden for tests in Python, with the configuration of a gateway before them.
//
//     node vendors.mjs FOLDER      prints {"port", "models", "env"}, serves until its stdin ends
//
// FOLDER gets Google's service account.  GET /seen?mark=TEXT is what the vendors were asked that
// has TEXT in its body: [{ vendor, target, headers }].
import { createServer } from "node:http";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { startAll } from "../../golden/fakes/all.mjs";
import { environment, models } from "../../golden/prefixes.mjs";

const fakes = await startAll();
const account = join(process.argv[2], "account.json");
writeFileSync(account, fakes.account);

function seen(mark) {
  return Object.values(fakes).filter((f) => f.log).flatMap((f) => f.log
    .filter((e) => (e.text ?? "").includes(mark))
    .map((e) => ({ vendor: f.name, target: e.target, headers: e.headers })));
}

const server = createServer((request, response) => {
  const { searchParams } = new URL(request.url, "http://vendors");
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(seen(searchParams.get("mark"))));
});
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: server.address().port,
    models: models({ ...fakes, account }), env: environment(fakes, account) }));
});
process.stdin.on("end", () => process.exit(0)).resume();
