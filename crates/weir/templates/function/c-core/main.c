/* A function: greets, and says in capitals what it was sent.
 *
 * No C library is needed. Memory for what the gateway hands over comes from it, too; export `malloc`
 * to do that yourself. */
#include "weir.h"

#define TEXT(text) (text), sizeof(text) - 1

static int is(const char *text, size_t size, const char *expected, size_t expected_size) {
  if (size != expected_size) return 0;
  for (size_t i = 0; i < size; i++) {
    if (text[i] != expected[i]) return 0;
  }
  return 1;
}

static void text_follows(uint32_t status) {
  respond_status(status);
  respond_header(TEXT("content-type"), TEXT("text/plain; charset=utf-8"));
}

/* Headers are lines `name: value`, each ended by a line feed. */
EXPORT(handle)
int32_t handle(const char *method, size_t method_size, const char *path, size_t path_size,
               const char *headers, size_t headers_size, char *body, size_t body_size) {
  (void)path, (void)path_size, (void)headers, (void)headers_size;
  if (is(method, method_size, TEXT("GET"))) {
    struct bytes greeting;
    text_follows(200);
    if (setting(TEXT("GREETING"), &greeting) == 0) {
      respond_write(greeting.address, greeting.size);
    } else {
      respond_write(TEXT("Hello"));
    }
    respond_write(TEXT(" from {{name}}\n"));
  } else if (is(method, method_size, TEXT("POST"))) {
    for (size_t i = 0; i < body_size; i++) {
      if (body[i] >= 'a' && body[i] <= 'z') body[i] -= 'a' - 'A';
    }
    text_follows(200);
    respond_write(body, body_size);
  } else {
    text_follows(405);
    respond_write(TEXT("GET or POST\n"));
  }
  return 0; /* The status that was set. */
}
