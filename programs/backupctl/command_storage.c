/* The commands that ask a storage, or the plugins, one thing: list, sweep, plugins. */
#include <stdlib.h>

#include "core/base/text.h"
#include "core/plugin/config.h"
#include "core/plugin/loader.h"
#include "programs/backupctl/ctl.h"

/* ---- list ---- */

struct listing {
  const struct ctl_options *options;
  struct bo_buffer last;
  bool more;
  size_t count;
};

static void print_object(void *context, const cJSON *object) {
  struct listing *listing = context;
  listing->count++;
  bo_buffer_clear(&listing->last);
  (void)bo_buffer_append_text(&listing->last, ctl_text(object, "key"));
  if (listing->options->json) {
    char *text = cJSON_PrintUnformatted(object);
    (void)puts(text == NULL ? "{}" : text);
    cJSON_free(text);
    return;
  }
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT;
  (void)bo_append_printable(&key, listing->last.bytes, listing->last.size);
  char size[32];
  bo_human_size((uint64_t)ctl_number(object, "sizeBytes"), size);
  (void)printf("%12s  %-20s  %s\n", size, ctl_text(object, "modified"), bo_buffer_text(&key));
}

static void note_more(void *context) {
  ((struct listing *)context)->more = true;
}

/* One page after the other, each by a runner of its own. */
int ctl_list(const struct ctl_options *options) {
  struct bo_error error = BO_ERROR_INIT;
  struct listing listing = {.options = options};
  const struct ctl_runner_hooks hooks = {.context = &listing, .object = print_object, .more = note_more};
  int code = CTL_OK;
  do {
    listing.more = false;
    cJSON *spec = ctl_request(options, "list", NULL, &error);
    struct ctl_runner_result result = {.result = NULL};
    if (spec != NULL && options->prefix != NULL) (void)cJSON_AddStringToObject(spec, "prefix", options->prefix);
    if (spec != NULL) (void)cJSON_AddStringToObject(spec, "after", bo_buffer_text(&listing.last));
    if (spec == NULL || ctl_runner_run(options, spec, -1, -1, &hooks, &result, &error) != BO_OK) {
      code = ctl_complain(options, &error);
    } else if (!ctl_succeeded(result.result)) {
      code = ctl_report(options, &result);
    }
    ctl_runner_result_free(&result);
    cJSON_Delete(spec);
  } while (code == CTL_OK && listing.more);
  if (code == CTL_OK && listing.count == 0 && !options->json && !options->quiet)
    (void)fputs("backupctl: there are no objects\n", stderr);
  bo_buffer_free(&listing.last);
  return fflush(stdout) != 0 && code == CTL_OK ? CTL_FAILED : code;
}

/* ---- sweep ---- */

int ctl_sweep(const struct ctl_options *options) {
  struct bo_error error = BO_ERROR_INIT;
  int64_t seconds = 86400;
  if (options->older_than != NULL && !bo_parse_seconds(options->older_than, &seconds)) {
    (void)bo_error_set(&error, BO_CLASS_CONFIG, 0, "--older-than %s: must be a time such as 90s, 15m, 2h or 1d",
                       options->older_than);
    return ctl_complain(options, &error);
  }
  cJSON *spec = ctl_request(options, "sweep", NULL, &error);
  struct ctl_runner_result result = {.result = NULL};
  if (spec != NULL) (void)cJSON_AddStringToObject(spec, "prefix", options->prefix == NULL ? "" : options->prefix);
  if (spec != NULL) (void)cJSON_AddNumberToObject(spec, "olderThanSeconds", (double)seconds);
  int code = CTL_OK;
  if (spec == NULL || ctl_runner_run(options, spec, -1, -1, NULL, &result, &error) != BO_OK) {
    code = ctl_complain(options, &error);
  } else if (options->json || !ctl_succeeded(result.result)) {
    code = ctl_report(options, &result);
  } else if (!options->quiet) {
    (void)printf("unfinished uploads removed: %.0f\n", ctl_number(result.result, "count"));
  }
  ctl_runner_result_free(&result);
  cJSON_Delete(spec);
  return code;
}

/* ---- plugins ---- */

struct plugin_listing {
  const struct ctl_options *options;
  const char *name; /* NULL: all */
  size_t shown;
  int code;
};

static void print_parameters(const cJSON *json) {
  const cJSON *parameters = cJSON_GetObjectItemCaseSensitive(json, "parameters");
  if (cJSON_GetArraySize(parameters) == 0) {
    (void)puts("  it has no parameters");
    return;
  }
  const cJSON *one = NULL;
  cJSON_ArrayForEach(one, parameters) {
    (void)printf("  %-20s %s", ctl_text(one, "key"), ctl_text(one, "type"));
    if (ctl_text(one, "choices")[0] != '\0') (void)printf(" %s", ctl_text(one, "choices"));
    if (cJSON_HasObjectItem(one, "minimum"))
      (void)printf(" %.0f..%.0f", ctl_number(one, "minimum"), ctl_number(one, "maximum"));
    if (cJSON_HasObjectItem(one, "default")) (void)printf(", default %s", ctl_text(one, "default"));
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(one, "required"))) (void)fputs(", required", stdout);
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(one, "repeated"))) (void)fputs(", may be repeated", stdout);
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(one, "secret"))) (void)fputs(", secret", stdout);
    (void)printf("\n  %-20s %s\n", "", ctl_text(one, "description"));
  }
}

static void show_plugin(void *context, int kind, const char *name, const char *path) {
  struct plugin_listing *listing = context;
  char full[64];
  (void)snprintf(full, sizeof(full), "%s-%s", bo_kind_name(kind), name);
  if (listing->name != NULL && strcmp(listing->name, name) != 0 && strcmp(listing->name, full) != 0) return;
  listing->shown++;
  struct bo_error error = BO_ERROR_INIT;
  cJSON *json = NULL;
  if (ctl_describe(path, &json, &error) != BO_OK) {
    listing->code = ctl_complain(listing->options, &error);
    return;
  }
  if (listing->options->json) {
    char *text = cJSON_PrintUnformatted(json);
    (void)puts(text == NULL ? "{}" : text);
    cJSON_free(text);
  } else if (listing->name == NULL) {
    (void)printf("%-9s %-10s %-8s %s\n", bo_kind_name(kind), name, ctl_text(json, "version"),
                 ctl_text(json, "description"));
  } else {
    (void)printf("%s: %s\n  version %s, ABI %s, licence %s\n  from %s\n  file %s\n\n", full,
                 ctl_text(json, "description"), ctl_text(json, "version"), ctl_text(json, "abi"),
                 ctl_text(json, "license"), ctl_text(json, "origin"), ctl_text(json, "file"));
    print_parameters(json);
  }
  cJSON_Delete(json);
}

int ctl_plugins(const struct ctl_options *options) {
  struct plugin_listing listing = {.options = options, .code = CTL_OK};
  if (options->operands.count > 0) listing.name = options->operands.items[0];
  struct bo_error error = BO_ERROR_INIT;
  if (bo_plugin_list(show_plugin, &listing, &error) != BO_OK) return ctl_complain(options, &error);
  if (listing.shown > 0) return listing.code;
  (void)bo_error_set(&error, BO_CLASS_CONFIG, 0,
                     listing.name == NULL ? "there are no plugins; set BACKUP_PLUGIN_PATH to their folder"
                                          : "there is no plugin %s; `backupctl plugins` lists them",
                     listing.name);
  return ctl_complain(options, &error);
}
