/* rules_static.c - what can be told from the file, and from loading it: no instance is made. */
#include <cjson/cJSON.h>
#include <dlfcn.h>
#include <elf.h>
#include <stdlib.h>

#include "programs/plugin-conformance/elf.h"
#include "programs/plugin-conformance/rules.h"

static void open_elf(const struct conf *conf, struct conf_elf *elf) {
  struct bo_error error = BO_ERROR_INIT;
  if (conf_elf_open(elf, conf->settings->file, &error) != BO_OK) conf_skip("%s", error.text);
}

/* What a build with sanitizers adds is not the author's. */
static bool is_sanitizers(const char *name) {
  static const char *const prefixes[] = {"__asan_", "__odr_asan", "__ubsan_", "__tsan_", "__sanitizer_", "__lsan_"};
  for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
    if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) return true;
  return false;
}

/* ---- STA-001 ---- */

static void check_export(void *context, const char *name) {
  bool *found = context;
  if (strcmp(name, BO_PLUGIN_INIT_SYMBOL) == 0)
    *found = true;
  else
    CONF_HOLDS(is_sanitizers(name), "it exports %s", name);
}

static void one_exported_symbol(struct conf *conf) {
  struct conf_elf elf;
  bool found = false;
  open_elf(conf, &elf);
  conf_elf_symbols(&elf, true, check_export, &found);
  CONF_HOLDS(found, "it does not export %s", BO_PLUGIN_INIT_SYMBOL);
  conf_elf_close(&elf);
}

/* ---- STA-002 ---- */

#define LIBRARIES_MAX 64

struct libraries {
  void *handles[LIBRARIES_MAX];
  size_t count;
};

static void open_library(void *context, const char *name) {
  struct libraries *libraries = context;
  if (libraries->count == LIBRARIES_MAX) return;
  void *handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
  CONF_HOLDS(handle != NULL, "it needs %s, which cannot be loaded: %s", name, dlerror());
  libraries->handles[libraries->count++] = handle;
}

static void check_wanted(void *context, const char *name) {
  const struct libraries *libraries = context;
  bool found = is_sanitizers(name);
  for (size_t i = 0; i < libraries->count && !found; i++)
    found = dlsym(libraries->handles[i], name) != NULL;
  CONF_HOLDS(found, "the symbol %s is in none of the libraries that it names (DT_NEEDED)", name);
}

static void no_foreign_symbols(struct conf *conf) {
  struct conf_elf elf;
  struct libraries libraries = {.count = 0};
  open_elf(conf, &elf);
  conf_elf_texts(&elf, DT_NEEDED, open_library, &libraries);
  conf_elf_symbols(&elf, false, check_wanted, &libraries);
  for (size_t i = 0; i < libraries.count; i++)
    (void)dlclose(libraries.handles[i]);
  conf_elf_close(&elf);
}

/* ---- STA-003, STA-004 ---- */

static void check_path(void *context, const char *paths) {
  static const char *const good[] = {"$ORIGIN", "${ORIGIN}", "/usr/", "/lib", "/opt/"};
  (void)context;
  for (const char *path = paths;; path++) {
    size_t length = strcspn(path, ":");
    bool ok = memmem(path, length, "..", 2) == NULL;
    bool known = false;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
      known = known || (length >= strlen(good[i]) && strncmp(path, good[i], strlen(good[i])) == 0);
    CONF_HOLDS(ok && known, "its libraries are searched for in \"%.*s\"", (int)length, path);
    path += length;
    if (*path == '\0') return;
  }
}

static void no_strange_paths(struct conf *conf) {
  struct conf_elf elf;
  open_elf(conf, &elf);
  conf_elf_texts(&elf, DT_RPATH, check_path, NULL);
  conf_elf_texts(&elf, DT_RUNPATH, check_path, NULL);
  conf_elf_close(&elf);
}

static void no_executable_stack(struct conf *conf) {
  struct conf_elf elf;
  open_elf(conf, &elf);
  CONF_HOLDS(!conf_elf_wants_executable_stack(&elf), "loading it would make the stack of the whole process executable");
  conf_elf_close(&elf);
}

/* ---- STA-005 to STA-007 ---- */

static struct bo_loaded_plugin *load(const struct conf *conf) {
  struct bo_loaded_plugin *plugin = NULL;
  struct bo_error error = BO_ERROR_INIT;
  CONF_HOLDS(bo_plugin_load(conf->settings->file, 0, NULL, NULL, &plugin, &error) == BO_OK, "%s", error.text);
  return plugin;
}

static void host_accepts_it(struct conf *conf) {
  struct bo_loaded_plugin *plugin = load(conf);
  struct bo_error error = BO_ERROR_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer json = BO_BUFFER_INIT;
  CONF_HOLDS(bo_plugin_describe(plugin, &json, &error) == BO_OK, "%s", error.text);
  cJSON *parsed = cJSON_Parse(bo_buffer_text(&json));
  CONF_HOLDS(parsed != NULL, "its description is not valid JSON: %.500s", bo_buffer_text(&json));
  cJSON_Delete(parsed);
  bo_plugin_unload(plugin);
}

static void named_as_it_says(struct conf *conf) {
  struct bo_loaded_plugin *plugin = load(conf);
  char wanted[64];
  const char *slash = strrchr(conf->settings->file, '/');
  const char *name = slash == NULL ? conf->settings->file : slash + 1;
  (void)snprintf(wanted, sizeof(wanted), "%s-%s.so", bo_kind_name(plugin->descriptor.kind), plugin->descriptor.name);
  CONF_HOLDS(strcmp(name, wanted) == 0, "the file is named %s; for what its descriptor says it would be %s", name,
             wanted);
  bo_plugin_unload(plugin);
}

static void loading_does_nothing(struct conf *conf) {
  unsigned threads = conf_count_threads(), descriptors = conf_count_descriptors();
  struct bo_loaded_plugin *plugin = load(conf);
  unsigned threads_now = conf_count_threads(), descriptors_now = conf_count_descriptors();
  CONF_HOLDS(threads_now == threads, "loading it started %d threads", (int)threads_now - (int)threads);
  CONF_HOLDS(descriptors_now == descriptors, "loading it left %d descriptors open",
             (int)descriptors_now - (int)descriptors);
  bo_plugin_unload(plugin);
}

const struct conf_rule conf_static_rules[] = {
    {.id = "STA-001",
     .kinds = CONF_ANY,
     .alone = true,
     .sentence = "It exports bo_plugin_init and no other symbol.",
     .why = "Whatever else a shared object exports can take the place of a function of the same name in another one.",
     .mend = "Compile with -fvisibility=hidden; link libraries statically with -Wl,--exclude-libs,ALL, or link with a "
             "version script that has \"global: bo_plugin_init; local: *;\".",
     .run = one_exported_symbol},
    {.id = "STA-002",
     .kinds = CONF_ANY,
     .alone = true,
     .sentence = "Every symbol that it wants is in the C library or in a library that it names itself.",
     .why = "A host offers its services through a table and exports nothing. A plugin that takes symbols from the "
            "program that loads it works in one program and not in the next.",
     .mend = "Link with -Wl,-z,defs, and name each library that is used (-lz, -lcurl) when linking.",
     .run = no_foreign_symbols},
    {.id = "STA-003",
     .kinds = CONF_ANY,
     .alone = true,
     .sentence = "It searches for its libraries only in system folders, or beside itself ($ORIGIN).",
     .why = "A path of the machine it was built on may exist on another one, and hold what somebody else put there.",
     .mend = "Drop -rpath, or use -Wl,-rpath,'$ORIGIN'.",
     .run = no_strange_paths},
    {.id = "STA-004",
     .kinds = CONF_ANY,
     .alone = true,
     .sentence = "It does not need an executable stack.",
     .why = "The linker makes the stacks of the whole process executable for it, and takes away a protection.",
     .mend = "Avoid nested functions; end assembler files with .section .note.GNU-stack; link with -Wl,-z,noexecstack.",
     .run = no_executable_stack},
    {.id = "STA-005",
     .kinds = CONF_ANY,
     .alone = true,
     .after = "STA-002",
     .sentence = "The host accepts its descriptor, its configuration table and its functions, and can describe it.",
     .why = "Everything that a user sees of a plugin comes from there, without a configuration: help, checks, "
            "redaction of secrets.",
     .mend = "The message names the field, what was wanted and what was found; include/backup-operator/abi.h says "
             "what each field is.",
     .run = host_accepts_it},
    {.id = "STA-006",
     .kinds = CONF_ANY,
     .alone = true,
     .after = "STA-005",
     .sentence = "The file is named KIND-NAME.so, for the kind and the name in its descriptor.",
     .why = "The host finds a plugin by its file's name, and refuses one that says it is another.",
     .mend = "Rename the file, or the plugin.",
     .run = named_as_it_says},
    {.id = "STA-007",
     .kinds = CONF_ANY,
     .alone = true,
     .after = "STA-005",
     .sentence = "Loading it starts no threads and opens no files.",
     .why = "Plugins are loaded only to be described, too; and an instance is where everything belongs, so that close "
            "can put it away.",
     .mend = "Move it from bo_plugin_init, and from constructors, to open.",
     .run = loading_does_nothing},
    {.id = NULL},
};
