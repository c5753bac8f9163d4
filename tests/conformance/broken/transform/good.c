/* tests/conformance/broken/transform/good.c - see good.h. */
#include "tests/conformance/broken/transform/good.h"

/* ---- the mask and the hash, eight bytes at a time ---- */

static uint64_t mix(uint64_t x) { /* splitmix64 */
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

static void apply_mask(const struct good *good, unsigned char *bytes, size_t size) {
  uint64_t state = mix(good->nonce ^ good->key ^ (good->number << 20));
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word = 0;
    size_t part = size - i < 8 ? size - i : 8;
    memcpy(&word, bytes + i, part);
    word ^= mix(state + i);
    memcpy(bytes + i, &word, part);
  }
}

void (*good_mask)(const struct good *good, unsigned char *bytes, size_t size) = apply_mask;

static uint64_t hash(const struct good *good, const unsigned char *bytes, size_t size, unsigned length) {
  uint64_t value = mix(good->nonce + good->number * 3 + ((uint64_t)length << 40));
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word = 0;
    memcpy(&word, bytes + i, size - i < 8 ? size - i : 8);
    value = (value ^ word) * UINT64_C(0xff51afd7ed558ccd);
    value ^= value >> 32;
  }
  return mix(value);
}

/* ---- encoding ---- */

static void make_header(struct good *good) {
  memcpy(good->stored, GOOD_MAGIC, GOOD_MAGIC_SIZE);
  memcpy(good->stored + GOOD_MAGIC_SIZE, &good->nonce, sizeof(good->nonce));
  uint64_t proof = mix(good->nonce ^ good->key);
  memcpy(good->stored + GOOD_MAGIC_SIZE + sizeof(good->nonce), &proof, sizeof(proof));
  good->ready = GOOD_HEADER_SIZE;
  good->began = 1;
}

static void make_chunk(struct good *good, int last) {
  unsigned length = (unsigned)good->taken | (last ? GOOD_LAST : 0);
  uint64_t value = hash(good, good->data, good->taken, length);
  unsigned char *at = good->stored;
  at[0] = (unsigned char)(length >> 8);
  at[1] = (unsigned char)length;
  memcpy(at + 2, &value, sizeof(value));
  memcpy(at + GOOD_CHUNK_HEADER_SIZE, good->data, good->taken);
  good_mask(good, at + GOOD_CHUNK_HEADER_SIZE, good->taken);
  good->ready = GOOD_CHUNK_HEADER_SIZE + good->taken;
  good->taken = 0;
  good->number++;
  good->last = last;
}

static void give(struct good *good, const unsigned char *from, struct bo_output *out) {
  size_t room = out->size - out->position, left = good->ready - good->given, size = left < room ? left : room;
  memcpy(out->bytes + out->position, from + good->given, size);
  out->position += size;
  good->given += size;
  if (good->given == good->ready) good->ready = good->given = 0;
}

static void take(unsigned char *to, size_t *taken, size_t wanted, struct bo_input *in) {
  size_t left = in->size - in->position, size = wanted - *taken < left ? wanted - *taken : left;
  if (size > 0) memcpy(to + *taken, in->bytes + in->position, size);
  in->position += size;
  *taken += size;
}

static int encode(struct good *good, struct bo_input *in, struct bo_output *out, int mode) {
  for (;;) {
    if (good->ready > 0) give(good, good->stored, out);
    if (good->ready > 0) return BO_AGAIN;
    if (good->last) return BO_DONE;
    if (!good->began) {
      make_header(good);
      continue;
    }
    take(good->data, &good->taken, GOOD_CHUNK_SIZE, in);
    int all = in->position == in->size;
    if (mode == BO_END && all)
      make_chunk(good, 1);
    else if (good->taken == GOOD_CHUNK_SIZE || (mode == BO_FLUSH && good->taken > 0))
      make_chunk(good, 0);
    else
      return BO_NEED_INPUT;
  }
}

/* ---- decoding ---- */

static int corrupt(struct bo_error *error, const char *what) {
  return bo_error_set(error, BO_CLASS_CORRUPT, 0, "the stored data are damaged: %s", what);
}

static int open_header(struct good *good, struct bo_error *error) {
  if (memcmp(good->stored, GOOD_MAGIC, GOOD_MAGIC_SIZE) != 0) return corrupt(error, "this is another format");
  uint64_t proof = 0;
  memcpy(&good->nonce, good->stored + GOOD_MAGIC_SIZE, sizeof(good->nonce));
  memcpy(&proof, good->stored + GOOD_MAGIC_SIZE + sizeof(good->nonce), sizeof(proof));
  if (proof != mix(good->nonce ^ good->key)) return bo_error_set(error, BO_CLASS_AUTH, 0, "the key does not fit");
  good->began = 1;
  good->taken = 0;
  return BO_OK;
}

static int open_chunk(struct good *good, unsigned length, struct bo_error *error) {
  size_t size = length & ~GOOD_LAST;
  uint64_t value = 0;
  memcpy(&value, good->stored + 2, sizeof(value));
  memcpy(good->data, good->stored + GOOD_CHUNK_HEADER_SIZE, size);
  good_mask(good, good->data, size);
  if (hash(good, good->data, size, length) != value) return corrupt(error, "a chunk's hash is wrong");
  good->taken = 0;
  good->ready = size;
  good->number++;
  good->last = (length & GOOD_LAST) != 0;
  return BO_OK;
}

/* What of the next piece is still missing after this much, or 0 when it is whole. */
static size_t wanted(const struct good *good) {
  if (!good->began) return GOOD_HEADER_SIZE;
  if (good->taken < GOOD_CHUNK_HEADER_SIZE) return GOOD_CHUNK_HEADER_SIZE;
  return GOOD_CHUNK_HEADER_SIZE + (((size_t)good->stored[0] << 8 | good->stored[1]) & ~GOOD_LAST);
}

static int decode(struct good *good, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  for (;;) {
    if (good->ready > 0) give(good, good->data, out);
    if (good->ready > 0) return BO_AGAIN;
    if (good->last) {
      if (in->position < in->size) return corrupt(error, "something follows their end");
      return mode == BO_END ? BO_DONE : BO_NEED_INPUT;
    }
    size_t want = wanted(good);
    if (want > GOOD_CHUNK_HEADER_SIZE + GOOD_CHUNK_SIZE) return corrupt(error, "a chunk is too long");
    if (good->taken < want) {
      if (in->position == in->size) return mode == BO_END ? corrupt(error, "they were cut") : BO_NEED_INPUT;
      take(good->stored, &good->taken, want, in);
      if (good->taken < want || wanted(good) > want) continue;
    }
    unsigned length = (unsigned)good->stored[0] << 8 | good->stored[1];
    int result = good->began ? open_chunk(good, length, error) : open_header(good, error);
    if (result != BO_OK) return result;
  }
}

/* ---- the operations ---- */

static int copy_secrets(struct good *good, const struct bo_config *config) {
  for (uint32_t i = 0; i < config->secret_count; i++)
    good->secrets_size += config->secrets[i].size;
  if (good->secrets_size == 0) return BO_OK;
  good->secrets = good->host->alloc(good->host->context, good->secrets_size);
  if (good->secrets == NULL) return BO_ERROR;
  size_t used = 0;
  for (uint32_t i = 0; i < config->secret_count; i++) {
    for (size_t j = 0; strcmp(config->secrets[i].name, "key") == 0 && j < config->secrets[i].size; j++)
      good->key = mix(good->key ^ config->secrets[i].bytes[j]);
    memcpy(good->secrets + used, config->secrets[i].bytes, config->secrets[i].size);
    used += config->secrets[i].size;
  }
  return BO_OK;
}

int good_open(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
              struct bo_error *error) {
  if (direction != BO_ENCODE && direction != BO_DECODE)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "there is no direction %d", direction);
  struct good *good = host->alloc(host->context, sizeof(*good));
  if (good == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory for an instance");
  memset(good, 0, sizeof(*good));
  good->host = host;
  good->direction = direction;
  int result = copy_secrets(good, config);
  if (result != BO_OK) (void)bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory for the secrets");
  if (result == BO_OK && direction == BO_ENCODE && host->random(host->context, &good->nonce, sizeof(good->nonce)) != 0)
    result = bo_error_set(error, BO_CLASS_INTERNAL, 0, "there is no randomness");
  if (result == BO_OK)
    *instance = good;
  else
    good_close(good);
  return result;
}

int good_process(void *instance, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  struct good *good = instance;
  return good->direction == BO_ENCODE ? encode(good, in, out, mode) : decode(good, in, out, mode, error);
}

void good_close(void *instance) {
  struct good *good = instance;
  const struct bo_host *host = good->host;
  if (good->secrets != NULL) explicit_bzero(good->secrets, good->secrets_size);
  host->free(host->context, good->secrets);
  explicit_bzero(good, sizeof(*good));
  host->free(host->context, good);
}

uint64_t good_memory_bytes(int direction, const struct bo_config *config) {
  uint64_t bytes = sizeof(struct good);
  (void)direction;
  for (uint32_t i = 0; i < config->secret_count; i++)
    bytes += config->secrets[i].size;
  return bytes;
}

static struct bo_transform_operations operations = {
    .header = BO_HEADER(struct bo_transform_operations),
    .open = good_open,
    .process = good_process,
    .close = good_close,
    .memory_bytes = good_memory_bytes,
};

static const struct bo_param params[] = {
    {.key = "key", .type = BO_TYPE_STRING, .flags = BO_PARAM_SECRET, .description = "What to mask with."},
};

static struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_CRYPT,
    .name = "good",
    .version = "1",
    .license = "Apache-2.0",
    .origin = "tests",
    .description = "A transform for the tests of plugin-conformance.",
    .param_count = 1,
    .param_size = sizeof(struct bo_param),
    .params = params,
    .operations = &operations,
};

const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  (void)error;
  spoil(&plugin, &operations, host);
  return &plugin;
}
