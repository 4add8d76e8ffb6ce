// Cashier: takes deposits and pays out withdrawals.
//
// Asks account whose money it is, has transaction book it, and hands out a receipt.

'use strict';

const http = require('node:http');

const PORT = Number(process.env.PORT || 8080);
const ACCOUNT = process.env.ACCOUNT || 'account:8080';
const TRANSACTION = process.env.TRANSACTION || 'transaction:8080';

// connections to the services behind are kept and used again
const agent = new http.Agent({ keepAlive: true });

/** Sends one JSON request; resolves with the status and the document of the response, whatever the status is. */
function call(method, url, document) {
  return new Promise((resolve, reject) => {
    const body = document === undefined ? undefined : JSON.stringify(document);
    const headers = body === undefined ? {} : {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const request = http.request(url, { method, agent, headers }, (response) => {
      read(response).then((text) => resolve({ status: response.statusCode, body: JSON.parse(text) }), reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function read(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function answer(response, status, document) {
  const body = JSON.stringify(document);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** The whole of a deposit or a withdrawal of `amount` cents. */
async function move(id, amount, response) {
  const account = await call('GET', `http://${ACCOUNT}/accounts/${id}`);
  if (account.status !== 200) return answer(response, account.status, account.body);

  const booked = await call('POST', `http://${TRANSACTION}/transactions`, { account: account.body.id, amount });
  if (booked.status !== 201) return answer(response, booked.status, booked.body);

  return answer(response, 200, {
    receipt: booked.body.transaction,
    holder: account.body.holder.name,
    amount,
    balance: booked.body.balance,
  });
}

async function handle(request, response) {
  if (request.url === '/health') return answer(response, 200, { open: true });
  const [, id, kind] = /^\/accounts\/(\d{1,9})\/(deposit|withdraw)$/.exec(request.url) || [];
  if (request.method !== 'POST' || kind === undefined) {
    return answer(response, 404, { error: 'no such place' });
  }
  let amount;
  try {
    ({ amount } = JSON.parse(await read(request)));
  } catch {
    return answer(response, 400, { error: 'the request is not JSON' });
  }
  if (!Number.isSafeInteger(amount) || amount <= 0) {
    return answer(response, 400, { error: 'the amount is a whole number of cents above 0' });
  }
  return move(id, kind === 'deposit' ? amount : -amount, response);
}

const server = http.createServer((request, response) => {
  handle(request, response).catch((error) => answer(response, 502, { error: String(error.message || error.code) }));
});
// an idle connection is the caller's to close
server.keepAliveTimeout = 0;
server.listen(PORT, () => console.log(`cashier is open on port ${PORT}`));
