#include <assert.h>
#undef NDEBUG

static int get_user(void *self, const users_get_user_request *request, weir_arena *arena, users_get_user_response *response) {
  (void)arena;
  ++*(int *)self;
  if (request->which != USERS_GET_USER_REQUEST_ID) return 28;
  response->has_user = true;
  response->user.name = weir_text("Ann");
  response->user.id = request->as.id;
  return 0;
}
static int put_user(void *self, const users_user *request, weir_arena *arena, users_get_user_response *response) {
  (void)arena;
  ++*(int *)self;
  response->has_user = true;
  response->user = *request;
  return 0;
}
/* As a wire would: nothing of the server's is left when the response is read. */
static int ask(void *self, const char *path, weir_bytes request, weir_arena *arena, weir_bytes *response) {
  weir_arena served = {0};
  weir_writer w = {0};
  int error = users_user_service_dispatch((const users_user_service *)self, path, request, &served, &w);
  if (!error) {
    uint8_t *copy = (uint8_t *)weir_alloc(arena, w.size + 1);
    if (w.size) memcpy(copy, w.data, w.size);
    response->data = copy;
    response->size = w.size;
  }
  free(w.data);
  weir_free(&served);
  return error;
}
static int refuses(void *self, const char *path, weir_bytes request, weir_arena *arena, weir_bytes *response) {
  (void)self; (void)path; (void)request; (void)arena; (void)response;
  return 73;
}
static int tells_rubbish(void *self, const char *path, weir_bytes request, weir_arena *arena, weir_bytes *response) {
  (void)self; (void)path; (void)request; (void)arena;
  *response = weir_text("\x0b");
  return 0;
}

static int maps(void) {
  int calls = 0;
  users_user_service service = {&calls, get_user, put_user};
  users_user_service_client client = {ask, &service}, cut_off = {refuses, NULL}, fooled = {tells_rubbish, NULL};
  weir_arena arena = {0};
  weir_bytes none = {NULL, 0};
  users_get_user_request request;
  users_get_user_response response;
  users_user user;
  users_get_user_request_init(&request);
  request.which = USERS_GET_USER_REQUEST_ID;
  request.as.id = 9;
  assert(users_user_service_client_get_user(&client, &request, &arena, &response) == 0);
  assert(response.has_user && response.user.id == 9 && response.user.name.size == 3 && memcmp(response.user.name.data, "Ann", 3) == 0);
  users_user_init(&user);
  user.name = weir_text("Bea");
  user.id = -3;
  assert(users_user_service_client_put_user(&client, &user, &arena, &response) == 0);
  assert(response.has_user && response.user.id == -3 && memcmp(response.user.name.data, "Bea", 3) == 0);
  assert(calls == 2);
  request.which = USERS_GET_USER_REQUEST_NAME;
  request.as.name = weir_text("Ann");
  assert(users_user_service_client_get_user(&client, &request, &arena, &response) == 28);
  assert(users_user_service_client_put_user(&cut_off, &user, &arena, &response) == 73);
  assert(users_user_service_client_put_user(&fooled, &user, &arena, &response) < 0);
  {
    weir_writer w = {0};
    assert(users_user_service_dispatch(&service, "/demo.v1.UserService/Nope", none, &arena, &w) == WEIR_NOENT);
    free(w.data);
  }
  weir_free(&arena);
  return 0;
}
