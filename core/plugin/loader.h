/*
 * core/plugin/loader.h - finds, loads and checks plugins. A plugin that does not fit is an error value that says
 * which field, what was wanted and what was found; it never ends the program.
 *
 * Loading runs foreign code: programs other than backup-runner ask a child process (bo_describe in programs).
 */
#ifndef BO_PLUGIN_LOADER_H
#define BO_PLUGIN_LOADER_H

#include "core/base/buffer.h"
#include "core/plugin/host.h"

struct bo_loaded_plugin {
  void *handle; /* of dlopen */
  char *path;
  struct bo_plugin descriptor; /* a copy: min(size), the rest zeroed */
  struct bo_param *params;     /* a copy in our own shape, descriptor.param_count of them */
  union {                      /* a copy of the kind's table, the rest zeroed */
    struct bo_storage_operations *storage;
    struct bo_transform_operations *transform;
    struct bo_platform_operations *platform;
    void *any;
  } operations;
  struct bo_plugin_host *host; /* the one that bo_plugin_init got */
};

/* "storage", "compress", "crypt", "platform"; NULL for a number that is none. And back: 0 for no kind. */
const char *bo_kind_name(int kind);
int bo_kind_of_name(const char *name);

/* [a-z0-9-]{1,32} */
bool bo_plugin_name_is_valid(const char *name);

/* The file of a plugin, searched in the folders of BACKUP_PLUGIN_PATH (colon-separated) and then in the installed
 * one. Two different files of that name are an error which names both; none is BO_CLASS_NOT_FOUND with the names that
 * exist of this kind and the folders searched. *path is the caller's to free. */
int bo_plugin_find(int kind, const char *name, char **path, struct bo_error *error);

/* Calls `each` with every plugin file in those folders, sorted by kind and name. */
int bo_plugin_list(void (*each)(void *context, int kind, const char *name, const char *path), void *context,
                   struct bo_error *error);

/* Loads a file and checks everything that can be checked without an instance. `kind` 0 and `name` NULL: whatever it
 * is; else a file of another kind or name is refused. `log` must outlive the plugin. */
int bo_plugin_load(const char *path, int kind, const char *name, const struct bo_log *log,
                   struct bo_loaded_plugin **plugin, struct bo_error *error);
/* All its instances are closed before. */
void bo_plugin_unload(struct bo_loaded_plugin *plugin);

/* What the plugin is, as a JSON object in one line, without a newline. Needs no configuration. */
int bo_plugin_describe(const struct bo_loaded_plugin *plugin, struct bo_buffer *json, struct bo_error *error);

#endif
