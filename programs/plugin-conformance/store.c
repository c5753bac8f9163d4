/* store.c - the sequences of calls that most storage rules are made of. */
#include "programs/plugin-conformance/store.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>

int conf_store_open(struct conf_store *store, const struct conf *conf, const struct bo_pair *wrong) {
  *store = (struct conf_store){.conf = conf, .operations = conf->plugin->operations.storage};
  conf_host_open(&store->host);
  conf_config(conf, wrong, NULL, NULL, &store->config);
  int result = CONF_CALL(
      "open", store->operations->open(&store->host.table, &store->config.table, &store->instance, &store->error),
      &store->error);
  if (result != BO_OK) store->instance = NULL;
  return result;
}

void conf_must_open(struct conf_store *store, const struct conf *conf) {
  CONF_HOLDS(conf_store_open(store, conf, NULL) == BO_OK, "open() failed: %s", store->error.text);
}

void conf_store_close(struct conf_store *store) {
  conf_at("close");
  if (store->instance != NULL) store->operations->close(store->instance);
  conf_at(NULL);
  store->instance = NULL;
  bo_config_free(&store->config);
  conf_host_close(&store->host);
}

struct conf_key conf_key(const struct conf *conf, const char *name) {
  struct conf_key key;
  (void)snprintf(key.text, sizeof(key.text), "%s%s", conf->prefix, name);
  return key;
}

/* ---- puts ---- */

int conf_put_begin(struct conf_store *store, const char *key, const void *bytes, size_t size, struct bo_token *token,
                   void **put) {
  struct bo_put_options options = {.header = BO_HEADER(struct bo_put_options), .size_hint_bytes = -1};
  int result = CONF_STORE(store, put_open, store->instance, key, &options, token, put);
  if (result != BO_OK || size == 0) return result;
  result = CONF_STORE(store, put_write, *put, bytes, size);
  if (result == BO_OK) return BO_OK;
  struct bo_error kept = store->error;
  (void)CONF_STORE(store, put_close, *put);
  store->error = kept;
  return result;
}

void conf_must_begin(struct conf_store *store, const char *key, const void *bytes, size_t size, struct bo_token *token,
                     void **put) {
  CONF_HOLDS(conf_put_begin(store, key, bytes, size, token, put) == BO_OK, "a put failed: %s", store->error.text);
}

int conf_put(struct conf_store *store, const char *key, const void *bytes, size_t size, struct bo_object *object) {
  struct bo_object unwanted = {.size = sizeof(unwanted)};
  struct bo_token token;
  void *put = NULL;
  int result = conf_put_begin(store, key, bytes, size, &token, &put);
  if (result != BO_OK) return result;
  result = CONF_STORE(store, put_commit, put, object == NULL ? &unwanted : object);
  struct bo_error kept = store->error;
  int closed = CONF_STORE(store, put_close, put);
  if (result != BO_OK) store->error = kept;
  return result != BO_OK ? result : closed;
}

void conf_must_put(struct conf_store *store, const char *key, const void *bytes, size_t size,
                   struct bo_object *object) {
  CONF_HOLDS(conf_put(store, key, bytes, size, object) == BO_OK, "storing %zu bytes failed: %s", size,
             store->error.text);
}

/* ---- what is there ---- */

int conf_stat(struct conf_store *store, const char *key, struct bo_object *object) {
  *object = (struct bo_object){.size = sizeof(*object)};
  return CONF_STORE(store, stat, store->instance, key, object);
}

int conf_get(struct conf_store *store, const char *key, uint64_t offset_bytes, const char *if_match, size_t capacity,
             struct bo_buffer *bytes) {
  struct bo_object object = {.size = sizeof(object)};
  void *get = NULL;
  bo_buffer_clear(bytes);
  int result = CONF_STORE(store, get_open, store->instance, key, offset_bytes, if_match, &object, &get);
  if (result != BO_OK) return result;
  for (size_t size = 1; result == BO_OK && size > 0;) {
    if (!bo_buffer_reserve(bytes, capacity)) conf_skip("out of memory");
    size = 0;
    result = CONF_STORE(store, get_read, get, bytes->bytes + bytes->size, capacity, &size);
    CONF_HOLDS(size <= capacity, "get_read() gave %zu bytes where there was room for %zu", size, capacity);
    if (result == BO_OK) bytes->size += size;
  }
  conf_at("get_close");
  store->operations->get_close(get);
  conf_at(NULL);
  return result;
}

void conf_must_be(struct conf_store *store, const char *key, const void *bytes, size_t size, const char *when) {
  BO_CLEANUP_BUFFER struct bo_buffer found = BO_BUFFER_INIT;
  CONF_HOLDS(conf_get(store, key, 0, NULL, 65536, &found) == BO_OK, "%s, the object cannot be read: %s", when,
             store->error.text);
  CONF_HOLDS(found.size == size && (size == 0 || memcmp(found.bytes, bytes, size) == 0),
             "%s, the object's %zu bytes are not the %zu that were stored", when, found.size, size);
}

void conf_must_be_absent(struct conf_store *store, const char *key, const char *when) {
  struct bo_object object;
  bool more = false;
  BO_CLEANUP_BUFFER struct bo_buffer bytes = BO_BUFFER_INIT;
  CONF_HOLDS(conf_stat(store, key, &object) != BO_OK, "%s, stat() finds an object at the key", when);
  CONF_HOLDS(conf_get(store, key, 0, NULL, 4096, &bytes) != BO_OK, "%s, the key can be read", when);
  CONF_HOLDS(conf_list(store, store->conf->prefix, NULL, 10000, &bytes, &more) == BO_OK, "%s, list() failed: %s", when,
             store->error.text);
  char line[BO_KEY_MAX + 2];
  (void)snprintf(line, sizeof(line), "%.*s\n", BO_KEY_MAX, key);
  CONF_HOLDS(strstr(bo_buffer_text(&bytes), line) == NULL, "%s, list() has the key", when);
}

static int add_key(void *context, const char *key, const struct bo_object *object) {
  struct bo_buffer *keys = context;
  (void)object;
  (void)bo_buffer_printf(keys, "%s\n", key);
  return 0;
}

int conf_list(struct conf_store *store, const char *prefix, const char *after, uint32_t limit, struct bo_buffer *keys,
              bool *more) {
  int is_more = 0;
  bo_buffer_clear(keys);
  int result = CONF_STORE(store, list, store->instance, prefix, after, limit, add_key, keys, &is_more);
  *more = is_more != 0;
  return result;
}

/* ---- processes ---- */

pid_t conf_fork(void (*function)(struct conf *conf, void *context), struct conf *conf, void *context) {
  pid_t pid = fork();
  if (pid < 0) conf_skip("no process can be started");
  if (pid > 0) return pid;
  function(conf, context);
  _exit(0);
}

void conf_join(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  /* What broke the rule there has given its verdict already. */
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  conf_broken("a second process that used the plugin died (%s %d)", WIFSIGNALED(status) ? "signal" : "status",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

void *conf_share(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) conf_skip("out of memory");
  return memory;
}
