/*
 * compress-faulty: compress-gzip, wrapped, that goes wrong on purpose.
 *
 * Parameters: `fault`, see `choices`; `level`, the same, so that backupctl's NAME:LEVEL can say it
 * (--compress faulty:crash); and `direction`, to go wrong only in one of them. What it writes is gzip.
 */
#include "tests/plugins/faulty/fault.h"

/* compress-gzip, linked in, with its init function renamed. */
const struct bo_plugin *wrapped_plugin_init(const struct bo_host *host, struct bo_error *error);

enum fault {
  NONE,
  OPEN_FAILS,
  FAIL_AT,
  FAIL_SILENTLY,
  CRASH,
  HANG,
  NONSENSE_RESULT,
  NONSENSE_POSITION,
  NO_PROGRESS,
  DONE_EARLY,
  LEAK
};

/* The number is that of the call of process from which on it goes wrong. */
static const struct fault_choice choices[] = {
    {"none", NONE},
    {"open-fails", OPEN_FAILS},               /* the instance cannot be made */
    {"fail-at", FAIL_AT},                     /* an error */
    {"fail-silently", FAIL_SILENTLY},         /* an error without a class or a text */
    {"crash", CRASH},                         /* SIGSEGV */
    {"hang", HANG},                           /* for ever; a transform is not told to stop */
    {"nonsense", NONSENSE_RESULT},            /* answers 42 */
    {"nonsense-position", NONSENSE_POSITION}, /* in.position past in.size */
    {"no-progress", NO_PROGRESS},             /* AGAIN, but nothing was done */
    {"done-early", DONE_EARLY},               /* DONE, though the stream is not complete */
    {"leak", LEAK},                           /* keeps on taking memory */
    {NULL, 0},
};

enum { PARAM_FAULT, PARAM_LEVEL, PARAM_DIRECTION, PARAM_COUNT };

static const struct bo_param params[PARAM_COUNT] = {
    [PARAM_FAULT] = {.key = "fault",
                     .type = BO_TYPE_STRING,
                     .default_value = "none",
                     .description = "What goes wrong, as NAME or NAME:NUMBER"},
    [PARAM_LEVEL] = {.key = "level", .type = BO_TYPE_STRING, .description = "Another word for fault"},
    [PARAM_DIRECTION] = {.key = "direction",
                         .type = BO_TYPE_ENUM,
                         .default_value = "both",
                         .choices = "both|encode|decode",
                         .description = "In which direction it goes wrong"},
};

struct faulty {
  const struct bo_host *host;
  const struct bo_transform_operations *operations;
  void *wrapped;
  int fault;
  int64_t number;
  int64_t calls;
};

static int faulty_open(const struct bo_host *host, int direction, const struct bo_config *config, void **out,
                       struct bo_error *error) {
  const struct bo_value *values = config->values;
  const char *text = values[values[PARAM_LEVEL].is_set ? PARAM_LEVEL : PARAM_FAULT].string;
  int fault = NONE;
  int64_t number = 1;
  if (fault_parse(choices, text, &fault, &number, error) != BO_OK) return BO_ERROR;
  if (values[PARAM_DIRECTION].integer != 0 && values[PARAM_DIRECTION].integer != direction) fault = NONE;
  if (fault == OPEN_FAILS) return bo_error_set(error, BO_CLASS_CONFIG, 0, "failed on purpose");
  struct faulty *self = host->alloc(host->context, sizeof(*self));
  if (self == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory");
  const struct bo_plugin *wrapped = wrapped_plugin_init(host, error);
  *self = (struct faulty){.host = host, .operations = wrapped->operations, .fault = fault, .number = number};
  struct bo_config defaults = {.header = BO_HEADER(struct bo_config)};
  if (self->operations->open(host, direction, &defaults, &self->wrapped, error) != BO_OK) {
    host->free(host->context, self);
    return BO_ERROR;
  }
  *out = self;
  return BO_OK;
}

static int faulty_process(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                          struct bo_error *error) {
  struct faulty *self = instance;
  self->calls++;
  int fault = self->calls >= self->number ? self->fault : NONE;
  switch (fault) {
    case FAIL_AT: return bo_error_set(error, BO_CLASS_CORRUPT, 0, "failed on purpose");
    case FAIL_SILENTLY: return BO_ERROR;
    case CRASH: fault_crash(); break;
    case HANG: fault_hang(); break;
    case NONSENSE_RESULT: return 42;
    case NONSENSE_POSITION: in->position = in->size + 1; return BO_NEED_INPUT;
    case NO_PROGRESS: return BO_AGAIN;
    case DONE_EARLY: return BO_DONE;
    case LEAK: return fault_leak(self->host, error);
    default: break;
  }
  return self->operations->process(self->wrapped, in, out, mode, error);
}

static void faulty_close(void *instance) {
  struct faulty *self = instance;
  self->operations->close(self->wrapped);
  self->host->free(self->host->context, self);
}

static uint64_t faulty_memory_bytes(int direction, const struct bo_config *config) {
  (void)direction;
  (void)config;
  return UINT64_C(512) * 1024;
}

static const struct bo_transform_operations operations = {
    .header = BO_HEADER(struct bo_transform_operations),
    .open = faulty_open,
    .process = faulty_process,
    .close = faulty_close,
    .memory_bytes = faulty_memory_bytes,
};

static const struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_COMPRESS,
    .name = "faulty",
    .version = "1",
    .license = "Apache-2.0",
    .origin = "backup-operator's tests",
    .description = "Compression with gzip, going wrong on purpose",
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
