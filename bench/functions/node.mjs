// The handler in Node: `node node.mjs PORT` serves; without a port, one request from standard input.
import http from "node:http";
import { answer } from "./work.mjs";

const port = process.argv[2];
if (port) {
  const serve = (request, response) => {
    const body = answer(request.url);
    response.writeHead(200, { "content-type": "text/plain", "content-length": body.length }).end(body);
  };
  http.createServer(serve).listen(Number(port), "127.0.0.1");
} else {
  process.stdin.once("data", (request) => {
    const body = answer(request.toString().split(" ")[1]);
    const head = `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n`;
    process.stdout.write(head + body, () => process.exit());
  });
}
