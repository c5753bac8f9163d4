/* rules_storage.c - a put, from its open to its end, whichever end that is; and probe. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "programs/plugin-conformance/store.h"

static const char old_bytes[] = "the object that was there before";
static const char new_bytes[] = "the object that takes its place, which is longer";

/* ---- STO-001 to STO-003: an object, once it is committed ---- */

static void read_elsewhere(struct conf *conf, void *context) {
  struct conf_store store;
  (void)context;
  conf_must_open(&store, conf);
  conf_must_be(&store, conf_key(conf, "object").text, new_bytes, sizeof(new_bytes), "right after the commit");
  conf_store_close(&store);
}

static void put_elsewhere(struct conf *conf, void *context) {
  struct conf_store store;
  (void)context;
  conf_must_open(&store, conf);
  conf_must_put(&store, conf_key(conf, "object").text, new_bytes, sizeof(new_bytes), NULL);
  conf_store_close(&store);
}

static void read_after_commit(struct conf *conf) {
  conf_join(conf_fork(put_elsewhere, conf, NULL));
  conf_join(conf_fork(read_elsewhere, conf, NULL));
}

static void check_object(const struct bo_object *object, size_t size, const char *function) {
  CONF_HOLDS(object->size_bytes == size, "%s says that an object of %zu bytes has %llu", function, size,
             (unsigned long long)object->size_bytes);
  CONF_HOLDS(memchr(object->etag, '\0', sizeof(object->etag)) != NULL && object->etag[0] != '\0', "%s gives no etag",
             function);
}

static int check_listed(void *context, const char *key, const struct bo_object *object) {
  (void)key;
  check_object(object, sizeof(new_bytes), "list()");
  ++*(unsigned *)context;
  return 0;
}

static void described_the_same(struct conf *conf) {
  struct conf_store store;
  struct bo_object committed = {.size = sizeof(committed)}, found, got = {.size = sizeof(got)};
  struct conf_key key = conf_key(conf, "object");
  void *get = NULL;
  unsigned count = 0;
  int more = 0;
  conf_must_open(&store, conf);
  conf_must_put(&store, key.text, new_bytes, sizeof(new_bytes), &committed);
  check_object(&committed, sizeof(new_bytes), "put_commit()");
  CONF_HOLDS(conf_stat(&store, key.text, &found) == BO_OK, "stat() failed: %s", store.error.text);
  check_object(&found, sizeof(new_bytes), "stat()");
  CONF_HOLDS(strcmp(found.etag, committed.etag) == 0, "put_commit() gave the etag \"%s\", stat() \"%s\"",
             committed.etag, found.etag);
  CONF_HOLDS(CONF_STORE(&store, get_open, store.instance, key.text, 9, NULL, &got, &get) == BO_OK,
             "get_open() failed: %s", store.error.text);
  check_object(&got, sizeof(new_bytes), "get_open()");
  CONF_HOLDS(strcmp(got.etag, committed.etag) == 0, "put_commit() gave the etag \"%s\", get_open() \"%s\"",
             committed.etag, got.etag);
  store.operations->get_close(get);
  CONF_HOLDS(CONF_STORE(&store, list, store.instance, conf->prefix, NULL, 10, check_listed, &count, &more) == BO_OK,
             "list() failed: %s", store.error.text);
  CONF_HOLDS(count == 1, "list() has %u objects, where there is one", count);
  conf_store_close(&store);
}

static void object_sizes(struct conf *conf) {
  enum { MOST = 3000001 };
  static const size_t some[][2] = {{0, 1}, {1, 1}, {1000, 1}, {65536, 65536}, {100001, 777}, {MOST, 1 << 20}};
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  unsigned char *bytes = malloc(MOST);
  if (bytes == NULL) conf_skip("out of memory");
  conf_noise(bytes, MOST, 1);
  conf_must_open(&store, conf);
  for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
    size_t size = some[i][0];
    struct bo_object object = {.size = sizeof(object)};
    struct bo_token token;
    void *put = NULL;
    conf_must_begin(&store, key.text, NULL, 0, &token, &put);
    for (size_t position = 0; position < size;) {
      size_t part = size - position < some[i][1] ? size - position : some[i][1];
      CONF_HOLDS(CONF_STORE(&store, put_write, put, bytes + position, part) == BO_OK, "put_write() failed: %s",
                 store.error.text);
      position += part;
    }
    CONF_HOLDS(CONF_STORE(&store, put_commit, put, &object) == BO_OK, "committing %zu bytes failed: %s", size,
               store.error.text);
    CONF_HOLDS(CONF_STORE(&store, put_close, put) == BO_OK, "put_close() failed: %s", store.error.text);
    CONF_HOLDS(object.size_bytes == size, "of %zu bytes, %llu were committed", size,
               (unsigned long long)object.size_bytes);
    conf_must_be(&store, key.text, bytes, size, "written in many pieces");
  }
  conf_store_close(&store);
  free(bytes);
}

/* ---- STO-004 to STO-007: not before the commit, and not without it ---- */

static void invisible_before_commit(struct conf *conf) {
  struct conf_store store, other;
  struct conf_key key = conf_key(conf, "object");
  struct bo_object object = {.size = sizeof(object)};
  struct bo_token token;
  void *put = NULL;
  conf_must_open(&store, conf);
  conf_must_open(&other, conf);
  conf_must_begin(&store, key.text, NULL, 0, &token, &put);
  conf_must_be_absent(&other, key.text, "after put_open(), before the commit");
  CONF_HOLDS(CONF_STORE(&store, put_write, put, new_bytes, sizeof(new_bytes)) == BO_OK, "put_write() failed: %s",
             store.error.text);
  conf_must_be_absent(&other, key.text, "after put_write(), before the commit");
  CONF_HOLDS(CONF_STORE(&store, put_commit, put, &object) == BO_OK, "put_commit() failed: %s", store.error.text);
  conf_must_be(&other, key.text, new_bytes, sizeof(new_bytes), "after the commit, before put_close()");
  (void)CONF_STORE(&store, put_close, put);
  conf_store_close(&other);
  conf_store_close(&store);
}

static void older_stays_until_commit(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct bo_object object = {.size = sizeof(object)};
  struct bo_token token;
  void *put = NULL;
  conf_must_open(&store, conf);
  conf_must_put(&store, key.text, old_bytes, sizeof(old_bytes), NULL);
  conf_must_begin(&store, key.text, new_bytes, sizeof(new_bytes), &token, &put);
  conf_must_be(&store, key.text, old_bytes, sizeof(old_bytes), "before the commit of another put to its key");
  CONF_HOLDS(CONF_STORE(&store, put_commit, put, &object) == BO_OK, "put_commit() failed: %s", store.error.text);
  CONF_HOLDS(CONF_STORE(&store, put_close, put) == BO_OK, "put_close() failed: %s", store.error.text);
  conf_must_be(&store, key.text, new_bytes, sizeof(new_bytes), "after a commit in place of an older object");
  conf_store_close(&store);
}

static void nothing_after_abort(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "fresh"), old = conf_key(conf, "old");
  struct bo_token token;
  void *put = NULL;
  conf_must_open(&store, conf);
  conf_must_put(&store, old.text, old_bytes, sizeof(old_bytes), NULL);
  conf_must_begin(&store, key.text, new_bytes, sizeof(new_bytes), &token, &put);
  CONF_HOLDS(CONF_STORE(&store, put_close, put) == BO_OK, "an abort failed: %s", store.error.text);
  conf_must_be_absent(&store, key.text, "after an abort");
  conf_must_begin(&store, old.text, new_bytes, sizeof(new_bytes), &token, &put);
  CONF_HOLDS(CONF_STORE(&store, put_close, put) == BO_OK, "an abort failed: %s", store.error.text);
  conf_must_be(&store, old.text, old_bytes, sizeof(old_bytes), "after an abort of another put to its key");
  conf_store_close(&store);
}

static void nothing_after_close(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct bo_token token;
  void *put = NULL;
  conf_must_open(&store, conf);
  conf_must_begin(&store, key.text, new_bytes, sizeof(new_bytes), &token, &put);
  conf_store_close(&store);
  conf_must_open(&store, conf);
  conf_must_be_absent(&store, key.text, "after the storage was closed with a put open");
  conf_store_close(&store);
}

/* ---- STO-008 to STO-011: ended from elsewhere ---- */

struct crashed {
  struct bo_token token;
  volatile int begun;
};

static void begin_and_wait(struct conf *conf, void *context) {
  struct crashed *crashed = context;
  struct conf_store store;
  void *put = NULL;
  conf_must_open(&store, conf);
  conf_must_begin(&store, conf_key(conf, "object").text, new_bytes, sizeof(new_bytes), &crashed->token, &put);
  crashed->begun = 1;
  for (;;)
    (void)pause();
}

/* A put by a process that is killed in the midst of it; its token remains. */
static void crash(struct conf *conf, struct crashed *crashed) {
  pid_t pid = conf_fork(begin_and_wait, conf, crashed);
  for (uint64_t end_ms = bo_monotonic_ms() + 60000; crashed->begun == 0;) {
    CONF_HOLDS(bo_monotonic_ms() < end_ms && waitpid(pid, NULL, WNOHANG) == 0,
               "a put in another process did not begin");
    (void)usleep(1000);
  }
  (void)kill(pid, SIGKILL);
  (void)waitpid(pid, NULL, 0);
}

static void nothing_after_a_crash(struct conf *conf) {
  struct conf_store store;
  struct crashed *crashed = conf_share(sizeof(*crashed));
  crash(conf, crashed);
  conf_must_open(&store, conf);
  conf_must_be_absent(&store, conf_key(conf, "object").text, "after its process was killed in the midst of a put");
  conf_must_put(&store, conf_key(conf, "object").text, old_bytes, sizeof(old_bytes), NULL);
  conf_must_be(&store, conf_key(conf, "object").text, old_bytes, sizeof(old_bytes), "after another put to that key");
  conf_store_close(&store);
}

static void discard_after_a_crash(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct crashed *crashed = conf_share(sizeof(*crashed));
  uint64_t count = 0;
  crash(conf, crashed);
  conf_must_open(&store, conf);
  for (int i = 0; i < 2; i++)
    CONF_HOLDS(CONF_STORE(&store, discard, store.instance, key.text, crashed->token.text) == BO_OK,
               "discard() of a crashed process' put failed the %s time: %s", i == 0 ? "first" : "second",
               store.error.text);
  conf_must_be_absent(&store, key.text, "after a discard");
  CONF_HOLDS(CONF_STORE(&store, sweep, store.instance, conf->prefix, 0, &count) == BO_OK, "sweep() failed: %s",
             store.error.text);
  CONF_HOLDS(count == 0, "after a discard of the only put, a sweep still ended %llu", (unsigned long long)count);
  conf_store_close(&store);
}

static void discard_elsewhere(struct conf *conf, void *context) {
  struct conf_store store;
  struct crashed *running = context;
  while (running->begun == 0)
    (void)usleep(1000);
  conf_must_open(&store, conf);
  CONF_HOLDS(CONF_STORE(&store, discard, store.instance, conf_key(conf, "object").text, running->token.text) == BO_OK,
             "discard() of a running put failed: %s", store.error.text);
  conf_store_close(&store);
}

static void no_commit_after_discard(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct crashed *running = conf_share(sizeof(*running));
  struct bo_object object = {.size = sizeof(object)};
  void *put = NULL;
  pid_t pid = conf_fork(discard_elsewhere, conf, running);
  conf_must_open(&store, conf);
  conf_must_begin(&store, key.text, new_bytes, sizeof(new_bytes), &running->token, &put);
  running->begun = 1;
  conf_join(pid);
  int result = CONF_STORE(&store, put_commit, put, &object);
  CONF_HOLDS(result != BO_OK, "a put that another process had discarded was committed");
  (void)CONF_STORE(&store, put_close, put);
  conf_must_be_absent(&store, key.text, "after the commit of a discarded put");
  conf_store_close(&store);
}

static void discard_leaves_objects(struct conf *conf) {
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct bo_object object = {.size = sizeof(object)};
  struct bo_token token;
  void *put = NULL;
  conf_must_open(&store, conf);
  conf_must_begin(&store, key.text, new_bytes, sizeof(new_bytes), &token, &put);
  CONF_HOLDS(CONF_STORE(&store, put_commit, put, &object) == BO_OK, "put_commit() failed: %s", store.error.text);
  CONF_HOLDS(CONF_STORE(&store, put_close, put) == BO_OK, "put_close() failed: %s", store.error.text);
  CONF_HOLDS(CONF_STORE(&store, discard, store.instance, key.text, token.text) == BO_OK,
             "discard() of a put that was committed failed: %s", store.error.text);
  conf_must_be(&store, key.text, new_bytes, sizeof(new_bytes), "after a discard of the put that was committed");
  conf_store_close(&store);
}

/* ---- STO-012 to STO-015 ---- */

static void own_tokens(struct conf *conf) {
  enum { PUTS = 8 };
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct bo_token tokens[PUTS];
  void *puts[PUTS];
  conf_must_open(&store, conf);
  for (int i = 0; i < PUTS; i++) {
    memset(&tokens[i], 'x', sizeof(tokens[i]));
    conf_must_begin(&store, key.text, NULL, 0, &tokens[i], &puts[i]);
    CONF_HOLDS(memchr(tokens[i].text, '\0', sizeof(tokens[i].text)) != NULL && tokens[i].text[0] != '\0',
               "put_open() gave no token");
    for (int j = 0; j < i; j++)
      CONF_HOLDS(strcmp(tokens[i].text, tokens[j].text) != 0, "two puts of one key have the same token, \"%.200s\"",
                 tokens[i].text);
  }
  for (int i = 0; i < PUTS; i++)
    CONF_HOLDS(CONF_STORE(&store, put_close, puts[i]) == BO_OK, "an abort failed: %s", store.error.text);
  conf_store_close(&store);
}

#define WRITERS 3
#define WRITER_BYTES 50000

static void write_repeatedly(struct conf *conf, void *context) {
  const unsigned char *fill = context;
  static unsigned char bytes[WRITER_BYTES];
  struct conf_store store;
  memset(bytes, *fill, sizeof(bytes));
  conf_must_open(&store, conf);
  for (int i = 0; i < 20; i++) {
    int result = conf_put(&store, conf_key(conf, "object").text, bytes, sizeof(bytes), NULL);
    int class = store.error.error_class;
    /* Who loses may be told so. */
    CONF_HOLDS(result != BO_ERROR || class == BO_CLASS_CONFLICT || class == BO_CLASS_UNDECIDED,
               "while several processes put to one key, storing failed: %s", store.error.text);
  }
  conf_store_close(&store);
}

/* Whoever wrote last: all bytes are of one writer. */
static void check_one_writers(struct conf_store *store, const char *key, const char *when) {
  BO_CLEANUP_BUFFER struct bo_buffer bytes = BO_BUFFER_INIT;
  int result = conf_get(store, key, 0, NULL, 65536, &bytes);
  if (result != BO_OK && (store->error.error_class == BO_CLASS_CONFLICT || result == BO_RETRY)) return;
  CONF_HOLDS(result == BO_OK, "%s, reading failed: %s", when, store->error.text);
  unsigned char fill = bytes.size == 0 ? 0 : (unsigned char)bytes.bytes[0];
  CONF_HOLDS(bytes.size == WRITER_BYTES, "%s, an object of %zu bytes was read, which nobody wrote", when, bytes.size);
  for (size_t i = 0; i < bytes.size; i++)
    CONF_HOLDS((unsigned char)bytes.bytes[i] == fill, "%s, what was read is a mixture of two", when);
}

static void one_key_many_writers(struct conf *conf) {
  unsigned char fills[WRITERS] = {1, 2, 3};
  pid_t pids[WRITERS];
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  conf_join(conf_fork(write_repeatedly, conf, &fills[0]));
  for (int i = 0; i < WRITERS; i++)
    pids[i] = conf_fork(write_repeatedly, conf, &fills[i]);
  conf_must_open(&store, conf);
  for (int i = 0; i < 50; i++)
    check_one_writers(&store, key.text, "while several processes put to one key");
  for (int i = 0; i < WRITERS; i++)
    conf_join(pids[i]);
  check_one_writers(&store, key.text, "after several processes put to one key");
  conf_store_close(&store);
}

static void sweeps(struct conf *conf) {
  struct conf_store store, other;
  struct conf_key in = conf_key(conf, "in/object"), out = conf_key(conf, "out/object"),
                  kept = conf_key(conf, "in/kept");
  struct bo_token tokens[2];
  struct bo_object object = {.size = sizeof(object)};
  void *puts[2];
  uint64_t count = 77;
  conf_must_open(&store, conf);
  conf_must_open(&other, conf);
  conf_must_put(&store, kept.text, old_bytes, sizeof(old_bytes), NULL);
  conf_must_begin(&store, in.text, new_bytes, sizeof(new_bytes), &tokens[0], &puts[0]);
  conf_must_begin(&store, out.text, new_bytes, sizeof(new_bytes), &tokens[1], &puts[1]);
  CONF_HOLDS(CONF_STORE(&other, sweep, other.instance, conf->prefix, 3600, &count) == BO_OK && count == 0,
             "a sweep of puts older than an hour ended %llu that are seconds old: %s", (unsigned long long)count,
             other.error.text);
  (void)usleep(1100000); /* so that they are more than 0 seconds old in any clock */
  CONF_HOLDS(CONF_STORE(&other, sweep, other.instance, conf_key(conf, "in/").text, 0, &count) == BO_OK,
             "sweep() failed: %s", other.error.text);
  CONF_HOLDS(count == 1, "a sweep under a prefix with one open put ended %llu", (unsigned long long)count);
  CONF_HOLDS(CONF_STORE(&store, put_commit, puts[0], &object) != BO_OK, "a put was committed after it was swept");
  CONF_HOLDS(CONF_STORE(&store, put_commit, puts[1], &object) == BO_OK,
             "a put cannot be committed after a sweep of another prefix: %s", store.error.text);
  (void)CONF_STORE(&store, put_close, puts[0]);
  (void)CONF_STORE(&store, put_close, puts[1]);
  conf_must_be(&store, kept.text, old_bytes, sizeof(old_bytes), "after a sweep");
  conf_store_close(&other);
  conf_store_close(&store);
}

static void keeps_metadata(struct conf *conf) {
  static char names[BO_METADATA_MAX][BO_METADATA_NAME_MAX], values[BO_METADATA_MAX][BO_METADATA_VALUE_MAX];
  struct bo_pair pairs[BO_METADATA_MAX];
  for (int i = 0; i < BO_METADATA_MAX; i++) {
    (void)snprintf(names[i], sizeof(names[i]), "name-%d", i);
    (void)snprintf(values[i], sizeof(values[i]), "value %d of many: ~!\"#$%%&'()*+,-./;<=>?@[\\]^_`{|}", i);
    pairs[i] = (struct bo_pair){names[i], values[i]};
  }
  struct conf_store store;
  struct conf_key key = conf_key(conf, "object");
  struct bo_put_options options = {.header = BO_HEADER(struct bo_put_options),
                                   .metadata = pairs,
                                   .metadata_count = BO_METADATA_MAX,
                                   .size_hint_bytes = 5};
  struct bo_object objects[2] = {{.size = sizeof(objects[0])}, {.size = sizeof(objects[0])}};
  struct bo_token token;
  void *put = NULL, *get = NULL;
  conf_must_open(&store, conf);
  CONF_HOLDS(CONF_STORE(&store, put_open, store.instance, key.text, &options, &token, &put) == BO_OK,
             "a put with metadata failed: %s", store.error.text);
  CONF_HOLDS(CONF_STORE(&store, put_write, put, "hello", 5) == BO_OK, "put_write() failed: %s", store.error.text);
  CONF_HOLDS(CONF_STORE(&store, put_commit, put, &objects[0]) == BO_OK, "put_commit() failed: %s", store.error.text);
  CONF_HOLDS(CONF_STORE(&store, put_close, put) == BO_OK, "put_close() failed: %s", store.error.text);
  CONF_HOLDS(conf_stat(&store, key.text, &objects[0]) == BO_OK, "stat() failed: %s", store.error.text);
  CONF_HOLDS(CONF_STORE(&store, get_open, store.instance, key.text, 0, NULL, &objects[1], &get) == BO_OK,
             "get_open() failed: %s", store.error.text);
  store.operations->get_close(get);
  for (int o = 0; o < 2; o++) {
    const char *function = o == 0 ? "stat()" : "get_open()";
    CONF_HOLDS(objects[o].metadata_count == BO_METADATA_MAX, "%s gives %u of %d metadata", function,
               objects[o].metadata_count, BO_METADATA_MAX);
    for (int i = 0; i < BO_METADATA_MAX; i++) {
      bool found = false;
      for (int j = 0; j < BO_METADATA_MAX && !found; j++)
        found =
            strcmp(objects[o].metadata[j].name, names[i]) == 0 && strcmp(objects[o].metadata[j].value, values[i]) == 0;
      CONF_HOLDS(found, "%s does not give back the metadata %s = %s", function, names[i], values[i]);
    }
  }
  conf_store_close(&store);
}

/* ---- STO-016 to STO-018 ---- */

static void probes(struct conf *conf) {
  static const uint32_t whats[] = {BO_PROBE_READ, BO_PROBE_WRITE, BO_PROBE_READ | BO_PROBE_WRITE};
  struct conf_store store;
  bool more = false;
  BO_CLEANUP_BUFFER struct bo_buffer before = BO_BUFFER_INIT, after = BO_BUFFER_INIT;
  conf_must_open(&store, conf);
  CONF_HOLDS(conf_list(&store, "", NULL, 100000, &before, &more) == BO_OK, "list() failed: %s", store.error.text);
  for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++)
    CONF_HOLDS(CONF_STORE(&store, probe, store.instance, whats[i]) == BO_OK, "probe() of a good place failed: %s",
               store.error.text);
  CONF_HOLDS(conf_list(&store, "", NULL, 100000, &after, &more) == BO_OK, "list() failed: %s", store.error.text);
  if (strstr(bo_buffer_text(&before), "conformance-") == NULL && strstr(bo_buffer_text(&after), "conformance-") == NULL)
    CONF_HOLDS(strcmp(bo_buffer_text(&before), bo_buffer_text(&after)) == 0, "probe() left something behind");
  conf_store_close(&store);
}

static void names_what_is_missing(struct conf *conf) {
  const struct conf_settings *settings = conf->settings;
  if (settings->wrong_count == 0) conf_skip("name a place that does not exist with --wrong KEY=VALUE");
  for (size_t i = 0; i < settings->wrong_count; i++) {
    const struct bo_pair *wrong = &settings->wrong[i];
    struct conf_store store;
    int result = conf_store_open(&store, conf, wrong);
    if (result == BO_OK) result = CONF_STORE(&store, probe, store.instance, BO_PROBE_READ | BO_PROBE_WRITE);
    CONF_HOLDS(result != BO_OK, "with %s=%s, probe() says that all is well", wrong->name, wrong->value);
    int class = store.error.error_class;
    CONF_HOLDS(class == BO_CLASS_CONFIG || class == BO_CLASS_AUTH || class == BO_CLASS_NOT_FOUND ||
                   class == BO_CLASS_NETWORK || class == BO_CLASS_TIMEOUT,
               "with %s=%s, probe()'s error has the class %d: config, auth, not-found, network or timeout would tell "
               "whom to ask",
               wrong->name, wrong->value, class);
    CONF_HOLDS(strstr(store.error.text, wrong->value) != NULL, "with %s=%s, probe()'s error does not name it: %s",
               wrong->name, wrong->value, store.error.text);
    conf_store_close(&store);
  }
}

static void storage_memory_as_stated(struct conf *conf) {
  enum { BLOCK = 1 << 18, BLOCKS = 256, SLACK_BYTES = 262144 };
  static unsigned char block[BLOCK];
  struct conf_store store;
  struct bo_object object = {.size = sizeof(object)};
  struct bo_token token;
  void *put = NULL, *get = NULL;
  size_t most = 0, size = 1;
  if (CONF_SANITIZED) conf_skip("memory cannot be measured with sanitizers");
  conf_noise(block, sizeof(block), 9);
  conf_must_open(&store, conf);
  conf_must_put(&store, conf_key(conf, "first").text, "x", 1, NULL); /* what libraries take once and for all */
  conf_store_close(&store);
  size_t before = conf_heap_bytes();
  conf_must_open(&store, conf);
  struct conf_key key = conf_key(conf, "object");
  conf_must_begin(&store, key.text, NULL, 0, &token, &put);
  for (int i = 0; i < BLOCKS; i++) {
    CONF_HOLDS(CONF_STORE(&store, put_write, put, block, sizeof(block)) == BO_OK, "put_write() failed: %s",
               store.error.text);
    if (conf_heap_bytes() > before + most) most = conf_heap_bytes() - before;
  }
  CONF_HOLDS(CONF_STORE(&store, put_commit, put, &object) == BO_OK, "put_commit() failed: %s", store.error.text);
  CONF_HOLDS(CONF_STORE(&store, put_close, put) == BO_OK, "put_close() failed: %s", store.error.text);
  CONF_HOLDS(CONF_STORE(&store, get_open, store.instance, key.text, 0, NULL, &object, &get) == BO_OK,
             "get_open() failed: %s", store.error.text);
  while (size > 0) {
    CONF_HOLDS(CONF_STORE(&store, get_read, get, block, sizeof(block), &size) == BO_OK, "get_read() failed: %s",
               store.error.text);
    if (conf_heap_bytes() > before + most) most = conf_heap_bytes() - before;
  }
  store.operations->get_close(get);
  uint64_t stated = store.operations->memory_bytes(&store.config.table, -1);
  CONF_HOLDS(most <= stated + SLACK_BYTES,
             "while 64 MiB were put and got, an instance used %zu bytes; memory_bytes() says %llu", most,
             (unsigned long long)stated);
  conf_store_close(&store);
}

const struct conf_rule conf_storage_rules[] = {
    {.id = "STO-001",
     .kinds = CONF_STORAGE,
     .after = "LIF-001",
     .sentence = "What one process commits, another one reads at once, whole.",
     .why = "The operator checks an object right after the runner's commit, from a process of its own.",
     .mend = "Return from put_commit only when the object is where everybody looks for it.",
     .run = read_after_commit},
    {.id = "STO-002",
     .kinds = CONF_STORAGE,
     .after = "LIF-001",
     .sentence = "put_commit, stat, get_open and list say the same size, and an etag, of one object.",
     .why = "A backup counts as successful only if the size that is found agrees with what was written.",
     .mend = "Fill struct bo_object from what is stored, in one function for all of them.",
     .run = described_the_same},
    {.id = "STO-003",
     .kinds = CONF_STORAGE,
     .after = "LIF-001",
     .sentence = "Objects of any size are stored, an empty one too, written in pieces of any size.",
     .why = "An empty dump is a dump. Blocks come as the codec gives them.",
     .mend = "Mind storages that need at least one part, or parts of equal size.",
     .run = object_sizes},
    {.id = "STO-004",
     .kinds = CONF_STORAGE,
     .after = "STO-001",
     .sentence = "Before its commit nobody sees anything at the key.",
     .why = "A part of a backup that can be found can be restored.",
     .mend = "Write under another name, or by an upload that has to be completed.",
     .run = invisible_before_commit},
    {.id = "STO-005",
     .kinds = CONF_STORAGE,
     .after = "STO-004",
     .sentence = "An older object at the key stays as it is until the commit replaces it.",
     .why = "It may be the only good backup there is.",
     .mend = "Do not remove or truncate at put_open; let the commit replace it in one step.",
     .run = older_stays_until_commit},
    {.id = "STO-006",
     .kinds = CONF_STORAGE,
     .after = "STO-005",
     .sentence = "put_close without a commit leaves nothing at the key, or the older object as it was.",
     .why = "A failed backup must not look like one, nor cost the last good one.",
     .mend = "Remember in the put whether it was committed; put_close undoes it otherwise.",
     .run = nothing_after_abort},
    {.id = "STO-007",
     .kinds = CONF_STORAGE,
     .after = "STO-006",
     .sentence = "close aborts the puts that are still open.",
     .why = "A run that fails badly closes the storage and nothing else.",
     .mend = "Keep the open puts in a list in the instance; close does to each what put_close does.",
     .run = nothing_after_close},
    {.id = "STO-008",
     .kinds = CONF_STORAGE,
     .after = "STO-012",
     .sentence = "After SIGKILL in the midst of a put, nothing is at the key, and the next put to it succeeds.",
     .why = "Nodes die, and the OOM killer does not ask.",
     .mend =
         "What is not committed must not depend on somebody cleaning up; use a fresh name for each put, no lock file.",
     .run = nothing_after_a_crash},
    {.id = "STO-009",
     .kinds = CONF_STORAGE,
     .after = "STO-008",
     .sentence = "discard ends a crashed process' put by its token, from another process, any number of times.",
     .why = "Unfinished uploads cost money for ever, and the retry may come from another node.",
     .mend = "Put all that it takes to undo the put into the token; BO_OK when there is nothing to undo.",
     .run = discard_after_a_crash},
    {.id = "STO-010",
     .kinds = CONF_STORAGE,
     .after = "STO-009",
     .sentence = "A put that another process has discarded can never be committed.",
     .why = "A runner that was given up for dead may come back, and would replace the newer backup.",
     .mend = "Let the commit need the very thing that discard removes.",
     .run = no_commit_after_discard},
    {.id = "STO-011",
     .kinds = CONF_STORAGE,
     .after = "STO-009",
     .sentence = "discard of a put that was committed is BO_OK and leaves its object.",
     .why = "After a crash nobody knows whether the commit was made; discarding to be safe must not lose the backup.",
     .mend = "Let the token name the upload, not the object.",
     .run = discard_leaves_objects},
    {.id = "STO-012",
     .kinds = CONF_STORAGE,
     .after = "STO-006",
     .sentence = "Every put has a token of its own, before the first byte.",
     .why = "With one token for two puts, ending the one that failed would end the one that runs.",
     .mend = "Make it from the storage's upload id, or from host->random; fill it in put_open.",
     .run = own_tokens},
    {.id = "STO-013",
     .kinds = CONF_STORAGE,
     .after = "STO-005",
     .sentence = "Of puts to one key by several processes at once, one wins whole; nobody ever reads a mixture.",
     .why = "Two clusters may be set up to the same path; a retry may overlap with what it repeats.",
     .mend = "Write each put under a name of its own, and let one atomic step put it in place.",
     .run = one_key_many_writers},
    {.id = "STO-014",
     .kinds = CONF_STORAGE,
     .after = "STO-010",
     .sentence = "sweep ends the open puts under its prefix that are old enough, says how many, and nothing else.",
     .why = "It is run on storages that others use, too.",
     .mend = "Compare the put's key with the prefix and its beginning with the age; never touch an object.",
     .run = sweeps},
    {.id = "STO-015",
     .kinds = CONF_STORAGE,
     .after = "STO-002",
     .sentence = "All metadata of an object come back from stat and from get_open.",
     .why = "By them a run knows that an object is its own, before it removes it; and a restore what was recorded.",
     .mend = "16 pairs with values of printable ASCII must fit: see BO_METADATA_ in storage.h.",
     .run = keeps_metadata},
    {.id = "STO-016",
     .kinds = CONF_STORAGE,
     .after = "LIF-001",
     .sentence = "probe of a good place succeeds and leaves nothing behind.",
     .why = "It is called every few minutes, for ever.",
     .mend = "Remove what the probe wrote, also when it failed half-way; better, abort a put.",
     .run = probes},
    {.id = "STO-017",
     .kinds = CONF_STORAGE,
     .after = "LIF-001",
     .sentence = "probe of a place that does not exist fails, with a class that tells whom to ask, and names it.",
     .why = "A wrong parameter is found when the storage is set up, or else in the night of the first backup.",
     .mend = "Say in the error which bucket, folder or host it was; classes are in enum bo_error_class.",
     .run = names_what_is_missing},
    {.id = "STO-018",
     .kinds = CONF_STORAGE,
     .after = "LIF-001",
     .sentence = "A put or get uses no more memory than memory_bytes says.",
     .why = "The run's address space is limited by that number: beyond it allocations fail.",
     .mend = "Keep a fixed number of fixed buffers, and state them with what libraries take.",
     .run = storage_memory_as_stated},
    {.id = NULL},
};
