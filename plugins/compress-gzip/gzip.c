/* compress-gzip: the plugin's description, its parameter, and its instance, whose memory is all the host's. */
#include "gzip.h"

/* The most that zlib asks for, with its structures: deflate 256 KiB and 6 KiB, inflate 32 KiB and 10 KiB. Rounded up,
 * for other versions of zlib; a test measures it. */
#define ENCODE_MEMORY (UINT64_C(320) * 1024)
#define DECODE_MEMORY (UINT64_C(64) * 1024)

enum { PARAM_LEVEL, PARAM_COUNT };

#define LEVEL_MINIMUM (-2)
#define LEVEL_MAXIMUM 9

static const struct bo_param params[PARAM_COUNT] = {
    [PARAM_LEVEL] = {.key = "level",
                     .type = BO_TYPE_INTEGER,
                     .default_value = "-1",
                     .minimum = LEVEL_MINIMUM,
                     .maximum = LEVEL_MAXIMUM,
                     .description = "How hard to compress: 1 (fast) to 9 (small), 0 stores, -1 is 6, -2 codes single "
                                    "bytes only (Huffman). Without meaning for decoding."},
};

void gzip_lend(struct gzip *gzip, const struct bo_input *in, const struct bo_output *out) {
  size_t rest = in->size - in->position, room = out->size - out->position;
  gzip->zlib.next_in = rest == 0 ? NULL : (z_const Bytef *)in->bytes + in->position;
  gzip->zlib.avail_in = rest > UINT_MAX ? UINT_MAX : (uInt)rest;
  gzip->zlib.next_out = out->bytes + out->position;
  gzip->zlib.avail_out = room > UINT_MAX ? UINT_MAX : (uInt)room;
}

void gzip_take_back(struct gzip *gzip, struct bo_input *in, struct bo_output *out) {
  if (gzip->zlib.next_in != NULL) in->position = (size_t)(gzip->zlib.next_in - in->bytes);
  out->position = (size_t)(gzip->zlib.next_out - out->bytes);
}

int gzip_unexpected(int zlib_result, struct bo_error *error) {
  if (zlib_result == Z_MEM_ERROR) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory for zlib");
  return bo_error_set(error, BO_CLASS_INTERNAL, 0, "zlib answered %s, which must not happen; please report it",
                      zError(zlib_result));
}

static void *zlib_alloc(void *context, uInt items, uInt size) {
  const struct bo_host *host = context;
  size_t bytes;
  return __builtin_mul_overflow((size_t)items, (size_t)size, &bytes) ? NULL : host->alloc(host->context, bytes);
}

static void zlib_free(void *context, void *memory) {
  const struct bo_host *host = context;
  host->free(host->context, memory);
}

static int read_level(const struct bo_config *config, int *level, struct bo_error *error) {
  const struct bo_value *value = config->value_count > PARAM_LEVEL ? &config->values[PARAM_LEVEL] : NULL;
  int64_t number = value != NULL && value->is_set ? value->integer : Z_DEFAULT_COMPRESSION;
  if (number < LEVEL_MINIMUM || number > LEVEL_MAXIMUM)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "level must be between %d and %d", LEVEL_MINIMUM, LEVEL_MAXIMUM);
  *level = (int)number;
  return BO_OK;
}

static void gzip_close(void *instance) {
  struct gzip *gzip = instance;
  const struct bo_host *host = gzip->host;
  /* Both accept a stream whose init failed. */
  (void)(gzip->direction == BO_ENCODE ? deflateEnd(&gzip->zlib) : inflateEnd(&gzip->zlib));
  host->free(host->context, gzip);
}

static int gzip_open(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                     struct bo_error *error) {
  int level = Z_DEFAULT_COMPRESSION;
  if (direction != BO_ENCODE && direction != BO_DECODE)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "gzip: direction %d is not known", direction);
  if (read_level(config, &level, error) != BO_OK) return BO_ERROR;
  struct gzip *gzip = host->alloc(host->context, sizeof(*gzip));
  if (gzip == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory for a gzip stream");
  *gzip = (struct gzip){.host = host, .direction = direction};
  gzip->zlib.zalloc = zlib_alloc;
  gzip->zlib.zfree = zlib_free;
  gzip->zlib.opaque = (voidpf)host;
  int result = direction == BO_ENCODE ? gzip_encode_open(gzip, level, error) : gzip_decode_open(gzip, error);
  if (result == BO_OK)
    *instance = gzip;
  else
    gzip_close(gzip);
  return result;
}

static int gzip_process(void *instance, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  struct gzip *gzip = instance;
  return gzip->direction == BO_ENCODE ? gzip_encode(gzip, in, out, mode, error)
                                      : gzip_decode(gzip, in, out, mode, error);
}

static uint64_t gzip_memory_bytes(int direction, const struct bo_config *config) {
  (void)config; /* zlib's memory is the same at every level */
  return direction == BO_ENCODE ? ENCODE_MEMORY : DECODE_MEMORY;
}

static const struct bo_transform_operations operations = {
    .header = BO_HEADER(struct bo_transform_operations),
    .open = gzip_open,
    .process = gzip_process,
    .close = gzip_close,
    .memory_bytes = gzip_memory_bytes,
};

static const struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_COMPRESS,
    .name = "gzip",
    .version = BO_VERSION,
    .license = "Apache-2.0",
    .origin = "backup-operator",
    .description = "Compression with gzip (RFC 1952)",
    .param_count = PARAM_COUNT,
    .param_size = sizeof(struct bo_param),
    .params = params,
    .operations = &operations,
};

const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  return bo_host_check(host, error) == BO_OK ? &plugin : NULL;
}
