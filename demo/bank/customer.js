// Customer: who the bank's customers are.
//
// One of them has a file so thick that looking into it takes a while, now and then.

'use strict';

const http = require('node:http');

const PORT = Number(process.env.PORT || 8080);
const SLOW_MS = Number(process.env.SLOW_MS || 400);

const CUSTOMERS = new Map([
  ['c1', { name: 'Ada', born: '1985-12-10' }],
  ['c2', { name: 'Grace', born: '1976-12-09' }],
  ['c3', { name: 'Edsger', born: '1990-05-11' }],
  ['c4', { name: 'Barbara', born: '1979-11-07' }],
  ['c5', { name: 'Leslie', born: '1981-02-07', thickFile: true }],
]);

let looked = 0;

const server = http.createServer((request, response) => {
  const [, id] = /^\/customers\/(\w{1,16})$/.exec(request.url) || [];
  const customer = request.method === 'GET' ? CUSTOMERS.get(id) : undefined;
  const [status, document] = (() => {
    if (request.url === '/health') return [200, { open: true }];
    if (customer === undefined) return [404, { error: 'no such customer' }];
    return [200, { id, name: customer.name, born: customer.born }];
  })();

  const body = JSON.stringify(document);
  const answer = () => {
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  };
  if (customer?.thickFile && (looked += 1) % 2 === 0) {
    console.log(`${customer.name}'s file is thick: this takes ${SLOW_MS} ms`);
    setTimeout(answer, SLOW_MS);
  } else {
    answer();
  }
});
// an idle connection is the caller's to close
server.keepAliveTimeout = 0;
server.listen(PORT, () => console.log(`customer is open on port ${PORT}`));
