// Counts lines, words and bytes of what it is sent: a component that handles wasi:http.
addEventListener('fetch', (event) => event.respondWith(count(event.request)));

async function count(request) {
  const bytes = new Uint8Array(await request.arrayBuffer());
  const text = new TextDecoder().decode(bytes);
  const counts = {
    lines: text.split('\n').length - 1,
    words: text.split(/\s+/).filter((word) => word !== '').length,
    bytes: bytes.length,
  };
  return new Response(JSON.stringify(counts), { headers: { 'content-type': 'application/json' } });
}
