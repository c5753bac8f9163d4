/* The manifests that -f names: reading them, saying all that is wrong with them, finding one of them. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/io.h"
#include "programs/backupctl/ctl.h"

static int read_text(const char *path, struct bo_buffer *text, struct bo_error *error) {
  if (strcmp(path, "-") != 0) return bo_read_file(path, BO_MANIFEST_MAX_BYTES, text, error);
  return bo_read_to_end(STDIN_FILENO, BO_MANIFEST_MAX_BYTES, text, error);
}

static bool holds_secret(const struct bo_manifest_set *set) {
  for (size_t i = 0; i < set->manifest_count; i++)
    if (set->manifests[i].kind == BO_MANIFEST_SECRET) return true;
  return false;
}

static int load_file(struct ctl_manifests *manifests, const char *path, struct bo_error *error) {
  if (manifests->count == CTL_MAX_LIST)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s: there are more than %d files of manifests", path, CTL_MAX_LIST);
  BO_CLEANUP(bo_buffer_cleanse) struct bo_buffer text = BO_BUFFER_INIT;
  int result = read_text(path, &text, error);
  if (result != BO_OK) return result;
  struct bo_manifest_set *set = &manifests->sets[manifests->count++];
  struct bo_error first = BO_ERROR_INIT;
  (void)bo_manifest_parse(text.bytes, text.size, path, set, &first);
  for (size_t i = 0; i < set->problem_count; i++) {
    BO_CLEANUP_BUFFER struct bo_buffer line = BO_BUFFER_INIT;
    if (bo_problem_append(set, &set->problems[i], &line)) (void)fprintf(stderr, "%s\n", bo_buffer_text(&line));
  }
  if (set->error_count > 0 && set->problem_count == 0) (void)fprintf(stderr, "%s: error: %s\n", path, first.text);
  manifests->error_count += set->error_count;
  struct stat status;
  if (holds_secret(set) && stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077) != 0)
    (void)fprintf(stderr, "%s: warning: it holds a Secret, and others may read it: chmod 600 %s\n", path, path);
  return BO_OK;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_manifest_name(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot != NULL && dot != name &&
         (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

static int load_folder(struct ctl_manifests *manifests, const char *path, struct bo_error *error) {
  BO_CLEANUP_DIR DIR *dir = opendir(path);
  if (dir == NULL) return bo_error_errno(error, errno, "%s", path);
  char *names[CTL_MAX_LIST];
  size_t count = 0;
  int result = BO_OK;
  for (struct dirent *entry = readdir(dir); entry != NULL && result == BO_OK; entry = readdir(dir)) {
    if (!is_manifest_name(entry->d_name)) continue;
    if (count == CTL_MAX_LIST)
      result = bo_error_set(error, BO_CLASS_CONFIG, 0, "%s: it holds more than %d files", path, CTL_MAX_LIST);
    else if (asprintf(&names[count], "%s/%s", path, entry->d_name) < 0)
      result = bo_error_no_memory(error);
    else
      count++;
  }
  qsort(names, count, sizeof(char *), by_text);
  for (size_t i = 0; i < count; i++) {
    if (result == BO_OK) result = load_file(manifests, names[i], error);
    free(names[i]);
  }
  return result;
}

int ctl_manifests_load(const struct ctl_options *options, struct ctl_manifests *manifests, struct bo_error *error) {
  *manifests = (struct ctl_manifests){.count = 0};
  for (size_t i = 0; i < options->files.count; i++) {
    const char *path = options->files.items[i];
    struct stat status;
    bool folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    int result = folder ? load_folder(manifests, path, error) : load_file(manifests, path, error);
    if (result != BO_OK) return result;
  }
  return BO_OK;
}

void ctl_manifests_free(struct ctl_manifests *manifests) {
  for (size_t i = 0; i < manifests->count; i++)
    bo_manifest_set_free(&manifests->sets[i]);
  manifests->count = 0;
}

const struct bo_manifest *ctl_manifests_find(const struct ctl_manifests *manifests, enum bo_manifest_kind kind,
                                             const char *namespace_name, const char *name) {
  for (size_t i = 0; i < manifests->count; i++) {
    const struct bo_manifest *found = bo_manifest_find(&manifests->sets[i], kind, namespace_name, name);
    if (found != NULL) return found;
  }
  return NULL;
}

static bool is_named(const struct bo_backup_run *run, const char *name) {
  const char *namespace_name = ctl_namespace(&run->meta);
  const char *slash = strchr(name, '/');
  if (slash == NULL) return strcmp(run->meta.name, name) == 0;
  size_t length = (size_t)(slash - name);
  return strlen(namespace_name) == length && strncmp(namespace_name, name, length) == 0 &&
         strcmp(run->meta.name, slash + 1) == 0;
}

int ctl_manifests_run(const struct ctl_options *options, const struct ctl_manifests *manifests,
                      const struct bo_backup_run **run, struct bo_error *error) {
  size_t found = 0;
  BO_CLEANUP_BUFFER struct bo_buffer names = BO_BUFFER_INIT;
  for (size_t i = 0; i < manifests->count; i++) {
    for (size_t j = 0; j < manifests->sets[i].manifest_count; j++) {
      const struct bo_manifest *manifest = &manifests->sets[i].manifests[j];
      if (manifest->kind != BO_MANIFEST_RUN || manifest->run == NULL) continue;
      (void)bo_buffer_printf(&names, "%s%s", names.size > 0 ? ", " : "", manifest->run->meta.name);
      if (options->name != NULL && !is_named(manifest->run, options->name)) continue;
      *run = manifest->run;
      found++;
    }
  }
  if (found == 1) return BO_OK;
  if (names.size == 0) return bo_error_set(error, BO_CLASS_CONFIG, 0, "there is no BackupRun in what -f names");
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s: --name says which BackupRun is meant; there are: %s",
                      found == 0 ? "none of that name" : "there are several", bo_buffer_text(&names));
}

int ctl_validate(const struct ctl_options *options) {
  struct bo_error error = BO_ERROR_INIT;
  struct ctl_manifests manifests;
  if (options->files.count == 0) {
    (void)bo_error_set(&error, BO_CLASS_CONFIG, 0, "-f FILE is required: what to validate");
    return ctl_complain(options, &error);
  }
  int result = ctl_manifests_load(options, &manifests, &error);
  size_t count = 0;
  for (size_t i = 0; i < manifests.count; i++)
    count += manifests.sets[i].manifest_count;
  size_t errors = manifests.error_count;
  ctl_manifests_free(&manifests);
  if (result != BO_OK) return ctl_complain(options, &error);
  if (errors > 0) {
    (void)fprintf(stderr, "backupctl: %zu error%s\n", errors, errors == 1 ? "" : "s");
    return CTL_FAILED;
  }
  if (!options->quiet) (void)printf("%zu manifest%s, no errors\n", count, count == 1 ? "" : "s");
  return CTL_OK;
}
