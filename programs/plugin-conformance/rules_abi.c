/* rules_abi.c - hosts that are newer than the plugin, and hosts of another major version. */
#include <dlfcn.h>
#include <sys/mman.h>

#include "programs/plugin-conformance/session.h"

static bo_plugin_init_function *init_of(const struct conf *conf) {
  bo_plugin_init_function *init = NULL;
  void *symbol = dlsym(conf->plugin->handle, BO_PLUGIN_INIT_SYMBOL);
  if (symbol == NULL) conf_skip("there is no " BO_PLUGIN_INIT_SYMBOL);
  memcpy(&init, &symbol, sizeof(init));
  return init;
}

/* The same services, in a table with more behind them and with features that nobody knows yet. */
static void newer_host(struct conf *conf) {
  struct conf_session session;
  struct bo_error error = BO_ERROR_INIT;
  conf_session_open(&session, conf, NULL);
  struct bo_host *table = &session.host.table;
  table->header.size += (uint32_t)sizeof(session.host.newer);
  table->features |= UINT64_C(1) << 40;
  memset(session.host.newer, 0xee, sizeof(session.host.newer));
  const struct bo_plugin *descriptor = CONF_CALL_INIT(init_of(conf)(table, &error));
  CONF_HOLDS(descriptor != NULL, "bo_plugin_init refuses a host whose table is longer than it knows: %s", error.text);
  CONF_HOLDS(descriptor->kind == conf->plugin->descriptor.kind, "bo_plugin_init gives another plugin the second time");
  conf_session_run(&session);
  conf_session_close(&session);
}

/* Of another major version only the header may be read. Behind it memory ends. */
static void foreign_host(struct conf *conf) {
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  unsigned char *pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED || mprotect(pages + size, size, PROT_NONE) != 0) conf_skip("out of memory");
  struct bo_header header = {sizeof(struct bo_header), BO_ABI_MAJOR + 1, 0};
  void *table = pages + size - sizeof(header);
  memcpy(table, &header, sizeof(header));
  struct bo_error error = BO_ERROR_INIT;
  (void)CONF_CALL_INIT(init_of(conf)(table, &error));
}

const struct conf_rule conf_abi_rules[] = {
    {.id = "ABI-001",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "It works with a host whose table is longer than it knows, and offers features that it does not know.",
     .why = "Tables grow at their end; a plugin must not have to be rebuilt for each host.",
     .mend = "Ask for the size to be at least what is needed, never for it to be equal; ignore unknown features.",
     .run = newer_host},
    {.id = "ABI-002",
     .kinds = CONF_ANY,
     .after = "STA-005",
     .sentence = "bo_plugin_init reads nothing behind the header of a host of another major version.",
     .why = "Nothing is known of what stands there: the host refuses the plugin in words, if it lives to do so.",
     .mend = "Compare host->header.abi_major with BO_ABI_MAJOR before any service is used; better, use none in init.",
     .run = foreign_host},
    {.id = NULL},
};
