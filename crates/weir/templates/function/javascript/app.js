// A function: a component that handles HTTP. It greets, and says in capitals what it was sent.
import { getEnvironment } from 'wasi:cli/environment@0.2.10';

addEventListener('fetch', (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  switch (request.method) {
    case 'GET':
    case 'HEAD': {
      const greeting = new Map(getEnvironment()).get('GREETING') ?? 'Hello';
      return text(200, `${greeting} from {{name}}\n`);
    }
    case 'POST':
      return text(200, (await request.text()).toUpperCase());
    default:
      return text(405, 'GET or POST\n');
  }
}

function text(status, body) {
  return new Response(body, { status, headers: { 'content-type': 'text/plain' } });
}
