/*
 * What this machine remembers of a run: its UID, its rendered path, how its backup and its restores went.
 *
 * A record for each run in the state folder (core/state), and a lock for each run that is being worked on: the lock
 * ends with its process, so a run that says InProgress while nobody holds its lock was interrupted.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/text.h"
#include "core/state/state.h"
#include "programs/backupctl/ctl.h"

#define KIND "BackupRun"
/* Another process holds the state's own lock just while it saves. */
#define SAVE_TRIES 200
#define SAVE_PAUSE_US 50000

static int lock(struct ctl_run_state *state, struct bo_error *error) {
  BO_CLEANUP_BUFFER struct bo_buffer path = BO_BUFFER_INIT;
  (void)bo_buffer_printf(&path, "%s/locks", bo_buffer_text(&state->folder));
  int result = bo_make_folders(bo_buffer_text(&path), 0700, error);
  if (result != BO_OK) return result;
  (void)bo_buffer_printf(&path, "/%s.%s", ctl_namespace(&state->run.meta), state->run.meta.name);
  if (path.failed) return bo_error_no_memory(error);
  state->lock_fd = open(path.bytes, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (state->lock_fd < 0) return bo_error_errno(error, errno, "%s", path.bytes);
  if (flock(state->lock_fd, LOCK_EX | LOCK_NB) == 0) return BO_OK;
  return bo_error_set(error, BO_CLASS_EXISTS, EBUSY, "the run %s/%s is in progress in another process",
                      ctl_namespace(&state->run.meta), state->run.meta.name);
}

/* Status, UID and creation time are the record's; the spec is the manifest's. */
static int load(struct ctl_run_state *state, struct bo_error *error) {
  struct bo_state *records = NULL;
  int result = bo_state_open(bo_buffer_text(&state->folder), BO_STATE_READ, &records, error);
  if (result != BO_OK) return result;
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  result = bo_state_load(records, KIND, ctl_namespace(&state->run.meta), state->run.meta.name, &text, error);
  bo_state_close(records);
  if (result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND) return BO_OK; /* its first time */
  if (result == BO_OK) result = bo_manifest_from_json(text.bytes, text.size, "the run's record", &state->record, error);
  if (result != BO_OK) return result;
  const struct bo_backup_run *old = state->record.manifest_count > 0 ? state->record.manifests[0].run : NULL;
  if (old == NULL) return bo_error_set(error, BO_CLASS_CORRUPT, 0, "the run's record is not a BackupRun");
  state->run.meta.uid = old->meta.uid;
  state->run.meta.creation_time = old->meta.creation_time;
  state->run.status = old->status;
  return BO_OK;
}

static int begin(struct ctl_run_state *state, struct bo_error *error) {
  char uid[37];
  if (state->run.meta.uid != NULL) return BO_OK;
  if (!bo_random_uuid(uid)) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "there is no randomness for a UID");
  state->run.meta.uid = bo_arena_copy(&state->arena, uid, strlen(uid));
  if (!state->run.meta.creation_time.is_set)
    state->run.meta.creation_time = (struct bo_optional){true, bo_realtime_ms() / 1000};
  return state->arena.failed ? bo_error_no_memory(error) : BO_OK;
}

int ctl_run_state_open(const struct ctl_options *options, const struct bo_backup_run *manifest,
                       struct ctl_run_state *state, struct bo_error *error) {
  *state = (struct ctl_run_state){.lock_fd = -1, .arena = BO_ARENA_INIT, .run = *manifest};
  state->run.status = (struct bo_backup_run_status){.state = NULL};
  int result = ctl_state_folder(options, &state->folder, error);
  if (result == BO_OK) result = lock(state, error);
  if (result == BO_OK) result = load(state, error);
  if (result == BO_OK) result = begin(state, error);
  if (result != BO_OK) ctl_run_state_close(state);
  return result;
}

int ctl_run_state_save(struct ctl_run_state *state, struct bo_error *error) {
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  if (state->arena.failed) return bo_error_no_memory(error);
  /* What is executed, with which environment, stays in the manifest: there may be passwords in it. */
  struct bo_backup_run record = state->run;
  record.spec.backup = NULL;
  record.spec.restore = NULL;
  record.spec.pod_template = NULL;
  int result = bo_backup_run_to_json(&record, &text, error);
  if (result != BO_OK) return result;
  struct bo_state *records = NULL;
  for (int tries = 0;; tries++) {
    result = bo_state_open(bo_buffer_text(&state->folder), BO_STATE_WRITE, &records, error);
    if (result == BO_OK || error->error_class != BO_CLASS_CONFLICT || tries == SAVE_TRIES) break;
    (void)usleep(SAVE_PAUSE_US);
  }
  if (result == BO_OK)
    result = bo_state_save(records, KIND, ctl_namespace(&state->run.meta), state->run.meta.name, text.bytes, text.size,
                           error);
  bo_state_close(records);
  return result;
}

void ctl_run_state_close(struct ctl_run_state *state) {
  if (state->lock_fd >= 0) (void)close(state->lock_fd);
  state->lock_fd = -1;
  bo_manifest_set_free(&state->record);
  bo_arena_free(&state->arena);
  bo_buffer_free(&state->folder);
}

/* ---- status ---- */

struct status_listing {
  const struct ctl_options *options;
  struct bo_state *records;
  const char *name; /* NULL: all */
  size_t shown;
};

static void print_outcome(const char *what, const struct bo_run_outcome *outcome) {
  if (outcome == NULL) return;
  char start[BO_TIME_TEXT_MAX] = "-";
  char end[BO_TIME_TEXT_MAX] = "-";
  if (outcome->start_time.is_set) bo_time_format(outcome->start_time.value, start);
  if (outcome->completion_time.is_set) bo_time_format(outcome->completion_time.value, end);
  (void)printf("  %-8s %s to %s: %s%s%s\n", what, start, end, outcome->reason == NULL ? "in progress" : outcome->reason,
               outcome->message == NULL ? "" : ": ", outcome->message == NULL ? "" : outcome->message);
  if (outcome->sha256_plain != NULL)
    (void)printf("           plain  %lld bytes, sha256 %s\n", (long long)outcome->bytes_plain.value,
                 outcome->sha256_plain);
  if (outcome->sha256_stored != NULL)
    (void)printf("           stored %lld bytes, sha256 %s\n", (long long)outcome->bytes_stored.value,
                 outcome->sha256_stored);
}

static void print_run(const struct status_listing *listing, const struct bo_backup_run *run) {
  const struct bo_backup_run_status *status = &run->status;
  char name[320];
  (void)snprintf(name, sizeof(name), "%s/%s", ctl_namespace(&run->meta), run->meta.name);
  if (listing->name == NULL) {
    (void)printf("%-32s  %-18s  %10s  %s\n", name, status->state == NULL ? "-" : status->state,
                 status->size == NULL ? "-" : status->size, status->path == NULL ? "-" : status->path);
    return;
  }
  (void)printf("%s: %s\n  path     %s\n", name, status->state == NULL ? "-" : status->state,
               status->path == NULL ? "-" : status->path);
  print_outcome("backup", status->backup);
  print_outcome("restore", status->restore);
  print_outcome("verify", status->verify);
  ctl_print_recovery(run->spec.compression == NULL ? "none" : run->spec.compression->algorithm,
                     run->spec.encryption == NULL ? "none" : "age");
  for (size_t i = 0; i < status->conditions.count; i++)
    (void)printf("  %-12s %s\n", status->conditions.items[i].type, status->conditions.items[i].status);
}

static int show_run(void *context, const char *namespace_name, const char *name, struct bo_error *error) {
  struct status_listing *listing = context;
  char full[320];
  (void)snprintf(full, sizeof(full), "%s/%s", namespace_name, name);
  if (listing->name != NULL && strcmp(listing->name, name) != 0 && strcmp(listing->name, full) != 0) return BO_OK;
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  int result = bo_state_load(listing->records, KIND, namespace_name, name, &text, error);
  if (result != BO_OK) return result;
  listing->shown++;
  if (listing->options->json) {
    (void)puts(bo_buffer_text(&text));
    return BO_OK;
  }
  struct bo_manifest_set set = {.manifest_count = 0};
  result = bo_manifest_from_json(text.bytes, text.size, full, &set, error);
  if (result == BO_OK && set.manifest_count > 0 && set.manifests[0].run != NULL)
    print_run(listing, set.manifests[0].run);
  bo_manifest_set_free(&set);
  return result;
}

int ctl_status(const struct ctl_options *options) {
  struct bo_error error = BO_ERROR_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer folder = BO_BUFFER_INIT;
  struct status_listing listing = {.options = options,
                                   .name = options->operands.count > 0 ? options->operands.items[0] : NULL};
  int result = ctl_state_folder(options, &folder, &error);
  if (result == BO_OK) result = bo_state_open(bo_buffer_text(&folder), BO_STATE_READ, &listing.records, &error);
  if (result == BO_OK) result = bo_state_list(listing.records, KIND, NULL, show_run, &listing, &error);
  bo_state_close(listing.records);
  if (result == BO_OK && listing.shown == 0 && listing.name != NULL)
    result =
        bo_error_set(&error, BO_CLASS_NOT_FOUND, 0, "there is no run %s in %s", listing.name, bo_buffer_text(&folder));
  if (result != BO_OK) return ctl_complain(options, &error);
  if (listing.shown == 0 && !options->json && !options->quiet) (void)fputs("backupctl: no run is recorded\n", stderr);
  return fflush(stdout) == 0 ? CTL_OK : CTL_FAILED;
}
