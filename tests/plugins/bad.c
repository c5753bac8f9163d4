/* A compress plugin with one thing wrong, which the macro BAD names. BAD "none" is right, and so is the rest of each.
 */
#include <backup-operator/plugin.h>

#define IS(what) (strcmp(BAD, (what)) == 0)

static int bad_open(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                    struct bo_error *error) {
  (void)host, (void)direction, (void)config, (void)instance;
  return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "only for loading");
}

static int bad_process(void *instance, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  (void)instance, (void)in, (void)out, (void)mode;
  return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "only for loading");
}

static void bad_close(void *instance) {
  (void)instance;
}

static uint64_t bad_memory_bytes(int direction, const struct bo_config *config) {
  (void)direction, (void)config;
  return 0;
}

static struct bo_transform_operations operations = {
    .header = BO_HEADER(struct bo_transform_operations),
    .open = bad_open,
    .process = bad_process,
    .close = bad_close,
    .memory_bytes = bad_memory_bytes,
};

static struct bo_param params[] = {
    {.key = "first", .type = BO_TYPE_INTEGER, .default_value = "7", .minimum = 1, .maximum = 9, .description = "A."},
    {.key = "second", .type = BO_TYPE_ENUM, .default_value = "b", .choices = "a|b|c", .description = "B."},
    {.key = "third", .type = BO_TYPE_STRING, .flags = BO_PARAM_SECRET, .description = "C."},
};

static struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_COMPRESS,
    .name = "bad-" BAD,
    .version = "1",
    .license = "MIT",
    .origin = "tests",
    .description = "A test plugin.",
    .param_count = 3,
    .param_size = sizeof(struct bo_param),
    .params = params,
    .operations = &operations,
};

static void spoil_descriptor(void) {
  if (IS("major")) plugin.header.abi_major = BO_ABI_MAJOR + 1;
  if (IS("minor")) plugin.header.abi_minor = BO_ABI_MINOR + 1;
  if (IS("small")) plugin.header.size = sizeof(struct bo_plugin) - 8;
  if (IS("features")) plugin.required_features = UINT64_C(1) << 41;
  if (IS("kind")) plugin.kind = 99;
  if (IS("other-kind")) plugin.kind = BO_KIND_CRYPT;
  if (IS("name")) plugin.name = "another";
  if (IS("name-chars")) plugin.name = "Bad/Name";
  if (IS("version")) plugin.version = NULL;
  if (IS("origin-utf8")) plugin.origin = "caf\xe9";
  if (IS("no-operations")) plugin.operations = NULL;
  if (IS("operations-small")) operations.header.size = sizeof(operations) - 8;
  if (IS("operations-major")) operations.header.abi_major = BO_ABI_MAJOR + 1;
  if (IS("operation-missing")) operations.process = NULL;
}

static void spoil_params(void) {
  if (IS("param-size")) plugin.param_size = sizeof(struct bo_param) - 8;
  if (IS("param-count")) plugin.param_count = 1000000;
  if (IS("param-table")) plugin.params = NULL;
  if (IS("param-key")) params[1].key = "";
  if (IS("param-key-null")) params[1].key = NULL;
  if (IS("param-key-long")) params[1].key = "a2345678901234567890123456789012345678901234567890123456789012345";
  if (IS("param-key-chars")) params[1].key = "with space";
  if (IS("param-twice")) params[1].key = "first";
  if (IS("param-type")) params[0].type = 99;
  if (IS("param-flags")) params[0].flags = 0x80;
  if (IS("param-bounds")) params[0].minimum = 10;
  if (IS("param-description")) params[0].description = NULL;
  if (IS("param-description-utf8")) params[0].description = "caf\xe9";
  if (IS("param-default-utf8")) {
    params[0].type = BO_TYPE_STRING;
    params[0].default_value = "caf\xe9";
  }
  if (IS("param-default")) params[0].default_value = "seven";
  if (IS("param-default-bounds")) params[0].default_value = "10";
  if (IS("param-choices-null")) params[1].choices = NULL;
  if (IS("param-choices")) params[1].choices = "a||b";
  if (IS("param-secret-default")) params[2].default_value = "hunter2";
  if (IS("param-repeated")) params[0].flags = BO_PARAM_REPEATED;
}

BO_EXPORT const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  host->log(host->context, BO_LOG_INFO, "loading\nforged: line\x1b[31m");
  if (IS("init-silent")) return NULL;
  if (IS("init-null")) {
    (void)bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "libexample is too old");
    return NULL;
  }
  spoil_descriptor();
  spoil_params();
  return &plugin;
}
