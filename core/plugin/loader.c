/* Finds plugin files, loads one, and believes nothing that it says about itself before it is checked. */
#include "core/plugin/loader.h"

#include <backup-operator/plugin.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/text.h"
#include "core/plugin/config.h"

/* The sizes of the tables as version 0.1 had them: a smaller one was built for something that never was. */
#define FIRST_DESCRIPTOR_SIZE ((uint32_t)sizeof(struct bo_plugin))
#define MAX_PARAMS 256

static const char *const kind_names[] = {NULL, "storage", "compress", "crypt", "platform"};

const char *bo_kind_name(int kind) {
  return kind >= BO_KIND_STORAGE && kind <= BO_KIND_PLATFORM ? kind_names[kind] : NULL;
}

int bo_kind_of_name(const char *name) {
  for (int kind = BO_KIND_STORAGE; kind <= BO_KIND_PLATFORM; kind++)
    if (strcmp(kind_names[kind], name) == 0) return kind;
  return 0;
}

bool bo_plugin_name_is_valid(const char *name) {
  size_t length = strlen(name);
  return length >= 1 && length <= 32 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

/* ---- searching ---- */

/* Calls `each` with every folder that is searched; stops when it returns other than BO_OK. */
static int each_folder(int (*each)(void *context, const char *folder), void *context) {
  const char *path = getenv("BACKUP_PLUGIN_PATH");
  while (path != NULL && *path != '\0') {
    size_t length = strcspn(path, ":");
    BO_CLEANUP_FREE char *folder = strndup(path, length);
    if (folder == NULL) return BO_ERROR;
    int result = length == 0 ? BO_OK : each(context, folder);
    if (result != BO_OK) return result;
    path += length + (path[length] == ':' ? 1 : 0);
  }
  return each(context, BO_PLUGIN_DIR);
}

struct search {
  const char *file;
  char *found;
  dev_t device;
  ino_t inode;
  struct bo_buffer folders;
  struct bo_error *error;
};

static int search_folder(void *context, const char *folder) {
  struct search *search = context;
  (void)bo_buffer_printf(&search->folders, "%s%s", search->folders.size > 0 ? ", " : "", folder);
  BO_CLEANUP_FREE char *path = NULL;
  if (asprintf(&path, "%s/%s", folder, search->file) < 0) {
    path = NULL;
    return bo_error_no_memory(search->error);
  }
  struct stat status;
  if (stat(path, &status) != 0) return BO_OK;
  if (search->found == NULL) {
    search->found = path;
    path = NULL;
    search->device = status.st_dev;
    search->inode = status.st_ino;
    return BO_OK;
  }
  if (search->device == status.st_dev && search->inode == status.st_ino) return BO_OK;
  return bo_error_set(search->error, BO_CLASS_CONFIG, 0,
                      "there are two plugins of one name: %s and %s. Remove one, or take its folder out of "
                      "BACKUP_PLUGIN_PATH",
                      search->found, path);
}

struct names {
  int kind;
  struct bo_buffer text;
};

static void add_name(void *context, int kind, const char *name, const char *path) {
  struct names *names = context;
  (void)path;
  if (kind == names->kind) (void)bo_buffer_printf(&names->text, "%s%s", names->text.size > 0 ? ", " : "", name);
}

int bo_plugin_find(int kind, const char *name, char **path, struct bo_error *error) {
  *path = NULL;
  if (!bo_plugin_name_is_valid(name))
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "\"%.64s\" is no %s plugin's name: it has 1 to 32 of the characters a-z, 0-9 and -", name,
                        bo_kind_name(kind));
  char file[64];
  (void)snprintf(file, sizeof(file), "%s-%s.so", bo_kind_name(kind), name);
  struct search search = {.file = file, .error = error};
  int result = each_folder(search_folder, &search);
  if (result == BO_OK && search.found == NULL) {
    struct names names = {.kind = kind};
    (void)bo_plugin_list(add_name, &names, NULL);
    result =
        bo_error_set(error, BO_CLASS_NOT_FOUND, ENOENT, "there is no %s plugin %s. Searched for %s in %s; there %s %s",
                     bo_kind_name(kind), name, file, bo_buffer_text(&search.folders),
                     names.text.size > 0 ? "are" : "is none of this kind", bo_buffer_text(&names.text));
    bo_buffer_free(&names.text);
  }
  bo_buffer_free(&search.folders);
  if (result == BO_OK)
    *path = search.found;
  else
    free(search.found);
  return result;
}

struct listed {
  char *path;
  dev_t device;
  ino_t inode;
};

struct listing {
  struct listed *files;
  size_t count;
};

static bool split_file_name(const char *file, int *kind, char name[33]) {
  const char *dash = strchr(file, '-');
  size_t length = strlen(file);
  if (dash == NULL || length < 4 || strcmp(file + length - 3, ".so") != 0) return false;
  char kind_name[16];
  size_t kind_length = (size_t)(dash - file);
  size_t name_length = length - 3 - kind_length - 1;
  if (kind_length >= sizeof(kind_name) || name_length < 1 || name_length > 32) return false;
  memcpy(kind_name, file, kind_length);
  kind_name[kind_length] = '\0';
  memcpy(name, dash + 1, name_length);
  name[name_length] = '\0';
  *kind = bo_kind_of_name(kind_name);
  return *kind != 0 && bo_plugin_name_is_valid(name);
}

/* Takes a path over. A file that is reached by two folders is one plugin. */
static int add_listed(struct listing *listing, char *path) {
  struct stat status;
  bool is_new = stat(path, &status) == 0;
  for (size_t i = 0; is_new && i < listing->count; i++)
    is_new = listing->files[i].device != status.st_dev || listing->files[i].inode != status.st_ino;
  struct listed *files = listing->files;
  if (is_new) files = reallocarray(listing->files, listing->count + 1, sizeof(*files));
  if (!is_new || files == NULL) {
    free(path);
    return is_new ? BO_ERROR : BO_OK;
  }
  listing->files = files;
  files[listing->count++] = (struct listed){path, status.st_dev, status.st_ino};
  return BO_OK;
}

static int list_folder(void *context, const char *folder) {
  BO_CLEANUP_DIR DIR *dir = opendir(folder);
  if (dir == NULL) return BO_OK;
  for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
    int kind = 0;
    char name[33];
    char *path = NULL;
    if (!split_file_name(entry->d_name, &kind, name)) continue;
    if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0) return BO_ERROR;
    if (add_listed(context, path) != BO_OK) return BO_ERROR;
  }
  return BO_OK;
}

static int by_file_name(const void *a, const void *b) {
  const char *left = ((const struct listed *)a)->path;
  const char *right = ((const struct listed *)b)->path;
  int order = strcmp(strrchr(left, '/'), strrchr(right, '/'));
  return order != 0 ? order : strcmp(left, right);
}

int bo_plugin_list(void (*each)(void *context, int kind, const char *name, const char *path), void *context,
                   struct bo_error *error) {
  struct listing listing = {.count = 0};
  int result = each_folder(list_folder, &listing);
  if (result == BO_OK && listing.count > 0) qsort(listing.files, listing.count, sizeof(*listing.files), by_file_name);
  for (size_t i = 0; i < listing.count; i++) {
    int kind = 0;
    char name[33];
    char *path = listing.files[i].path;
    if (result == BO_OK && split_file_name(strrchr(path, '/') + 1, &kind, name)) each(context, kind, name, path);
    free(path);
  }
  free(listing.files);
  return result == BO_OK ? BO_OK : bo_error_no_memory(error);
}

/* ---- checking ---- */

static int refuse(const char *path, struct bo_error *error, const char *format, ...) BO_PRINTF(3, 4);
static int refuse(const char *path, struct bo_error *error, const char *format, ...) {
  char text[700];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s: %s", path, text);
}

static int check_header(const char *path, const char *table, const struct bo_header *header, uint32_t first_size,
                        struct bo_error *error) {
  if (header->abi_major != BO_ABI_MAJOR || (BO_ABI_MAJOR == 0 && header->abi_minor != BO_ABI_MINOR))
    return refuse(path, error, "%s: built for plugin ABI %u.%u, but this host speaks %d.%d: rebuild the plugin", table,
                  header->abi_major, header->abi_minor, BO_ABI_MAJOR, BO_ABI_MINOR);
  if (header->size < first_size)
    return refuse(path, error, "%s: its size is %u bytes, but the first version of this table had %u", table,
                  header->size, first_size);
  return BO_OK;
}

static bool key_is_valid(const char *key) {
  if (key == NULL || strlen(key) > 64) return false;
  bool letter = (key[0] >= 'a' && key[0] <= 'z') || (key[0] >= 'A' && key[0] <= 'Z');
  return letter && strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == strlen(key);
}

/* For people, and for JSON. */
static bool is_text(const char *text) {
  return text != NULL && text[0] != '\0' && bo_is_utf8(text, strlen(text));
}

static bool choices_are_valid(const char *choices) {
  if (!is_text(choices) || choices[0] == '|') return false;
  return strstr(choices, "||") == NULL && choices[strlen(choices) - 1] != '|';
}

/* One line of the configuration table. What it says must be usable as it stands, its default included. */
static int check_param(const char *path, const struct bo_plugin *descriptor, const struct bo_param *params, uint32_t i,
                       struct bo_error *error) {
  const struct bo_param *param = &params[i];
  if (!key_is_valid(param->key)) return refuse(path, error, "params[%u].key: must match [A-Za-z][A-Za-z0-9]*", i);
  for (uint32_t j = 0; j < i; j++)
    if (strcmp(params[j].key, param->key) == 0) return refuse(path, error, "params: %s is there twice", param->key);
  if (param->type < BO_TYPE_STRING || param->type > BO_TYPE_ENUM)
    return refuse(path, error, "params: %s: type %d is not known", param->key, param->type);
  if (param->type == BO_TYPE_ENUM && !choices_are_valid(param->choices))
    return refuse(path, error, "params: %s: an enum needs choices, as \"a|b|c\"", param->key);
  if ((param->flags & ~(BO_PARAM_REQUIRED | BO_PARAM_SECRET | BO_PARAM_REPEATED)) != 0)
    return refuse(path, error, "params: %s: flags 0x%x are not known", param->key, param->flags);
  if (param->minimum > param->maximum)
    return refuse(path, error, "params: %s: its minimum, %lld, is over its maximum, %lld", param->key,
                  (long long)param->minimum, (long long)param->maximum);
  if (!is_text(param->description))
    return refuse(path, error, "params: %s: has no description, or not in UTF-8", param->key);
  bool secret = (param->flags & BO_PARAM_SECRET) != 0;
  if (secret && param->default_value != NULL)
    return refuse(path, error, "params: %s: a secret cannot have a default", param->key);
  if ((param->flags & BO_PARAM_REPEATED) != 0 && !secret && param->type != BO_TYPE_STRING)
    return refuse(path, error, "params: %s: only secrets and strings can be repeated", param->key);
  if (param->default_value == NULL) return BO_OK;
  if (!bo_is_utf8(param->default_value, strlen(param->default_value)))
    return refuse(path, error, "params: the default of %s is not UTF-8", param->key);
  struct bo_plugin alone = *descriptor;
  alone.param_count = 1;
  struct bo_param required_off = *param;
  required_off.flags = 0;
  struct bo_parsed_config config = {.memory = NULL};
  struct bo_error why = BO_ERROR_INIT;
  int result = bo_config_parse(&alone, &required_off, NULL, 0, NULL, 0, &config, &why);
  bo_config_free(&config);
  if (result != BO_OK) return refuse(path, error, "params: the default of %s is not valid: %s", param->key, why.text);
  return BO_OK;
}

static int copy_params(const char *path, const struct bo_plugin *descriptor, struct bo_loaded_plugin *plugin,
                       struct bo_error *error) {
  uint32_t count = descriptor->param_count;
  if (count > MAX_PARAMS) return refuse(path, error, "param_count: is %u, at most %d are allowed", count, MAX_PARAMS);
  plugin->params = calloc(count + 1, sizeof(*plugin->params));
  if (plugin->params == NULL) return bo_error_no_memory(error);
  if (count == 0) return BO_OK;
  if (descriptor->params == NULL) return refuse(path, error, "params: is NULL, but param_count is %u", count);
  if (descriptor->param_size < sizeof(struct bo_param))
    return refuse(path, error, "param_size: is %u, but a line of the table has at least %zu bytes",
                  descriptor->param_size, sizeof(struct bo_param));
  for (uint32_t i = 0; i < count; i++) {
    memcpy(&plugin->params[i], (const char *)descriptor->params + (size_t)i * descriptor->param_size,
           sizeof(struct bo_param));
    if (check_param(path, descriptor, plugin->params, i, error) != BO_OK) return BO_ERROR;
  }
  return BO_OK;
}

/* A function that each plugin of a kind must have: its name, and where it stands in the table. */
struct operation {
  const char *name;
  size_t offset;
};

#define OPERATION(table, member) \
  { #member, offsetof(struct table, member) }
static const struct operation storage_operations[] = {
    OPERATION(bo_storage_operations, open),         OPERATION(bo_storage_operations, close),
    OPERATION(bo_storage_operations, cancel),       OPERATION(bo_storage_operations, probe),
    OPERATION(bo_storage_operations, put_open),     OPERATION(bo_storage_operations, put_write),
    OPERATION(bo_storage_operations, put_commit),   OPERATION(bo_storage_operations, put_close),
    OPERATION(bo_storage_operations, discard),      OPERATION(bo_storage_operations, get_open),
    OPERATION(bo_storage_operations, get_read),     OPERATION(bo_storage_operations, get_close),
    OPERATION(bo_storage_operations, stat),         OPERATION(bo_storage_operations, list),
    OPERATION(bo_storage_operations, remove),       OPERATION(bo_storage_operations, sweep),
    OPERATION(bo_storage_operations, memory_bytes), {NULL, 0}};
static const struct operation transform_operations[] = {OPERATION(bo_transform_operations, open),
                                                        OPERATION(bo_transform_operations, process),
                                                        OPERATION(bo_transform_operations, close),
                                                        OPERATION(bo_transform_operations, memory_bytes),
                                                        {NULL, 0}};
static const struct operation platform_operations[] = {OPERATION(bo_platform_operations, open),
                                                       OPERATION(bo_platform_operations, close),
                                                       OPERATION(bo_platform_operations, cancel),
                                                       OPERATION(bo_platform_operations, workload_start),
                                                       OPERATION(bo_platform_operations, workload_state),
                                                       OPERATION(bo_platform_operations, workload_stop),
                                                       OPERATION(bo_platform_operations, workload_close),
                                                       OPERATION(bo_platform_operations, exec_open),
                                                       OPERATION(bo_platform_operations, exec_read),
                                                       OPERATION(bo_platform_operations, exec_write),
                                                       OPERATION(bo_platform_operations, exec_close_stdin),
                                                       OPERATION(bo_platform_operations, exec_wait),
                                                       OPERATION(bo_platform_operations, exec_cancel),
                                                       OPERATION(bo_platform_operations, exec_close),
                                                       {NULL, 0}};
static const struct operation platform_object_operations[] = {
    OPERATION(bo_platform_operations, object_watch),  OPERATION(bo_platform_operations, object_get),
    OPERATION(bo_platform_operations, object_create), OPERATION(bo_platform_operations, object_delete),
    OPERATION(bo_platform_operations, object_patch),  OPERATION(bo_platform_operations, event_record),
    OPERATION(bo_platform_operations, lease_acquire), {NULL, 0}};

static int check_operations(const char *path, const void *table, const struct operation *operations,
                            struct bo_error *error) {
  for (; operations->name != NULL; operations++) {
    void *function = NULL;
    memcpy(&function, (const char *)table + operations->offset, sizeof(function));
    if (function == NULL) return refuse(path, error, "operations: %s is missing", operations->name);
  }
  return BO_OK;
}

static int copy_operations(const char *path, const struct bo_plugin *descriptor, struct bo_loaded_plugin *plugin,
                           struct bo_error *error) {
  static const size_t sizes[] = {0, sizeof(struct bo_storage_operations), sizeof(struct bo_transform_operations),
                                 sizeof(struct bo_transform_operations), sizeof(struct bo_platform_operations)};
  size_t size = sizes[descriptor->kind];
  const struct bo_header *header = descriptor->operations;
  if (header == NULL) return refuse(path, error, "operations: is NULL");
  if (check_header(path, "operations", header, (uint32_t)size, error) != BO_OK) return BO_ERROR;
  plugin->operations.any = calloc(1, size);
  if (plugin->operations.any == NULL) return bo_error_no_memory(error);
  memcpy(plugin->operations.any, header, header->size < size ? header->size : size);
  const struct operation *wanted = descriptor->kind == BO_KIND_STORAGE    ? storage_operations
                                   : descriptor->kind == BO_KIND_PLATFORM ? platform_operations
                                                                          : transform_operations;
  if (check_operations(path, plugin->operations.any, wanted, error) != BO_OK) return BO_ERROR;
  if (descriptor->kind == BO_KIND_PLATFORM && (descriptor->capabilities & BO_CAN_OBJECTS) != 0)
    return check_operations(path, plugin->operations.any, platform_object_operations, error);
  return BO_OK;
}

static int check_descriptor(const char *path, int kind, const char *name, const struct bo_plugin *descriptor,
                            struct bo_error *error) {
  if (check_header(path, "descriptor", &descriptor->header, FIRST_DESCRIPTOR_SIZE, error) != BO_OK) return BO_ERROR;
  uint64_t missing = descriptor->required_features & ~BO_HOST_FEATURES;
  if (missing != 0)
    return refuse(path, error,
                  "required_features: the plugin needs feature bit %d, which this host does not know: "
                  "a newer backup-operator is needed",
                  __builtin_ctzll(missing));
  if (bo_kind_name(descriptor->kind) == NULL) return refuse(path, error, "kind: %d is not known", descriptor->kind);
  if (kind != 0 && descriptor->kind != kind)
    return refuse(path, error, "kind: is %s, but the file's name says %s", bo_kind_name(descriptor->kind),
                  bo_kind_name(kind));
  if (descriptor->name == NULL || !bo_plugin_name_is_valid(descriptor->name))
    return refuse(path, error, "name: must match [a-z0-9-]{1,32}");
  if (name != NULL && strcmp(descriptor->name, name) != 0)
    return refuse(path, error, "name: is %s, but the file's name says %s", descriptor->name, name);
  const char *const texts[][2] = {{"version", descriptor->version},
                                  {"license", descriptor->license},
                                  {"origin", descriptor->origin},
                                  {"description", descriptor->description}};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
    if (!is_text(texts[i][1])) return refuse(path, error, "%s: is missing, or not UTF-8", texts[i][0]);
  return BO_OK;
}

/* ---- loading ---- */

/* The program's own ELF header, by the linker: what a plugin's must agree with. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* The dynamic linker calls an object for another machine "No such file", so this is asked before it. */
static int check_elf(const char *path, struct bo_error *error) {
  BO_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return bo_error_errno(error, errno, "%s", path);
  ElfW(Ehdr) found;
  const ElfW(Ehdr) *own = &__ehdr_start;
  if (read(fd, &found, sizeof(found)) != (ssize_t)sizeof(found) || memcmp(found.e_ident, ELFMAG, SELFMAG) != 0)
    return refuse(path, error, "is not a shared object (no ELF file)");
  if (found.e_ident[EI_CLASS] != own->e_ident[EI_CLASS] || found.e_ident[EI_DATA] != own->e_ident[EI_DATA])
    return refuse(path, error, "is built for a machine of another word size or byte order: rebuild it for this one");
  if (found.e_machine != own->e_machine)
    return refuse(path, error,
                  "is built for another machine (ELF machine %u, this host is %u): rebuild it for this one",
                  found.e_machine, own->e_machine);
  return BO_OK;
}

/* Foreign code is only loaded from where nobody but its owner can have put it. */
static int check_file(const char *path, struct bo_error *error) {
  struct stat status;
  if (stat(path, &status) != 0) return bo_error_errno(error, errno, "%s", path);
  if (!S_ISREG(status.st_mode)) return refuse(path, error, "is not a regular file");
  if ((status.st_mode & S_IWOTH) != 0)
    return refuse(path, error, "everybody may write to it, so it is not loaded: chmod o-w it");
  BO_CLEANUP_FREE char *folder = strndup(path, (size_t)(strrchr(path, '/') - path) + 1);
  if (folder == NULL) return bo_error_no_memory(error);
  if (stat(folder, &status) != 0) return bo_error_errno(error, errno, "%s", folder);
  if ((status.st_mode & S_IWOTH) != 0)
    return refuse(path, error, "everybody may put files into its folder, so it is not loaded: chmod o-w %s", folder);
  return check_elf(path, error);
}

static int load_into(struct bo_loaded_plugin *plugin, const char *given_path, int kind, const char *name,
                     const struct bo_log *log, struct bo_error *error) {
  /* With its folder, or dlopen would look for a bare name elsewhere. */
  plugin->path = realpath(given_path, NULL);
  const char *path = plugin->path;
  if (path == NULL) return bo_error_errno(error, errno, "%s", given_path);
  if (check_file(path, error) != BO_OK) return BO_ERROR;
  plugin->host = calloc(1, sizeof(*plugin->host));
  if (plugin->host == NULL) return bo_error_no_memory(error);
  if (bo_plugin_host_init(plugin->host, log, strrchr(path, '/') + 1, error) != BO_OK) return BO_ERROR;
  plugin->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (plugin->handle == NULL) return refuse(path, error, "cannot be loaded: %s", dlerror());
  void *symbol = dlsym(plugin->handle, BO_PLUGIN_INIT_SYMBOL);
  if (symbol == NULL)
    return refuse(path, error, "has no symbol %s: it is not a plugin of backup-operator", BO_PLUGIN_INIT_SYMBOL);
  bo_plugin_init_function *init = NULL;
  memcpy(&init, &symbol, sizeof(init));
  struct bo_error why = BO_ERROR_INIT;
  const struct bo_plugin *descriptor = init(&plugin->host->table, &why);
  why.text[sizeof(why.text) - 1] = '\0';
  if (descriptor == NULL)
    return refuse(path, error, "%s failed: %s", BO_PLUGIN_INIT_SYMBOL,
                  why.text[0] == '\0' ? "it does not say why" : why.text);
  if (check_descriptor(path, kind, name, descriptor, error) != BO_OK) return BO_ERROR;
  memcpy(&plugin->descriptor, descriptor,
         descriptor->header.size < sizeof(plugin->descriptor) ? descriptor->header.size : sizeof(plugin->descriptor));
  if (copy_params(path, descriptor, plugin, error) != BO_OK) return BO_ERROR;
  return copy_operations(path, descriptor, plugin, error);
}

int bo_plugin_load(const char *path, int kind, const char *name, const struct bo_log *log,
                   struct bo_loaded_plugin **plugin, struct bo_error *error) {
  *plugin = calloc(1, sizeof(**plugin));
  if (*plugin == NULL) return bo_error_no_memory(error);
  int result = load_into(*plugin, path, kind, name, log, error);
  if (result == BO_OK) return BO_OK;
  bo_plugin_unload(*plugin);
  *plugin = NULL;
  return result;
}

void bo_plugin_unload(struct bo_loaded_plugin *plugin) {
  if (plugin->handle != NULL) (void)dlclose(plugin->handle);
  if (plugin->host != NULL && plugin->host->table.context != NULL) bo_plugin_host_destroy(plugin->host);
  free(plugin->host);
  free(plugin->operations.any);
  free(plugin->params);
  free(plugin->path);
  free(plugin);
}
