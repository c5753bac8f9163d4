/* A well-behaved plugin of the kind crypt, as far as loading and configuration go: the example's codec again, which
 * XORs the stored bytes with a secret. No cipher at all, of course. */
#define bo_plugin_init rle_plugin_init
#include "compress-rle.c"
#undef bo_plugin_init

static const struct bo_param crypt_params[] = {
    {.key = "key",
     .type = BO_TYPE_STRING,
     .flags = BO_PARAM_SECRET | BO_PARAM_REQUIRED,
     .minimum = 1,
     .maximum = 64,
     .description = "What to XOR with: its first byte."},
    {.key = "recipient", .type = BO_TYPE_STRING, .flags = BO_PARAM_REPEATED, .description = "Any names."},
};

struct example {
  struct rle rle; /* first: the example's functions take it for theirs */
  unsigned char mask;
};

static int example_open(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                        struct bo_error *error) {
  struct bo_value longest = {.is_set = 1, .integer = 255};
  struct bo_config inner = {.header = BO_HEADER(struct bo_config), .values = &longest, .value_count = 1};
  void *rle = NULL;
  if (rle_open(host, direction, &inner, &rle, error) != BO_OK) return BO_ERROR;
  struct example *example = host->realloc(host->context, rle, sizeof(*example));
  if (example == NULL) {
    rle_close(rle);
    return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory");
  }
  example->mask = (unsigned char)config->values[0].string[0];
  *instance = example;
  return BO_OK;
}

static int example_process(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                           struct bo_error *error) {
  struct example *example = instance;
  if (example->rle.direction == BO_ENCODE) {
    size_t begin = out->position;
    int result = rle_process(instance, in, out, mode, error);
    for (size_t i = begin; i < out->position; i++)
      out->bytes[i] ^= example->mask;
    return result;
  }
  /* A byte at a time, so that nothing of the input has to be kept. */
  do {
    int empty = in->position == in->size;
    unsigned char byte = empty ? 0 : in->bytes[in->position] ^ example->mask;
    struct bo_input one = {&byte, empty ? 0 : 1, 0};
    int last = in->position + one.size == in->size;
    int result = rle_process(instance, &one, out, last ? mode : BO_CONTINUE, error);
    in->position += one.position;
    if (result != BO_NEED_INPUT) return result;
  } while (in->position < in->size);
  return BO_NEED_INPUT;
}

static const struct bo_transform_operations example_operations = {
    .header = BO_HEADER(struct bo_transform_operations),
    .open = example_open,
    .process = example_process,
    .close = rle_close,
    .memory_bytes = rle_memory_bytes,
};

static struct bo_plugin example_plugin;

BO_EXPORT const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error);

const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  example_plugin = *rle_plugin_init(host, error);
  example_plugin.kind = BO_KIND_CRYPT;
  example_plugin.name = "example";
  example_plugin.param_count = 2;
  example_plugin.params = crypt_params;
  example_plugin.operations = &example_operations;
  return &example_plugin;
}
