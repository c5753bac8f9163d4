/*
 * A stored object as a chain's first or last stage. The core's rules for storages live here: what is repeated and
 * how often, how a read goes on after a lost connection, and when a commit is believed.
 */
#include "core/pipeline/stages.h"

/* A call that answers BO_RETRY is repeated this often, with pauses of 0.2, 0.4, 0.8, ... seconds. */
#define RETRIES 5
#define FIRST_PAUSE_MS 200U

/* Sleeps before the next try. False when there is to be none. */
static bool pause_before_retry(struct bo_storage *storage, unsigned *tries) {
  if (*tries >= RETRIES) return false;
  uint32_t pause_ms = FIRST_PAUSE_MS << (*tries)++;
  return storage->host.table.sleep_ms(storage->host.table.context, pause_ms) == 0;
}

/* ---- source ---- */

static int open_get(struct bo_storage_source *self, struct bo_get *get, uint64_t offset_bytes, const char *if_match,
                    struct bo_object *object, struct bo_error *error) {
  unsigned tries = 0;
  for (;;) {
    *object = (struct bo_object){.size = sizeof(*object)};
    int result = bo_get_open(get, self->storage, self->key, offset_bytes, if_match, object, error);
    if (result != BO_RETRY || !pause_before_retry(self->storage, &tries)) return result;
  }
}

/* Reads; a passing fault is answered by opening the rest of the very same object. */
static int read_on(struct bo_storage_source *self, struct bo_get *get, void *bytes, size_t *size, unsigned *tries,
                   struct bo_error *error) {
  for (;;) {
    int result = bo_get_read(get, bytes, BO_RING_SLOT_BYTES, size, error);
    if (result != BO_RETRY || self->object.etag[0] == '\0') return result;
    uint64_t offset_bytes = get->offset_bytes;
    do {
      if (!pause_before_retry(self->storage, tries)) return BO_ERROR;
      bo_get_close(get);
      struct bo_object again = {.size = sizeof(again)};
      result = bo_get_open(get, self->storage, self->key, offset_bytes, self->object.etag, &again, error);
      /* The end is measured against what was announced at first. */
      if (result == BO_OK && again.size_bytes != self->object.size_bytes)
        return bo_error_set(
            error, BO_CLASS_CORRUPT, 0,
            "the object had %llu bytes, but %llu when it was opened again after a fault: it is changing",
            (unsigned long long)self->object.size_bytes, (unsigned long long)again.size_bytes);
    } while (result == BO_RETRY);
    if (result != BO_OK) return result;
  }
}

static int copy_object(struct bo_storage_source *self, struct bo_get *get, struct bo_error *error) {
  unsigned tries = 0;
  for (;;) {
    unsigned char *slot = NULL;
    size_t size = 0;
    if (!bo_ring_reserve(self->stage.out, &slot)) return BO_ERROR;
    if (read_on(self, get, slot, &size, &tries, error) != BO_OK) return BO_ERROR;
    if (size == 0) return bo_meter_finish(&self->meter, error);
    tries = 0;
    if (bo_meter_add(&self->meter, slot, size, error) != BO_OK) return BO_ERROR;
    bo_ring_publish(self->stage.out, size);
  }
}

static int run_source(struct bo_stage *stage, struct bo_error *error) {
  struct bo_storage_source *self = (struct bo_storage_source *)stage;
  struct bo_get get = {.storage = NULL};
  struct bo_object object;
  if (open_get(self, &get, 0, self->if_match, &object, error) != BO_OK) return BO_ERROR;
  self->object = object;
  int result = self->check == NULL ? BO_OK : self->check(self->context, &object, error);
  if (result == BO_OK) result = copy_object(self, &get, error);
  bo_get_close(&get);
  return result;
}

static void cancel_source(struct bo_stage *stage) {
  bo_storage_cancel(((struct bo_storage_source *)stage)->storage);
}

int bo_storage_source_init(struct bo_storage_source *stage, struct bo_storage *storage, const char *key, bool hashing,
                           struct bo_error *error) {
  *stage = (struct bo_storage_source){
      .stage = {.name = "storage", .run = run_source, .cancel = cancel_source, .host = &storage->host},
      .storage = storage,
      .key = key,
  };
  return bo_meter_open(&stage->meter, hashing, error);
}

/* ---- sink ---- */

/* True when the object carries all of our metadata: it is this put's, and no other's. */
static bool is_ours(const struct bo_storage_sink *self, const struct bo_object *object) {
  for (uint32_t i = 0; i < self->options->metadata_count; i++) {
    bool found = false;
    for (uint32_t j = 0; j < object->metadata_count && !found; j++)
      found = strcmp(object->metadata[j].name, self->options->metadata[i].name) == 0 &&
              strcmp(object->metadata[j].value, self->options->metadata[i].value) == 0;
    if (!found) return false;
  }
  return self->options->metadata_count > 0;
}

static int ask(struct bo_storage_sink *self, struct bo_object *object, struct bo_error *error) {
  unsigned tries = 0;
  for (;;) {
    *object = (struct bo_object){.size = sizeof(*object)};
    int result = bo_storage_stat(self->storage, self->key, object, error);
    if (result != BO_RETRY || !pause_before_retry(self->storage, &tries)) return result;
  }
}

/* What the storage has is not what was written. It must not be taken for the backup, so it goes. */
static int remove_wrong_size(struct bo_storage_sink *self, const struct bo_object *object, uint64_t size_bytes,
                             struct bo_error *error) {
  struct bo_error why = BO_ERROR_INIT;
  const char *if_match = object->etag[0] == '\0' ? NULL : object->etag;
  bool removed = bo_storage_remove(self->storage, self->key, if_match, &why) == BO_OK;
  return bo_error_set(
      error, removed ? BO_CLASS_CORRUPT : BO_CLASS_UNDECIDED, 0,
      "after the commit the storage says that the object has %llu bytes, but %llu were written; it %s%s",
      (unsigned long long)object->size_bytes, (unsigned long long)size_bytes,
      removed ? "was removed" : "could not be removed, so it is there: ", why.text);
}

/* After a commit: does the storage itself agree? */
static int prove_commit(struct bo_storage_sink *self, uint64_t size_bytes, struct bo_error *error) {
  struct bo_object object;
  int result = ask(self, &object, error);
  if (result != BO_OK && error->error_class == BO_CLASS_AUTH) {
    self->proof = BO_PROOF_COMMIT;
    return BO_OK;
  }
  if (result != BO_OK) {
    bo_error_prefix(error, "the object was committed, but asking for it afterwards failed; it may exist at the key");
    error->error_class = BO_CLASS_UNDECIDED;
    return BO_ERROR;
  }
  if (!is_ours(self, &object))
    return bo_error_set(error, BO_CLASS_CONFLICT, 0,
                        "the object at the key after the commit is not this run's: another writer has replaced it");
  if (object.size_bytes != size_bytes) return remove_wrong_size(self, &object, size_bytes, error);
  self->object = object;
  self->proof = BO_PROOF_STAT;
  return BO_OK;
}

/* The commit's answer was lost. If our object is there, it happened. If not, the put is ended for good, so that it
 * cannot happen later, and only then the answer is no. */
static int resolve_commit(struct bo_storage_sink *self, uint64_t size_bytes, struct bo_error *error) {
  struct bo_error second = BO_ERROR_INIT;
  struct bo_object object;
  for (int round = 0; round < 2; round++) {
    int result = ask(self, &object, &second);
    if (result == BO_OK && is_ours(self, &object) && object.size_bytes == size_bytes) {
      self->object = object;
      self->proof = BO_PROOF_STAT;
      return BO_OK;
    }
    if (result != BO_OK && second.error_class != BO_CLASS_NOT_FOUND) break;
    if (round == 1) {
      bo_error_prefix(error, "the commit's answer was lost, and asking shows that nothing was stored");
      error->error_class = BO_CLASS_NETWORK;
      return BO_ERROR;
    }
    if (bo_storage_discard(self->storage, self->key, self->token.text, &second) != BO_OK) break;
  }
  bo_error_prefix(error, "it cannot be told whether the commit happened: an object may exist at the key");
  error->error_class = BO_CLASS_UNDECIDED;
  return BO_ERROR;
}

static int commit(struct bo_storage_sink *self, struct bo_put *put, struct bo_error *error) {
  if (self->permit != NULL && self->permit(self->context, error) != BO_OK) return BO_ERROR;
  uint64_t size_bytes = put->written_bytes;
  struct bo_object object = {.size = sizeof(object)};
  if (bo_put_commit(put, &object, error) == BO_OK) {
    self->object = object;
    return prove_commit(self, size_bytes, error);
  }
  return error->error_class == BO_CLASS_UNDECIDED ? resolve_commit(self, size_bytes, error) : BO_ERROR;
}

static int write_put(void *put, const unsigned char *bytes, size_t size, struct bo_error *error) {
  return bo_put_write(put, bytes, size, error);
}

static int store(struct bo_storage_sink *self, struct bo_put *put, struct bo_error *error) {
  if (self->opened != NULL && self->opened(self->context, self->token.text, error) != BO_OK) return BO_ERROR;
  if (bo_stage_drain(&self->stage, &self->meter, write_put, put, error) != BO_OK) return BO_ERROR;
  return commit(self, put, error);
}

static int run_sink(struct bo_stage *stage, struct bo_error *error) {
  struct bo_storage_sink *self = (struct bo_storage_sink *)stage;
  struct bo_put put = {.storage = NULL};
  unsigned tries = 0;
  int result = BO_RETRY;
  do {
    result = bo_put_open(&put, self->storage, self->key, self->options, &self->token, error);
  } while (result == BO_RETRY && pause_before_retry(self->storage, &tries));
  if (result != BO_OK) return BO_ERROR;
  result = store(self, &put, error);
  struct bo_error closing = BO_ERROR_INIT;
  if (bo_put_close(&put, &closing) != BO_OK && result != BO_OK && error->text[0] != '\0') {
    size_t used = strlen(error->text);
    (void)snprintf(error->text + used, sizeof(error->text) - used,
                   "; and what was written so far could not be removed (%s): `backupctl sweep` does it later",
                   closing.text);
  }
  return result;
}

static void cancel_sink(struct bo_stage *stage) {
  bo_storage_cancel(((struct bo_storage_sink *)stage)->storage);
}

int bo_storage_sink_init(struct bo_storage_sink *stage, struct bo_storage *storage, const char *key,
                         const struct bo_put_options *options, bool hashing, struct bo_error *error) {
  *stage = (struct bo_storage_sink){
      .stage = {.name = "storage", .run = run_sink, .cancel = cancel_sink, .host = &storage->host},
      .storage = storage,
      .key = key,
      .options = options,
  };
  return bo_meter_open(&stage->meter, hashing, error);
}
