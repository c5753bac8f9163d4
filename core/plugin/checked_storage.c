/* Calls of a storage plugin. What is promised here is what makes "stored" and "read to its end" true. */
#include <assert.h>

#include "core/plugin/checked_internal.h"

/* Most calls look the same: instance, arguments, error. */
#define CALL(storage, function, detail, call) \
  BO_CHECKED_CALL(&(storage)->host, &(storage)->broken, function, detail, call, error)

static const struct bo_storage_operations *operations(const struct bo_storage *storage) {
  assert(storage->instance != NULL);
  return storage->plugin->operations.storage;
}

int bo_storage_open(struct bo_storage *storage, const struct bo_loaded_plugin *plugin, const struct bo_config *config,
                    const struct bo_log *log, struct bo_error *error) {
  BO_NEED_ERROR(error);
  *storage = (struct bo_storage){.plugin = plugin};
  char source[48];
  (void)snprintf(source, sizeof(source), "storage-%s", plugin->descriptor.name);
  if (bo_plugin_host_init(&storage->host, log, source, error) != BO_OK) return BO_ERROR;
  int result = CALL(storage, "open", "",
                    plugin->operations.storage->open(&storage->host.table, config, &storage->instance, error));
  if (result == BO_OK && storage->instance == NULL)
    result = bo_checked_broke(&storage->host, &storage->broken, error, "open() gave no instance");
  if (result == BO_OK) return BO_OK;
  storage->instance = NULL;
  bo_plugin_host_destroy(&storage->host);
  return BO_ERROR;
}

void bo_storage_close(struct bo_storage *storage) {
  if (storage->instance == NULL) return;
  bo_plugin_host_enter(&storage->host, "close");
  operations(storage)->close(storage->instance);
  bo_plugin_host_leave(&storage->host);
  storage->instance = NULL;
  bo_plugin_host_destroy(&storage->host);
}

void bo_storage_cancel(struct bo_storage *storage) {
  bo_plugin_host_cancel(&storage->host);
  operations(storage)->cancel(storage->instance);
}

int bo_storage_probe(struct bo_storage *storage, uint32_t what, struct bo_error *error) {
  BO_NEED_ERROR(error);
  if (storage->broken) return bo_checked_refuse(&storage->host, error);
  return CALL(storage, "probe", BO_DETAIL("%u", what), operations(storage)->probe(storage->instance, what, error));
}

int bo_storage_discard(struct bo_storage *storage, const char *key, const char *token, struct bo_error *error) {
  BO_NEED_ERROR(error);
  return CALL(storage, "discard", key, operations(storage)->discard(storage->instance, key, token, error));
}

static bool object_is_good(const struct bo_object *object) {
  bool good = BO_IS_PLAIN(object->etag) && BO_IS_PLAIN(object->version) && object->metadata_count <= BO_METADATA_MAX;
  for (uint32_t i = 0; good && i < object->metadata_count; i++)
    good = BO_IS_PLAIN(object->metadata[i].name) && BO_IS_PLAIN(object->metadata[i].value);
  return good;
}

static int check_object(struct bo_storage *storage, const char *function, const struct bo_object *object,
                        struct bo_error *error) {
  if (object_is_good(object)) return BO_OK;
  return bo_checked_broke(&storage->host, &storage->broken, error,
                          "%s() filled the object with texts that do not end or cannot be printed", function);
}

int bo_storage_stat(struct bo_storage *storage, const char *key, struct bo_object *object, struct bo_error *error) {
  BO_NEED_ERROR(error);
  if (storage->broken) return bo_checked_refuse(&storage->host, error);
  *object = (struct bo_object){.size = sizeof(*object)};
  int result = CALL(storage, "stat", key, operations(storage)->stat(storage->instance, key, object, error));
  return result == BO_OK ? check_object(storage, "stat", object, error) : result;
}

/* Checks the order and the prefix of what a listing gives, on its way to the caller. */
struct checked_list {
  bo_list_function *each;
  void *context;
  const char *prefix;
  struct bo_buffer last;
  uint32_t limit;
  uint32_t count;
  bool stopped; /* the caller has had enough */
  const char *fault;
};

static int check_listed(void *context, const char *key, const struct bo_object *object) {
  struct checked_list *list = context;
  if (list->stopped)
    list->fault = "went on after it was told to stop";
  else if (list->count == list->limit)
    list->fault = "gave more objects than it was asked for";
  else if (key == NULL || object == NULL || strlen(key) > BO_KEY_MAX)
    list->fault = "gave no key, or one that is too long";
  else if (strncmp(key, list->prefix, strlen(list->prefix)) != 0)
    list->fault = "gave a key outside of the prefix";
  else if (!object_is_good(object))
    list->fault = "filled an object with texts that do not end or cannot be printed";
  else if (list->last.size > 0 && strcmp(key, bo_buffer_text(&list->last)) <= 0)
    list->fault = "did not give the keys in ascending order";
  if (list->fault != NULL) return 1;
  bo_buffer_clear(&list->last);
  if (!bo_buffer_append_text(&list->last, key)) return 1;
  list->count++;
  list->stopped = list->each(list->context, key, object) != 0;
  return list->stopped ? 1 : 0;
}

int bo_storage_list(struct bo_storage *storage, const char *prefix, const char *after, uint32_t limit,
                    bo_list_function *each, void *context, bool *more, struct bo_error *error) {
  assert(limit > 0);
  BO_NEED_ERROR(error);
  if (storage->broken) return bo_checked_refuse(&storage->host, error);
  struct checked_list list = {.each = each, .context = context, .prefix = prefix, .limit = limit};
  if (after != NULL) (void)bo_buffer_append_text(&list.last, after);
  int further = 0;
  int result =
      CALL(storage, "list", prefix,
           operations(storage)->list(storage->instance, prefix, after, limit, check_listed, &list, &further, error));
  bool memory = !list.last.failed;
  bo_buffer_free(&list.last);
  *more = further != 0;
  if (!memory) return bo_error_no_memory(error);
  if (list.fault == NULL && result == BO_OK && *more && list.count == 0)
    list.fault = "says that there are more objects, but gave none";
  if (list.fault != NULL) return bo_checked_broke(&storage->host, &storage->broken, error, "list() %s", list.fault);
  return result;
}

int bo_storage_remove(struct bo_storage *storage, const char *key, const char *if_match, struct bo_error *error) {
  BO_NEED_ERROR(error);
  if (storage->broken) return bo_checked_refuse(&storage->host, error);
  return CALL(storage, "remove", key, operations(storage)->remove(storage->instance, key, if_match, error));
}

int bo_storage_sweep(struct bo_storage *storage, const char *prefix, uint64_t older_than_seconds, uint64_t *count,
                     struct bo_error *error) {
  BO_NEED_ERROR(error);
  if (storage->broken) return bo_checked_refuse(&storage->host, error);
  return CALL(storage, "sweep", prefix,
              operations(storage)->sweep(storage->instance, prefix, older_than_seconds, count, error));
}

/* ---- put ---- */

int bo_put_open(struct bo_put *put, struct bo_storage *storage, const char *key, const struct bo_put_options *options,
                struct bo_token *token, struct bo_error *error) {
  BO_NEED_ERROR(error);
  *put = (struct bo_put){.storage = storage};
  token->text[0] = '\0';
  if (storage->broken) return bo_checked_refuse(&storage->host, error);
  int result = CALL(storage, "put_open", key,
                    operations(storage)->put_open(storage->instance, key, options, token, &put->instance, error));
  if (result != BO_OK) {
    put->instance = NULL;
    token->text[0] = '\0';
    return result;
  }
  if (put->instance == NULL) return bo_checked_broke(&storage->host, &storage->broken, error, "put_open() gave no put");
  if (token->text[0] != '\0' && BO_IS_PLAIN(token->text)) return BO_OK;
  (void)bo_put_close(put, NULL);
  token->text[0] = '\0';
  return bo_checked_broke(&storage->host, &storage->broken, error, "put_open() gave no token that can be printed");
}

int bo_put_write(struct bo_put *put, const void *bytes, size_t size, struct bo_error *error) {
  assert(put->instance != NULL && !put->failed && !put->committed);
  BO_NEED_ERROR(error);
  struct bo_storage *storage = put->storage;
  if (storage->broken) return bo_checked_refuse(&storage->host, error);
  int result = CALL(storage, "put_write", BO_DETAIL("%zu", size),
                    operations(storage)->put_write(put->instance, bytes, size, error));
  put->failed = result != BO_OK;
  if (result == BO_OK) put->written_bytes += size;
  return result == BO_OK ? BO_OK : BO_ERROR;
}

/* What the plugin says about the object after a commit that it says succeeded. */
static int check_committed(const struct bo_put *put, const struct bo_object *object, struct bo_error *error) {
  struct bo_storage *storage = put->storage;
  if (check_object(storage, "put_commit", object, error) != BO_OK) return BO_ERROR;
  if (object->etag[0] == '\0')
    return bo_checked_broke(&storage->host, &storage->broken, error, "put_commit() gave no etag");
  if (object->size_bytes == put->written_bytes) return BO_OK;
  return bo_checked_broke(&storage->host, &storage->broken, error,
                          "put_commit() says %llu bytes, but %llu were written", (unsigned long long)object->size_bytes,
                          (unsigned long long)put->written_bytes);
}

int bo_put_commit(struct bo_put *put, struct bo_object *object, struct bo_error *error) {
  assert(put->instance != NULL && !put->failed && !put->committed);
  BO_NEED_ERROR(error);
  struct bo_storage *storage = put->storage;
  if (storage->broken) return bo_checked_refuse(&storage->host, error);
  *object = (struct bo_object){.size = sizeof(*object)};
  int result = CALL(storage, "put_commit", "", operations(storage)->put_commit(put->instance, object, error));
  put->committed = result == BO_OK;
  if (result == BO_OK) result = check_committed(put, object, error);
  put->failed = result != BO_OK;
  if (result == BO_OK) return BO_OK;
  /* From here on only the storage knows. */
  if (storage->broken) {
    bo_error_prefix(error, "an object may exist at the key");
    error->error_class = BO_CLASS_UNDECIDED;
  }
  return BO_ERROR;
}

int bo_put_close(struct bo_put *put, struct bo_error *error) {
  if (put->instance == NULL) return BO_OK;
  BO_NEED_ERROR(error);
  struct bo_storage *storage = put->storage;
  int result = CALL(storage, "put_close", "", operations(storage)->put_close(put->instance, error));
  put->instance = NULL;
  return result;
}

/* ---- get ---- */

int bo_get_open(struct bo_get *get, struct bo_storage *storage, const char *key, uint64_t offset_bytes,
                const char *if_match, struct bo_object *object, struct bo_error *error) {
  BO_NEED_ERROR(error);
  *get = (struct bo_get){.storage = storage, .offset_bytes = offset_bytes};
  if (storage->broken) return bo_checked_refuse(&storage->host, error);
  *object = (struct bo_object){.size = sizeof(*object)};
  int result = CALL(
      storage, "get_open", BO_DETAIL("%.100s, %llu", key, (unsigned long long)offset_bytes),
      operations(storage)->get_open(storage->instance, key, offset_bytes, if_match, object, &get->instance, error));
  if (result != BO_OK) {
    get->instance = NULL;
    return result;
  }
  if (get->instance == NULL) return bo_checked_broke(&storage->host, &storage->broken, error, "get_open() gave no get");
  get->object_bytes = object->size_bytes;
  result = check_object(storage, "get_open", object, error);
  if (result == BO_OK && offset_bytes > object->size_bytes)
    result =
        bo_checked_broke(&storage->host, &storage->broken, error, "get_open() opened an object of %llu bytes at %llu",
                         (unsigned long long)object->size_bytes, (unsigned long long)offset_bytes);
  if (result == BO_OK && if_match != NULL && object->etag[0] != '\0' && strcmp(if_match, object->etag) != 0)
    result = bo_checked_broke(&storage->host, &storage->broken, error,
                              "get_open() opened an object with another etag than it was asked for");
  if (result != BO_OK) bo_get_close(get);
  return result;
}

/* The end must come where the size announced at open says, neither before nor after. */
static int check_length(struct bo_get *get, size_t size, struct bo_error *error) {
  uint64_t left = get->object_bytes - get->offset_bytes;
  get->ended = size == 0;
  if (size > left)
    return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                        "the object was announced with %llu bytes, but there is more after them: it is not what was "
                        "stored, or it is changing",
                        (unsigned long long)get->object_bytes);
  if (size == 0 && left > 0)
    return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                        "the object was announced with %llu bytes, but ends after %llu: it is cut, or it is changing",
                        (unsigned long long)get->object_bytes, (unsigned long long)get->offset_bytes);
  get->offset_bytes += size;
  return BO_OK;
}

int bo_get_read(struct bo_get *get, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  assert(get->instance != NULL && !get->ended && !get->failed && capacity > 0);
  BO_NEED_ERROR(error);
  struct bo_storage *storage = get->storage;
  *size = 0;
  if (storage->broken) return bo_checked_refuse(&storage->host, error);
  int result = CALL(storage, "get_read", BO_DETAIL("%zu of %zu", *size, capacity),
                    operations(storage)->get_read(get->instance, bytes, capacity, size, error));
  if (result == BO_OK && *size > capacity)
    result = bo_checked_broke(&storage->host, &storage->broken, error, "get_read() gave %zu bytes for a buffer of %zu",
                              *size, capacity);
  if (result == BO_OK) result = check_length(get, *size, error);
  get->failed = result != BO_OK;
  if (result != BO_OK) *size = 0;
  return result;
}

void bo_get_close(struct bo_get *get) {
  if (get->instance == NULL) return;
  struct bo_storage *storage = get->storage;
  bo_plugin_host_enter(&storage->host, "get_close");
  operations(storage)->get_close(get->instance);
  bo_plugin_host_leave(&storage->host);
  get->instance = NULL;
}
