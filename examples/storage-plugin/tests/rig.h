/*
 * tests/rig.h - what the tests of a storage plugin need: a host, a configuration, and short ways to the operations.
 *
 * The plugin is loaded as the real host does it, but from below: the tests see what it answers, not what a host makes
 * of that. The server is on this machine, so the tests look at its folder directly.
 */
#ifndef STORAGE_SFTP_RIG_H
#define STORAGE_SFTP_RIG_H

#include <backup-operator/plugin.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- checks: a failed one ends the case, which runs in a process of its own ---- */

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      printf("# %s:%d: %s: %s\n", __FILE__, __LINE__, #condition, rig.error.text); \
      exit(1);                                                                     \
    }                                                                              \
  } while (0)

#define OK(call) CHECK((call) == BO_OK)
#define FAILS(call, class)                      \
  do {                                          \
    rig.error = (struct bo_error)BO_ERROR_INIT; \
    CHECK((call) != BO_OK);                     \
    CHECK(rig.error.error_class == (class));    \
    CHECK(rig.error.text[0] != '\0');           \
  } while (0)

static struct {
  const struct bo_plugin *plugin;
  const struct bo_storage_operations *ops;
  struct bo_host host;
  struct bo_error error;
  const char *folder; /* the storage's, on this machine */
  const char *faults; /* the file that faulty_server.c reads */
  atomic_long allocations, live, fail_at;
  atomic_bool cancelled;
} rig;

/* ---- the host ---- */

static bool refuses(void) {
  return atomic_fetch_add(&rig.allocations, 1) + 1 == atomic_load(&rig.fail_at);
}

static void *host_alloc(void *context, size_t size) {
  (void)context;
  if (refuses()) return NULL;
  void *memory = malloc(size == 0 ? 1 : size);
  if (memory != NULL) atomic_fetch_add(&rig.live, 1);
  return memory;
}

static void *host_realloc(void *context, void *memory, size_t size) {
  if (memory == NULL) return host_alloc(context, size);
  return refuses() ? NULL : realloc(memory, size == 0 ? 1 : size);
}

static void host_free(void *context, void *memory) {
  (void)context;
  if (memory == NULL) return;
  atomic_fetch_sub(&rig.live, 1);
  free(memory);
}

static void host_log(void *context, int level, const char *text) {
  (void)context;
  (void)level;
  (void)text;
}

static int host_cancelled(void *context) {
  (void)context;
  return atomic_load(&rig.cancelled);
}

static int host_sleep_ms(void *context, uint32_t milliseconds) {
  (void)usleep(milliseconds * 1000);
  return host_cancelled(context);
}

static uint64_t host_monotonic_ns(void *context) {
  (void)context;
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int host_random(void *context, void *bytes, size_t size) {
  (void)context;
  return getrandom(bytes, size, 0) != (ssize_t)size;
}

static void load(const char *path) {
  rig.host = (struct bo_host){.header = BO_HEADER(struct bo_host),
                              .alloc = host_alloc,
                              .realloc = host_realloc,
                              .free = host_free,
                              .log = host_log,
                              .cancelled = host_cancelled,
                              .sleep_ms = host_sleep_ms,
                              .monotonic_ns = host_monotonic_ns,
                              .random = host_random};
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) {
    printf("Bail out! %s\n", dlerror());
    exit(1);
  }
  bo_plugin_init_function *init = NULL;
  *(void **)&init = dlsym(handle, BO_PLUGIN_INIT_SYMBOL);
  rig.plugin = init == NULL ? NULL : init(&rig.host, &rig.error);
  if (rig.plugin == NULL) {
    printf("Bail out! the plugin does not begin: %s\n", rig.error.text);
    exit(1);
  }
  rig.ops = rig.plugin->operations;
}

/* ---- a storage ---- */

/* One that tests change, NULL: as in the environment variable SFTP_TEST_<KEY>, or the default. */
struct setting {
  const char *key;
  const char *value;
};

static const char *setting_of(const struct bo_param *param, const struct setting *changed) {
  char name[64] = "SFTP_TEST_";
  for (; changed != NULL && changed->key != NULL; changed++)
    if (strcmp(changed->key, param->key) == 0) return changed->value;
  (void)snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s", param->key);
  const char *value = getenv(name);
  return value != NULL ? value : param->default_value;
}

static int try_open(void **storage, const struct setting *changed) {
  struct bo_value values[32] = {{0}};
  struct bo_pair repeated[32];
  struct bo_config config = {.header = BO_HEADER(struct bo_config), .values = values, .repeated = repeated};
  config.value_count = rig.plugin->param_count;
  for (uint32_t i = 0; i < rig.plugin->param_count; i++) {
    const struct bo_param *param = &rig.plugin->params[i];
    const char *text = setting_of(param, changed);
    if (text == NULL) continue;
    values[i] = (struct bo_value){.is_set = 1, .string = text, .integer = strtol(text, NULL, 10)};
    if (param->flags & BO_PARAM_REPEATED) repeated[config.repeated_count++] = (struct bo_pair){param->key, text};
  }
  return rig.ops->open(&rig.host, &config, storage, &rig.error);
}

static void *open_storage(void) {
  void *storage = NULL;
  OK(try_open(&storage, NULL));
  return storage;
}

static void close_storage(void *storage) {
  rig.ops->close(storage);
  CHECK(atomic_load(&rig.live) == 0);
}

/* ---- short ways ---- */

static int put_open(void *storage, const char *key, struct bo_token *token, void **put) {
  const struct bo_pair pairs[] = {{"run-uid", "1234"}, {"attempt", "1"}};
  struct bo_put_options options = {
      .header = BO_HEADER(struct bo_put_options), .metadata = pairs, .metadata_count = 2, .size_hint_bytes = -1};
  return rig.ops->put_open(storage, key, &options, token, put, &rig.error);
}

/* Everything of a put; fills *object. */
static int store_bytes(void *storage, const char *key, const void *bytes, size_t size, struct bo_object *object) {
  struct bo_token token;
  void *put = NULL;
  *object = (struct bo_object){.size = sizeof(*object)};
  int result = put_open(storage, key, &token, &put);
  if (result != BO_OK) return result;
  result = rig.ops->put_write(put, bytes, size, &rig.error);
  if (result == BO_OK) result = rig.ops->put_commit(put, object, &rig.error);
  struct bo_error closing = BO_ERROR_INIT;
  int closed = rig.ops->put_close(put, &closing);
  if (result == BO_OK && closed != BO_OK) {
    rig.error = closing;
    return closed;
  }
  return result;
}

static int store_text(void *storage, const char *key, const char *text) {
  struct bo_object object;
  return store_bytes(storage, key, text, strlen(text), &object);
}

static int stat_object(void *storage, const char *key, struct bo_object *object) {
  *object = (struct bo_object){.size = sizeof(*object)};
  return rig.ops->stat(storage, key, object, &rig.error);
}

/* Reads an object to its end; *size is what there was. */
static int read_bytes(void *storage, const char *key, uint64_t offset, const char *if_match, unsigned char *bytes,
                      size_t capacity, size_t *size) {
  struct bo_object object = {.size = sizeof(object)};
  void *get = NULL;
  int result = rig.ops->get_open(storage, key, offset, if_match, &object, &get, &rig.error);
  if (result != BO_OK) return result;
  for (*size = 0;;) {
    size_t count = 0;
    result = rig.ops->get_read(get, bytes + *size, capacity - *size, &count, &rig.error);
    if (result != BO_OK || count == 0) break;
    *size += count;
    CHECK(*size < capacity);
  }
  rig.ops->get_close(get);
  return result;
}

static bool reads_as(void *storage, const char *key, const char *text) {
  unsigned char bytes[4096];
  size_t size = 0;
  return read_bytes(storage, key, 0, NULL, bytes, sizeof(bytes), &size) == BO_OK && size == strlen(text) &&
         memcmp(bytes, text, size) == 0;
}

/* ---- the server's side ---- */

static const char *on_disk(const char *name) {
  static char path[4096];
  (void)snprintf(path, sizeof(path), "%s/%s", rig.folder, name);
  return path;
}

static bool is_on_disk(const char *name) {
  return access(on_disk(name), F_OK) == 0;
}

/* Calls `each` with the path of every file in a folder of the storage; returns their number. */
static int count_files(const char *folder, void (*each)(const char *path)) {
  int count = 0;
  DIR *entries = opendir(on_disk(folder));
  if (entries == NULL) return 0;
  for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    char path[8192];
    struct stat status;
    (void)snprintf(path, sizeof(path), "%s/%s/%s", rig.folder, folder, entry->d_name);
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) continue;
    count++;
    if (each != NULL) each(path);
  }
  (void)closedir(entries);
  return count;
}

/* What is left of puts, and the records of objects. */
static int left_of_puts(void) {
  return count_files(".storage-sftp", NULL);
}
static int records(void) {
  return count_files(".storage-sftp/metadata", NULL);
}

/* What goes wrong on the next connections, a line for each. */
static void set_faults(const char *lines) {
  FILE *file = fopen(rig.faults, "w");
  CHECK(file != NULL && fputs(lines, file) >= 0 && fclose(file) == 0);
}

static bool says(const char *text) {
  return strstr(rig.error.text, text) != NULL;
}

/* ---- cases: each is a process of its own, with an empty folder on the server, and writes one line of TAP ---- */

struct test_case {
  const char *name;
  void (*run)(void);
};
#define CASE(name) \
  { #name, name }

static bool run_case(const char *plugin, const struct test_case *test) {
  char template[4096];
  int status = 0;
  (void)snprintf(template, sizeof(template), "%s/store-XXXXXX", getenv("SFTP_TEST_FOLDERS"));
  rig.folder = mkdtemp(template);
  if (rig.folder == NULL) return false;
  (void)fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    (void)setenv("SFTP_TEST_path", rig.folder, 1);
    (void)alarm(120);
    load(plugin);
    set_faults("");
    test->run();
    exit(0);
  }
  if (waitpid(child, &status, 0) != child) return false;
  if (WIFSIGNALED(status)) printf("# it was ended by signal %d\n", WTERMSIG(status));
  return status == 0;
}

/* The arguments are the plugin and, for a single case, its name; the rest is in the environment (tests/run). */
static int run_cases(const struct test_case *cases, size_t count, int argc, char **argv) {
  bool failed = false;
  rig.faults = getenv("SFTP_TEST_FAULTS");
  if (argc < 2 || rig.faults == NULL || getenv("SFTP_TEST_FOLDERS") == NULL) {
    (void)fprintf(stderr, "usage: tests/run starts this, with a server\n");
    return 2;
  }
  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  for (size_t i = 0; i < count; i++) {
    if (argc > 2 && strcmp(argv[2], cases[i].name) != 0) continue;
    bool passed = run_case(argv[1], &cases[i]);
    failed |= !passed;
    printf("%s - ", passed ? "ok" : "not ok");
    for (const char *c = cases[i].name; *c != '\0'; c++)
      (void)putchar(*c == '_' ? ' ' : *c);
    (void)putchar('\n');
  }
  return failed;
}

#endif
