/* A platform that can only be loaded: it has every function, with BO_CAN_OBJECTS, but for what the macros take away. */
#include <backup-operator/plugin.h>

#ifndef EXAMPLE_NAME
#define EXAMPLE_NAME "example"
#endif

/* No host calls anything of a platform whose open fails. */
static int refuse(void) {
  return BO_ERROR;
}

static int refuse_open(const struct bo_host *host, const struct bo_config *config, void **platform,
                       struct bo_error *error) {
  (void)host, (void)config, (void)platform;
  return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "only for loading");
}

#define ANY(member) .member = (__typeof__(((struct bo_platform_operations *)0)->member))(void (*)(void))refuse
static const struct bo_platform_operations operations = {
    .header = BO_HEADER(struct bo_platform_operations),
    .open = refuse_open,
    ANY(close),
    ANY(cancel),
    ANY(workload_start),
    ANY(workload_state),
    ANY(workload_stop),
    ANY(workload_close),
    ANY(exec_open),
    ANY(exec_read),
    ANY(exec_write),
    ANY(exec_close_stdin),
    ANY(exec_wait),
    ANY(exec_cancel),
#ifndef WITHOUT_EXEC_CLOSE
    ANY(exec_close),
#endif
    ANY(object_watch),
    ANY(object_get),
    ANY(object_create),
    ANY(object_delete),
    ANY(object_patch),
    ANY(event_record),
#ifndef WITHOUT_LEASE
    ANY(lease_acquire),
#endif
};

#ifndef EXAMPLE_CAPABILITIES
#define EXAMPLE_CAPABILITIES BO_CAN_OBJECTS
#endif

static const struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_PLATFORM,
    .capabilities = EXAMPLE_CAPABILITIES,
    .name = EXAMPLE_NAME,
    .version = "1",
    .license = "MIT",
    .origin = "tests",
    .description = "A test plugin.",
    .operations = &operations,
};

BO_EXPORT const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  (void)host;
  (void)error;
  return &plugin;
}
