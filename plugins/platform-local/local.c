/*
 * local.c - the platform `local`: commands run on this machine, without containers.
 *
 * A workload is a working folder and the tree of processes below a supervisor, a small program of its own (see
 * supervisor/). The plugin lives in a process with threads and secrets, which must not fork; it starts the supervisor
 * with posix_spawn and asks it for everything else. The descriptors of a command's streams it has itself, so data
 * flow without a middleman.
 *
 *   local.c      the platform          container.c  what is read of a pod template; environment.c, user.c: parts of it
 *   workload.c   start, state, stop    message.c    talk between plugin and supervisor
 *   exec_open.c, exec.c  one command   processes.c, folder.c  ending and tidying up; also used by the supervisor
 *
 * The object part is a small API server over two folders, one of the user's manifests and one of our own records:
 *
 *   store.c      index and records     manifests.c  from the user's folder to objects
 *   objects.c    get, create, delete, patch (merge.c: RFC 7386)    watch.c  the changes
 *   secrets.c    secrets               ledger.c     events and leases
 */
#include "local.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "ledger.h"
#include "objects.h"
#include "watch.h"

#define SUPERVISOR_NAME "platform-local-supervisor"
#define CANCEL_CHECK_MS 200

enum { PARAM_WORK_FOLDER, PARAM_MANIFESTS, PARAM_STATE, PARAM_COUNT };

static const struct bo_param params[PARAM_COUNT] = {
    [PARAM_WORK_FOLDER] = {.key = "workDir",
                           .type = BO_TYPE_STRING,
                           .description = "The folder in which each workload gets a fresh folder of its own, removed "
                                          "at its end. Default: $TMPDIR, or /tmp."},
    [PARAM_MANIFESTS] = {.key = "manifests",
                         .type = BO_TYPE_STRING,
                         .description = "The folder with the manifests of BackupStorage, BackupSchedule, BackupRun and "
                                        "Secret, in YAML or JSON. It is read and never written. Needs state."},
    [PARAM_STATE] = {.key = "state",
                     .type = BO_TYPE_STRING,
                     .description = "The folder that remembers the objects: their status, uids, and those that have no "
                                    "manifest. One process may write to it at a time."},
};

int platform_wait(const struct platform *platform, int fd, uint64_t deadline_ms, const char *what,
                  struct bo_error *error) {
  for (;;) {
    uint64_t now_ms = bo_monotonic_ms();
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = platform->cancel_fd, .events = POLLIN}};
    uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    int ready = poll(fds, 2, left_ms < CANCEL_CHECK_MS ? (int)left_ms : CANCEL_CHECK_MS);
    if (ready < 0 && errno != EINTR) return bo_error_errno(error, errno, "cannot wait for %s", what);
    if (ready > 0 && fds[0].revents != 0) return BO_OK;
    if ((ready > 0 && fds[1].revents != 0) || platform->host->cancelled(platform->host->context))
      return bo_error_set(error, BO_CLASS_CANCELLED, ECANCELED, "cancelled while waiting for %s", what);
    if (ready == 0 && left_ms == 0)
      return bo_error_set(error, BO_CLASS_TIMEOUT, ETIMEDOUT, "%s took too long; is the machine overloaded?", what);
  }
}

/* The supervisor's place is beside this very .so, and nothing can redirect it. */
static char *find_supervisor(void) {
  Dl_info info;
  if (dladdr((const void *)params, &info) == 0 || info.dli_fname == NULL) return NULL;
  char *path = realpath(info.dli_fname, NULL);
  if (path == NULL) return NULL;
  BO_CLEANUP_BUFFER struct bo_buffer buffer = BO_BUFFER_INIT;
  (void)bo_buffer_printf(&buffer, "%.*s/" SUPERVISOR_NAME, (int)(strrchr(path, '/') - path), path);
  free(path);
  return buffer.failed ? NULL : bo_buffer_take(&buffer);
}

static void platform_close(void *context) {
  struct platform *platform = context;
  while (platform->workloads != NULL)
    workload_close(platform->workloads);
  if (platform->cancel_fd >= 0) (void)close(platform->cancel_fd);
  (void)pthread_mutex_destroy(&platform->lock);
  store_close(&platform->store);
  bo_arena_free(&platform->secret_memory);
  free(platform->work_folder);
  free(platform->supervisor_path);
  free(platform);
}

static int copy_secrets(struct platform *platform, const struct bo_config *config, struct bo_error *error) {
  struct bo_arena *memory = &platform->secret_memory;
  if (config == NULL || config->secret_count == 0) return BO_OK;
  platform->secrets = bo_arena_alloc(memory, config->secret_count * sizeof(*platform->secrets));
  for (uint32_t i = 0; platform->secrets != NULL && i < config->secret_count; i++) {
    const struct bo_secret *given = &config->secrets[i];
    platform->secrets[platform->secret_count++] =
        (struct bo_secret){.name = bo_arena_copy(memory, given->name, strlen(given->name)),
                           .bytes = (unsigned char *)bo_arena_copy(memory, given->bytes, given->size),
                           .size = given->size};
  }
  return memory->failed ? bo_error_no_memory(error) : BO_OK;
}

/* The folder that a parameter names, NULL when it is not set. */
static int folder_of(const struct bo_config *config, uint32_t param, const char **folder, struct bo_error *error) {
  *folder = config != NULL && config->value_count > param ? config->values[param].string : NULL;
  if (*folder != NULL && strlen(*folder) > PATH_MAX / 2)
    return bo_error_set(error, BO_CLASS_CONFIG, ENAMETOOLONG, "%s is longer than %d bytes", params[param].key,
                        PATH_MAX / 2);
  if (*folder == NULL || (*folder)[0] == '/') return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s \"%s\" is not an absolute path", params[param].key, *folder);
}

static int set_up_store(struct platform *platform, const struct bo_config *config, struct bo_error *error) {
  const char *manifests, *state;
  struct stat status;
  if (folder_of(config, PARAM_MANIFESTS, &manifests, error) != BO_OK ||
      folder_of(config, PARAM_STATE, &state, error) != BO_OK)
    return BO_ERROR;
  if (manifests != NULL && (stat(manifests, &status) != 0 || !S_ISDIR(status.st_mode)))
    return bo_error_set(error, BO_CLASS_CONFIG, ENOTDIR,
                        "there is no folder \"%s\" to read manifests from; create it, or set manifests", manifests);
  return store_open(&platform->store, platform->host, platform->cancel_fd, manifests, state, error);
}

static int set_up(struct platform *platform, const struct bo_config *config, struct bo_error *error) {
  const char *wanted;
  const char *temporary = getenv("TMPDIR");
  if (folder_of(config, PARAM_WORK_FOLDER, &wanted, error) != BO_OK) return BO_ERROR;
  if (wanted == NULL) wanted = temporary != NULL && temporary[0] == '/' ? temporary : "/tmp";
  platform->work_folder = strdup(wanted);
  platform->supervisor_path = find_supervisor();
  if (platform->work_folder == NULL || platform->supervisor_path == NULL) return bo_error_no_memory(error);
  struct stat status;
  if (stat(wanted, &status) != 0 || !S_ISDIR(status.st_mode))
    return bo_error_set(error, BO_CLASS_CONFIG, ENOTDIR,
                        "there is no folder \"%s\" to make working folders in; create it, or set workDir", wanted);
  if (access(platform->supervisor_path, X_OK) != 0)
    return bo_error_errno(error, errno, "the program %s, which belongs beside the plugin, cannot be run; reinstall it",
                          platform->supervisor_path);
  platform->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (platform->cancel_fd < 0) return bo_error_errno(error, errno, "cannot make an eventfd");
  return set_up_store(platform, config, error);
}

static int platform_open(const struct bo_host *host, const struct bo_config *config, void **instance,
                         struct bo_error *error) {
  struct platform *platform = calloc(1, sizeof(*platform));
  if (platform == NULL) return bo_error_no_memory(error);
  platform->host = host;
  platform->cancel_fd = -1;
  store_init(&platform->store);
  (void)pthread_mutex_init(&platform->lock, NULL);
  if (copy_secrets(platform, config, error) != BO_OK || set_up(platform, config, error) != BO_OK) {
    platform_close(platform);
    return BO_ERROR;
  }
  *instance = platform;
  return BO_OK;
}

static void platform_cancel(void *context) {
  const struct platform *platform = context;
  (void)eventfd_write(platform->cancel_fd, 1);
}

static const struct bo_platform_operations operations = {
    .header = BO_HEADER(struct bo_platform_operations),
    .open = platform_open,
    .close = platform_close,
    .cancel = platform_cancel,
    .workload_start = workload_start,
    .workload_state = workload_state,
    .workload_stop = workload_stop,
    .workload_close = workload_close,
    .exec_open = exec_open,
    .exec_read = exec_read,
    .exec_write = exec_write,
    .exec_close_stdin = exec_close_stdin,
    .exec_wait = exec_wait,
    .exec_cancel = exec_cancel,
    .exec_close = exec_close,
    .object_watch = object_watch,
    .object_get = object_get,
    .object_create = object_create,
    .object_delete = object_delete,
    .object_patch = object_patch,
    .event_record = event_record,
    .lease_acquire = lease_acquire,
};

static const struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_PLATFORM,
    .capabilities = BO_CAN_OBJECTS,
    .name = "local",
    .version = BO_VERSION,
    .license = "Apache-2.0",
    .origin = "backup-operator",
    .description = "Runs commands on this machine, each workload in a fresh folder with a clean environment",
    .threads = 1,
    .param_count = PARAM_COUNT,
    .param_size = sizeof(struct bo_param),
    .params = params,
    .operations = &operations,
};

const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  return bo_host_check(host, error) == BO_OK ? &plugin : NULL;
}
