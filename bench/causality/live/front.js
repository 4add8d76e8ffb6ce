// A server of Node's own; connections to callees are kept.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");

const ROUTES = { both: [["a"], ["b"]], fan: [["a", "b", "c"], ["a"]], one: [["c"]] };
const agent = new http.Agent({ keepAlive: true });
const truth = fs.createWriteStream(path.join(process.env.TRUTH, `node-${process.pid}`));

function call(request, host) {
  const item = `/item/${crypto.randomBytes(8).toString("hex")}`;
  truth.write(`${request} ${item}\n`);
  return new Promise((resolve, reject) => {
    http
      .get({ host, port: 8080, path: item, agent }, (response) => response.on("end", resolve).resume())
      .on("error", reject);
  });
}

http
  .createServer(async (request, response) => {
    for (const group of ROUTES[request.url.split("/")[1]]) {
      await Promise.all(group.map((host) => call(request.url, host)));
    }
    response.end("ok\n");
  })
  .listen(8080);
