// SPDX-License-Identifier: Apache-2.0
//
// Node's HTTP servers, which write down what they are asked. One port for each argument (a name), and a
// last one, "control", where GET / gives all complete requests as {name: [{method, url, headers, body}]}
// and POST / forgets them. The ports are printed as one line of JSON. Ends with its standard input.
import http from 'node:http';

const seen = {};

function record(name) {
  return (request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => {
      const body = Buffer.concat(pieces).toString('hex');
      seen[name].push({ method: request.method, url: request.url, headers: request.rawHeaders, body });
      const answer = JSON.stringify({ seen: seen[name].length });
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': answer.length });
      response.end(answer);
    });
  };
}

async function listen(handler) {
  const server = http.createServer({ insecureHTTPParser: false, keepAliveTimeout: 60000 }, handler);
  server.maxRequestsPerSocket = 0;
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return server.address().port;
}

const ports = {};
for (const name of process.argv.slice(2)) {
  seen[name] = [];
  ports[name] = await listen(record(name));
}
ports.control = await listen((request, response) => {
  response.end(JSON.stringify(seen));
  if (request.method === 'POST') for (const name of Object.keys(seen)) seen[name] = [];
});
console.log(JSON.stringify(ports));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
