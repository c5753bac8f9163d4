/* The example plugin of docs/plugin-abi.md, which misbehaves at run time as its parameter `fault` says. */
#define bo_plugin_init rle_plugin_init
#include "compress-rle.c"
#undef bo_plugin_init
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { FAULTY_LONGEST, FAULTY_FAULT, FAULTY_COUNT };
static const struct bo_param faulty_params[FAULTY_COUNT] = {
    [FAULTY_LONGEST] = {.key = "longest",
                        .type = BO_TYPE_INTEGER,
                        .default_value = "255",
                        .minimum = 1,
                        .maximum = 255,
                        .description = "The longest run."},
    [FAULTY_FAULT] = {.key = "fault",
                      .type = BO_TYPE_STRING,
                      .default_value = "none",
                      .description = "none, crash, hang, nonsense-position, nonsense-result, no-progress, done-early, "
                                     "leak, fail-at:N, fail-silently, open-fails"},
};

struct faulty {
  struct rle rle; /* first: the example's functions take it for theirs */
  char fault[32];
  long calls;
};

static int faulty_open(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                       struct bo_error *error) {
  const char *fault = config->values[FAULTY_FAULT].string;
  if (strcmp(fault, "open-fails") == 0) return bo_error_set(error, BO_CLASS_CONFIG, 0, "refused on purpose");
  void *rle = NULL;
  if (rle_open(host, direction, config, &rle, error) != BO_OK) return BO_ERROR;
  struct faulty *faulty = host->realloc(host->context, rle, sizeof(*faulty));
  if (faulty == NULL) {
    rle_close(rle);
    return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory");
  }
  (void)snprintf(faulty->fault, sizeof(faulty->fault), "%s", fault);
  faulty->calls = 0;
  *instance = faulty;
  return BO_OK;
}

/* Takes memory until there is no more, and keeps it. */
static int leak(const struct bo_host *host, struct bo_error *error) {
  const size_t size = 8 << 20;
  void *memory = host->alloc(host->context, size);
  if (memory == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory left to leak");
  memset(memory, 0x5a, size);
  return BO_OK;
}

static int faulty_process(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                          struct bo_error *error) {
  struct faulty *faulty = instance;
  const char *fault = faulty->fault;
  faulty->calls++;
  if (strcmp(fault, "crash") == 0) (void)raise(SIGSEGV);
  if (strcmp(fault, "hang") == 0)
    for (;;)
      (void)pause();
  if (strcmp(fault, "no-progress") == 0) return BO_AGAIN;
  if (strcmp(fault, "nonsense-result") == 0) return 77;
  if (strcmp(fault, "done-early") == 0) return BO_DONE;
  if (strcmp(fault, "fail-silently") == 0) return BO_ERROR;
  if (strcmp(fault, "leak") == 0 && leak(faulty->rle.host, error) != BO_OK) return BO_ERROR;
  if (strncmp(fault, "fail-at:", 8) == 0 && faulty->calls >= strtol(fault + 8, NULL, 10))
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "call %ld failed on purpose", faulty->calls);
  int result = rle_process(instance, in, out, mode, error);
  if (strcmp(fault, "nonsense-position") == 0) in->position = in->size + 1;
  return result;
}

static const struct bo_transform_operations faulty_operations = {
    .header = BO_HEADER(struct bo_transform_operations),
    .open = faulty_open,
    .process = faulty_process,
    .close = rle_close,
    .memory_bytes = rle_memory_bytes,
};

static struct bo_plugin faulty_plugin;

const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  faulty_plugin = *rle_plugin_init(host, error);
  faulty_plugin.name = "faulty";
  faulty_plugin.param_count = FAULTY_COUNT;
  faulty_plugin.params = faulty_params;
  faulty_plugin.operations = &faulty_operations;
  return &faulty_plugin;
}
