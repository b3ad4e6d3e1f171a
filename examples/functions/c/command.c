// A function of the kind `command`: an ordinary program that answers a request on its standard
// output (CGI). Tells what it was asked, and how many bytes came.

#include <stdio.h>
#include <stdlib.h>

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}

int main(void) {
  char bytes[4096];
  size_t count = 0, read;
  while ((read = fread(bytes, 1, sizeof bytes, stdin)) > 0) count += read;
  if (ferror(stdin)) {
    fprintf(stderr, "the body broke off after %zu bytes\n", count);
    return 1;
  }
  printf("Content-Type: text/plain\n\n");
  printf("%s %s?%s: %zu bytes\n", variable("REQUEST_METHOD"), variable("PATH_INFO"),
         variable("QUERY_STRING"), count);
}
