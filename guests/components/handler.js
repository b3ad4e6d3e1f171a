// A handler of wasi:http 0.2, by componentize-js.
addEventListener('fetch', (event) => event.respondWith(answer(event.request)));
async function answer(request) {
  const body = await request.text();
  return new Response(`script at ${new URL(request.url).pathname}, ${body.length} characters`, { status: 201, headers: { 'content-type': 'text/plain' } });
}
