// The handler in workerd.
import { answer } from "work.mjs";

export default {
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    return new Response(answer(pathname + search), { headers: { "content-type": "text/plain" } });
  },
};
