/* The operations that ask the storage one thing: list, stat, remove, discard, sweep, probe. */
#include <cjson/cJSON.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/run/chain_run.h"

/* Sends one object of a listing to the owner. */
static int list_one(void *context, const char *key, const struct bo_object *object) {
  struct bo_run *run = context;
  uint64_t patience_ms = run->spec->limits.call_ms; /* people read listings page by page */
  cJSON *json = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(json, "type", "object");
  (void)cJSON_AddStringToObject(json, "key", key);
  (void)cJSON_AddNumberToObject(json, "sizeBytes", (double)object->size_bytes);
  if (object->etag[0] != '\0') (void)cJSON_AddStringToObject(json, "etag", object->etag);
  if (object->modified_unix_ms > 0) {
    char modified[BO_TIME_TEXT_MAX];
    bo_time_format(object->modified_unix_ms / 1000, modified);
    (void)cJSON_AddStringToObject(json, "modified", modified);
  }
  char *text = cJSON_PrintUnformatted(json);
  bool delivered =
      bo_owner_deliver(run->context->owner, text, patience_ms < INT32_MAX ? (uint32_t)patience_ms : INT32_MAX);
  cJSON_free(text);
  cJSON_Delete(json);
  if (delivered) run->result->count++;
  run->listing_lost = !delivered;
  return delivered ? 0 : 1;
}

/* One page; the owner asks for the next with `after`. */
static int list(struct bo_run *run, struct bo_error *error) {
  bool more = false;
  int result = bo_storage_list(&run->storage, run->spec->prefix, run->spec->after, (uint32_t)run->spec->limit, list_one,
                               run, &more, error);
  if (result == BO_OK && run->listing_lost)
    return bo_error_set(error, BO_CLASS_TIMEOUT, 0, "the listing is not complete: its reader does not take it");
  if (result == BO_OK && more) bo_owner_send(run->context->owner, "{\"type\":\"more\"}", true);
  return result;
}

static int ask(struct bo_run *run, struct bo_error *error) {
  const struct bo_run_spec *spec = run->spec;
  struct bo_storage *storage = &run->storage;
  switch (spec->operation) {
    case BO_OP_LIST: return list(run, error);
    case BO_OP_STAT: return bo_storage_stat(storage, spec->key, &run->result->object, error);
    case BO_OP_REMOVE: return bo_storage_remove(storage, spec->key, NULL, error);
    case BO_OP_DISCARD: return bo_storage_discard(storage, spec->key, spec->token, error);
    case BO_OP_SWEEP:
      return bo_storage_sweep(storage, spec->prefix, (uint64_t)spec->older_than_seconds, &run->result->count, error);
    case BO_OP_PROBE: return bo_storage_probe(storage, BO_PROBE_READ | BO_PROBE_WRITE, error);
    default: return bo_error_set(error, BO_CLASS_INTERNAL, 0, "not a question");
  }
}

int bo_run_question(struct bo_run *run, struct bo_error *error) {
  int result = ask(run, error);
  for (uint32_t pause_ms = 200; result == BO_RETRY && pause_ms < 4000 && run->spec->operation != BO_OP_LIST;
       pause_ms *= 2) {
    if (run->storage.host.table.sleep_ms(run->storage.host.table.context, pause_ms) != 0) break;
    result = ask(run, error);
  }
  return result == BO_OK ? BO_OK : bo_run_fail(run, "storage");
}
