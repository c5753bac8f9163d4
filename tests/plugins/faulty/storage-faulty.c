/*
 * storage-faulty: the storage `file`, wrapped, that goes wrong on purpose: what the chain's tests need to show that
 * no misbehaving storage can make a run say "done". Apart from its one fault it is the real thing, so an object at the
 * key, or a file left over, is really there.
 *
 * Parameters: `path`, as of storage-file, and `fault`; see `choices`. One put and one get at a time, which is all that
 * the chain opens.
 */
#include "tests/plugins/faulty/fault.h"

/* The storage `file`, linked in, with its init function renamed. */
const struct bo_plugin *wrapped_plugin_init(const struct bo_host *host, struct bo_error *error);

enum fault {
  NONE,
  OPEN_FAILS,
  CLOSE_FAILS,
  CRASH_AT_OPEN,
  HANG_AT_OPEN,
  HANG_AT_CANCEL,
  PROBE_FAILS,
  STAT_FAILS,
  STAT_WRONG_SIZE,
  WRONG_SIZE_STAYS,
  SLOW,
  PUT_OPEN_FAILS,
  WRITE_FAILS_AT,
  WRITE_RETRIES_AT,
  CRASH_AT_WRITE,
  HANG_AT_WRITE,
  HANG_IGNORING_CANCEL,
  NONSENSE,
  LEAK,
  COMMIT_FAILS,
  COMMIT_UNDECIDED,
  COMMIT_ANSWER_LOST,
  COMMIT_WRONG_SIZE,
  CRASH_AT_COMMIT,
  CRASH_AFTER_COMMIT,
  HANG_AT_COMMIT,
  GET_FAILS_AT,
  GET_RETRIES_AT,
  GET_RESUMES_SHORT,
  GET_SHORT,
  GET_LONG,
  GET_FLIPS_AT,
  GET_NONSENSE,
  CRASH_AT_GET,
  HANG_AT_GET,
  HANG_AT_GET_IGNORING_CANCEL,
};

static const struct fault_choice choices[] = {
    {"none", NONE},
    {"open-fails", OPEN_FAILS},                     /* the instance cannot be made */
    {"crash-at-open", CRASH_AT_OPEN},               /* SIGSEGV in open */
    {"hang-at-open", HANG_AT_OPEN},                 /* for ever */
    {"hang-at-cancel", HANG_AT_CANCEL},             /* for ever, whoever it is that cancels */
    {"close-fails", CLOSE_FAILS},                   /* put_close aborts, but says that something is left */
    {"probe-fails", PROBE_FAILS},                   /* not permitted */
    {"stat-fails", STAT_FAILS},                     /* not permitted */
    {"stat-wrong-size", STAT_WRONG_SIZE},           /* one byte more than there is */
    {"wrong-size-stays", WRONG_SIZE_STAYS},         /* the same, and an object cannot be removed */
    {"slow", SLOW},                                 /* :MS before each write and read; cancelling ends it */
    {"put-open-fails", PUT_OPEN_FAILS},             /* no put is begun */
    {"write-fails-at", WRITE_FAILS_AT},             /* :N, no space */
    {"write-retries-at", WRITE_RETRIES_AT},         /* :N, BO_RETRY, after which a put is over all the same */
    {"crash-at-write", CRASH_AT_WRITE},             /* :N */
    {"hang-at-write", HANG_AT_WRITE},               /* :N, until cancelled */
    {"hang-ignoring-cancel", HANG_IGNORING_CANCEL}, /* :N, in a write, for ever */
    {"nonsense", NONSENSE},                         /* :N, a write answers 42 */
    {"leak", LEAK},                                 /* :N, a write that takes memory until there is no more */
    {"commit-fails", COMMIT_FAILS},                 /* nothing is at the key */
    {"commit-undecided", COMMIT_UNDECIDED},         /* not committed, and cannot tell */
    {"commit-answer-lost", COMMIT_ANSWER_LOST},     /* committed, and cannot tell */
    {"commit-wrong-size", COMMIT_WRONG_SIZE},       /* committed; says one byte more than was written */
    {"crash-at-commit", CRASH_AT_COMMIT},           /* before anything is visible */
    {"crash-after-commit", CRASH_AFTER_COMMIT},     /* when it is visible, but nobody was told */
    {"hang-at-commit", HANG_AT_COMMIT},             /* before anything is visible, until cancelled */
    {"get-fails-at", GET_FAILS_AT},                 /* :N, an I/O error */
    {"get-retries-at", GET_RETRIES_AT},             /* :N, BO_RETRY, once for each get that is opened */
    {"get-resumes-short", GET_RESUMES_SHORT},       /* :N, the same; what is opened again is a byte shorter */
    {"get-short", GET_SHORT},                       /* ends one byte early, as if that were the end */
    {"get-long", GET_LONG},                         /* one byte more than announced */
    {"get-flips-at", GET_FLIPS_AT},                 /* :N, one bit of what a read gives is another */
    {"get-nonsense", GET_NONSENSE},                 /* :N, a read says that it gave more than there was room for */
    {"crash-at-get", CRASH_AT_GET},                 /* :N */
    {"hang-at-get", HANG_AT_GET},                   /* :N, until cancelled */
    {"hang-at-get-ignoring-cancel", HANG_AT_GET_IGNORING_CANCEL}, /* :N, for ever */
    {NULL, 0},
};

enum { PARAM_PATH, PARAM_FAULT, PARAM_COUNT };

static const struct bo_param params[PARAM_COUNT] = {
    [PARAM_PATH] = {.key = "path",
                    .type = BO_TYPE_STRING,
                    .flags = BO_PARAM_REQUIRED,
                    .minimum = 1,
                    .maximum = 4000,
                    .description = "The folder that holds the objects"},
    [PARAM_FAULT] = {.key = "fault",
                     .type = BO_TYPE_STRING,
                     .default_value = "none",
                     .description = "What goes wrong, as NAME or NAME:NUMBER"},
};

/* A put or a get. */
struct transfer {
  struct faulty *storage;
  void *wrapped;
  int64_t calls;
  uint64_t bytes;        /* got so far, from the object's beginning */
  uint64_t object_bytes; /* announced when a get was opened */
};

struct faulty {
  const struct bo_host *host;
  const struct bo_storage_operations *operations;
  void *wrapped;
  int fault;
  int64_t number;
  struct transfer put;
  struct transfer get;
};

static int fail(struct bo_error *error, int error_class) {
  return bo_error_set(error, error_class, 0, "failed on purpose");
}

static bool is_at(const struct transfer *transfer, enum fault fault) {
  return transfer->storage->fault == (int)fault && transfer->calls == transfer->storage->number;
}

/* ---- the instance ---- */

static int faulty_open(const struct bo_host *host, const struct bo_config *config, void **out, struct bo_error *error) {
  int fault = NONE;
  int64_t number = 1;
  if (fault_parse(choices, config->values[PARAM_FAULT].string, &fault, &number, error) != BO_OK) return BO_ERROR;
  if (fault == OPEN_FAILS) return fail(error, BO_CLASS_CONFIG);
  if (fault == CRASH_AT_OPEN) fault_crash();
  if (fault == HANG_AT_OPEN) fault_hang();
  struct faulty *storage = host->alloc(host->context, sizeof(*storage));
  if (storage == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory");
  const struct bo_plugin *wrapped = wrapped_plugin_init(host, error);
  *storage = (struct faulty){.host = host, .operations = wrapped->operations, .fault = fault, .number = number};
  storage->put.storage = storage->get.storage = storage;
  struct bo_config only_path = *config;
  only_path.value_count = 1;
  if (storage->operations->open(host, &only_path, &storage->wrapped, error) != BO_OK) {
    host->free(host->context, storage);
    return BO_ERROR;
  }
  *out = storage;
  return BO_OK;
}

static void faulty_close(void *instance) {
  struct faulty *storage = instance;
  storage->operations->close(storage->wrapped);
  storage->host->free(storage->host->context, storage);
}

static void faulty_cancel(void *instance) {
  struct faulty *storage = instance;
  if (storage->fault == HANG_AT_CANCEL) fault_hang();
  storage->operations->cancel(storage->wrapped);
}

static int faulty_probe(void *instance, uint32_t what, struct bo_error *error) {
  struct faulty *storage = instance;
  if (storage->fault == PROBE_FAILS) return fail(error, BO_CLASS_AUTH);
  return storage->operations->probe(storage->wrapped, what, error);
}

/* ---- put ---- */

static int faulty_put_open(void *instance, const char *key, const struct bo_put_options *options,
                           struct bo_token *token, void **out, struct bo_error *error) {
  struct faulty *storage = instance;
  struct transfer *put = &storage->put;
  if (put->wrapped != NULL) return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "one put at a time");
  if (storage->fault == PUT_OPEN_FAILS) return fail(error, BO_CLASS_AUTH);
  put->calls = 0;
  int result = storage->operations->put_open(storage->wrapped, key, options, token, &put->wrapped, error);
  if (result == BO_OK) *out = put;
  return result;
}

static int faulty_put_write(void *instance, const void *bytes, size_t size, struct bo_error *error) {
  struct transfer *put = instance;
  struct faulty *storage = put->storage;
  put->calls++;
  if (is_at(put, WRITE_FAILS_AT)) return fail(error, BO_CLASS_NO_SPACE);
  if (is_at(put, WRITE_RETRIES_AT)) {
    (void)fail(error, BO_CLASS_NETWORK);
    return BO_RETRY;
  }
  if (is_at(put, CRASH_AT_WRITE)) fault_crash();
  if (is_at(put, HANG_AT_WRITE)) return fault_wait(storage->host, error);
  if (is_at(put, HANG_IGNORING_CANCEL)) fault_hang();
  if (is_at(put, NONSENSE)) return 42;
  if (is_at(put, LEAK)) return fault_leak(storage->host, error);
  if (storage->fault == SLOW && storage->host->sleep_ms(storage->host->context, (uint32_t)storage->number) != 0)
    return fail(error, BO_CLASS_CANCELLED);
  return storage->operations->put_write(put->wrapped, bytes, size, error);
}

static int faulty_put_commit(void *instance, struct bo_object *object, struct bo_error *error) {
  struct transfer *put = instance;
  struct faulty *storage = put->storage;
  if (storage->fault == COMMIT_FAILS) return fail(error, BO_CLASS_NO_SPACE);
  if (storage->fault == COMMIT_UNDECIDED) return fail(error, BO_CLASS_UNDECIDED);
  if (storage->fault == CRASH_AT_COMMIT) fault_crash();
  if (storage->fault == HANG_AT_COMMIT) return fault_wait(storage->host, error);
  int result = storage->operations->put_commit(put->wrapped, object, error);
  if (storage->fault == CRASH_AFTER_COMMIT) fault_crash();
  if (result == BO_OK && storage->fault == COMMIT_ANSWER_LOST) return fail(error, BO_CLASS_UNDECIDED);
  if (result == BO_OK && storage->fault == COMMIT_WRONG_SIZE) object->size_bytes++;
  return result;
}

static int faulty_put_close(void *instance, struct bo_error *error) {
  struct transfer *put = instance;
  struct faulty *storage = put->storage;
  int result = storage->operations->put_close(put->wrapped, error);
  put->wrapped = NULL;
  return storage->fault == CLOSE_FAILS ? fail(error, BO_CLASS_IO) : result;
}

static int faulty_discard(void *instance, const char *key, const char *token, struct bo_error *error) {
  struct faulty *storage = instance;
  return storage->operations->discard(storage->wrapped, key, token, error);
}

/* ---- get ---- */

static int faulty_get_open(void *instance, const char *key, uint64_t offset_bytes, const char *if_match,
                           struct bo_object *object, void **out, struct bo_error *error) {
  struct faulty *storage = instance;
  struct transfer *get = &storage->get;
  if (get->wrapped != NULL) return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "one get at a time");
  int result =
      storage->operations->get_open(storage->wrapped, key, offset_bytes, if_match, object, &get->wrapped, error);
  if (result != BO_OK) return result;
  if (storage->fault == GET_RESUMES_SHORT && offset_bytes > 0) object->size_bytes--;
  get->calls = 0;
  get->bytes = offset_bytes;
  get->object_bytes = object->size_bytes;
  *out = get;
  return BO_OK;
}

/* What is wrong with bytes that were read well. */
static void spoil(struct transfer *get, unsigned char *bytes, size_t capacity, size_t *size) {
  struct faulty *storage = get->storage;
  bool is_end = *size == 0;
  get->bytes += *size;
  if (storage->fault == GET_RESUMES_SHORT && get->bytes > get->object_bytes && !is_end) --*size;
  if (storage->fault == GET_SHORT && !is_end && get->bytes == get->object_bytes) --*size;
  if (storage->fault == GET_LONG && is_end && get->bytes == get->object_bytes) {
    bytes[0] = 0;
    *size = 1;
    get->bytes++;
  }
  if (is_at(get, GET_FLIPS_AT) && !is_end) bytes[*size / 2] ^= 0x10;
  if (is_at(get, GET_NONSENSE)) *size = capacity + 1;
}

static int faulty_get_read(void *instance, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  struct transfer *get = instance;
  struct faulty *storage = get->storage;
  get->calls++;
  if (is_at(get, GET_FAILS_AT)) return fail(error, BO_CLASS_IO);
  if (is_at(get, GET_RETRIES_AT) || is_at(get, GET_RESUMES_SHORT)) {
    (void)fail(error, BO_CLASS_NETWORK);
    return BO_RETRY;
  }
  if (is_at(get, CRASH_AT_GET)) fault_crash();
  if (is_at(get, HANG_AT_GET)) return fault_wait(storage->host, error);
  if (is_at(get, HANG_AT_GET_IGNORING_CANCEL)) fault_hang();
  if (storage->fault == SLOW && storage->host->sleep_ms(storage->host->context, (uint32_t)storage->number) != 0)
    return fail(error, BO_CLASS_CANCELLED);
  int result = storage->operations->get_read(get->wrapped, bytes, capacity, size, error);
  if (result == BO_OK) spoil(get, bytes, capacity, size);
  return result;
}

static void faulty_get_close(void *instance) {
  struct transfer *get = instance;
  get->storage->operations->get_close(get->wrapped);
  get->wrapped = NULL;
}

/* ---- the rest ---- */

static int faulty_stat(void *instance, const char *key, struct bo_object *object, struct bo_error *error) {
  struct faulty *storage = instance;
  if (storage->fault == STAT_FAILS) return fail(error, BO_CLASS_IO);
  int result = storage->operations->stat(storage->wrapped, key, object, error);
  bool wrong = storage->fault == STAT_WRONG_SIZE || storage->fault == WRONG_SIZE_STAYS;
  if (result == BO_OK && wrong) object->size_bytes++;
  return result;
}

static int faulty_list(void *instance, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
                       void *context, int *more, struct bo_error *error) {
  struct faulty *storage = instance;
  return storage->operations->list(storage->wrapped, prefix, after, limit, each, context, more, error);
}

static int faulty_remove(void *instance, const char *key, const char *if_match, struct bo_error *error) {
  struct faulty *storage = instance;
  if (storage->fault == WRONG_SIZE_STAYS) return fail(error, BO_CLASS_AUTH);
  return storage->operations->remove(storage->wrapped, key, if_match, error);
}

static int faulty_sweep(void *instance, const char *prefix, uint64_t older_than_seconds, uint64_t *count,
                        struct bo_error *error) {
  struct faulty *storage = instance;
  return storage->operations->sweep(storage->wrapped, prefix, older_than_seconds, count, error);
}

static uint64_t faulty_memory_bytes(const struct bo_config *config, int64_t size_hint_bytes) {
  (void)config;
  (void)size_hint_bytes;
  return UINT64_C(65536);
}

static const struct bo_storage_operations operations = {
    .header = BO_HEADER(struct bo_storage_operations),
    .open = faulty_open,
    .close = faulty_close,
    .cancel = faulty_cancel,
    .probe = faulty_probe,
    .put_open = faulty_put_open,
    .put_write = faulty_put_write,
    .put_commit = faulty_put_commit,
    .put_close = faulty_put_close,
    .discard = faulty_discard,
    .get_open = faulty_get_open,
    .get_read = faulty_get_read,
    .get_close = faulty_get_close,
    .stat = faulty_stat,
    .list = faulty_list,
    .remove = faulty_remove,
    .sweep = faulty_sweep,
    .memory_bytes = faulty_memory_bytes,
};

static const struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_STORAGE,
    .name = "faulty",
    .version = "1",
    .license = "Apache-2.0",
    .origin = "backup-operator's tests",
    .description = "The storage file, going wrong on purpose",
    .param_count = PARAM_COUNT,
    .param_size = sizeof(struct bo_param),
    .params = params,
    .operations = &operations,
};

const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  (void)host;
  (void)error;
  return &plugin;
}
