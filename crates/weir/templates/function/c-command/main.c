/* A function: greets, and says in capitals what it was sent.
 *
 * The request stands in variables and on standard input; the response goes to standard output. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text_follows(const char *status) {
  printf("Status: %s\nContent-Type: text/plain; charset=utf-8\n\n", status);
}

int main(void) {
  const char *method = getenv("REQUEST_METHOD");
  if (method && strcmp(method, "GET") == 0) {
    const char *greeting = getenv("GREETING");
    text_follows("200 OK");
    printf("%s from {{name}}\n", greeting ? greeting : "Hello");
  } else if (method && strcmp(method, "POST") == 0) {
    text_follows("200 OK");
    for (int c; (c = getchar()) != EOF;) putchar(toupper(c));
  } else {
    text_follows("405 Method Not Allowed");
    puts("GET or POST");
  }
  /* Another exit code than 0 is a failure: the client gets 500. */
  return ferror(stdin) || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
