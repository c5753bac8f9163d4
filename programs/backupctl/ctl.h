/*
 * programs/backupctl/ctl.h - what the parts of backupctl share.
 *
 * main.. reads a command line into struct ctl_options; request.c makes a runner's spec of it; runner.c starts
 * backup-runner and is its owner; record.c keeps what a backup's sizes and hashes were; report.c and progress.c speak
 * to the user; the commands are in command_*.c.
 */
#ifndef BACKUPCTL_CTL_H
#define BACKUPCTL_CTL_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "core/api/api.h"
#include "core/base/buffer.h"
#include "core/base/error.h"

/* Documented in backupctl(1). */
enum ctl_exit {
  CTL_OK = 0,
  CTL_FAILED = 1,    /* it did not succeed; nothing was left behind */
  CTL_USAGE = 2,     /* asked for wrongly: options, configuration, manifests */
  CTL_CORRUPT = 3,   /* the data are not what was backed up */
  CTL_UNDECIDED = 4, /* an object may exist, but that it is whole is not proven */
  CTL_INTERRUPTED = 130
};

#define CTL_MAX_LIST 64

struct ctl_list {
  const char *items[CTL_MAX_LIST];
  size_t count;
};

struct ctl_options {
  const char *command; /* the subcommand */
  /* storage */
  const char *storage;
  struct ctl_list params;       /* NAME=VALUE */
  struct ctl_list secret_files; /* NAME=FILE */
  const char *key;
  const char *prefix;
  /* chain */
  const char *compress; /* NAME or NAME:LEVEL; NULL: not given */
  struct ctl_list recipients;
  struct ctl_list recipient_files;
  struct ctl_list identity_files;
  const char *passphrase_file;
  /* workload */
  const char *platform;
  struct ctl_list env; /* NAME=VALUE, or NAME to take ours */
  const char *workdir;
  char **argv; /* the command; NULL-terminated, NULL for none */
  /* limits */
  const char *deadline;
  const char *call_timeout;
  const char *grace;
  const char *older_than;
  /* how */
  const char *state_dir;
  bool no_record;
  bool verify_first;
  bool json;
  bool quiet;
  bool verbose;
  const char *output_file;
  struct ctl_list files;    /* -f */
  struct ctl_list operands; /* what stands behind the options */
  const char *now;
  const char *data_file;
  const char *name;
};

/* ---- request.c ---- */

/* A spec for `operation` from the options: storage, secrets, key, chain, command, limits. The caller adds the rest and
 * deletes it. NULL with an error. */
cJSON *ctl_request(const struct ctl_options *options, const char *operation, const char *uid, struct bo_error *error);
/* Sets the chain for decoding: `compression` and `encryption` are plugin names, "none", or NULL for not known. */
int ctl_request_decoding(const struct ctl_options *options, cJSON *spec, const char *compression,
                         const char *encryption, struct bo_error *error);

/* Puts the limits of the command line into a spec. */
int ctl_request_limits(const struct ctl_options *options, cJSON *spec, struct bo_error *error);
/* The rest of a stream whose compression is not known: looked at; what is still encrypted never passes for plain. */
void ctl_request_detection(cJSON *spec);

/* ---- runner.c ---- */

struct ctl_runner_result {
  cJSON *result;          /* the runner's last word, or one made up for it; owned */
  struct bo_buffer token; /* of the put that was opened, "" for none */
  cJSON *commit;          /* the sums that it asked to commit, NULL; owned */
  bool interrupted;
};

struct ctl_runner_hooks {
  void *context;
  /* NULL for none. Before a commit is granted: false refuses it. */
  bool (*commit)(void *context, const cJSON *sums);
  /* A put was opened. False: nobody could keep its token, so the run is ended. */
  bool (*token)(void *context, const char *token);
  void (*object)(void *context, const cJSON *object);
  void (*more)(void *context);
};

/* Starts a runner with this spec, owns it to its end, shows progress, ends it on Ctrl-C. Always gives a result; a
 * runner that died is turned into one, after what it may have left was discarded. `input_fd`, `output_fd`: -1 or the
 * descriptor that becomes the spec's inputFd 3 and outputFd 4. */
int ctl_runner_run(const struct ctl_options *options, const cJSON *spec, int input_fd, int output_fd,
                   const struct ctl_runner_hooks *hooks, struct ctl_runner_result *result, struct bo_error *error);
void ctl_runner_result_free(struct ctl_runner_result *result);

enum ctl_finding { CTL_FOUND_OURS, CTL_FOUND_NONE, CTL_FOUND_NO_ANSWER };

/* What has become of a put whose runner is gone: its object is there; or it is ended for good and nothing of it is; or
 * that cannot be found out, and `why` (may be NULL) says why. `spec` says storage, key and run; `token` may be NULL;
 * `stored_bytes` is what was granted to be committed, -1 when nothing was. */
enum ctl_finding ctl_find_put(const struct ctl_options *options, const cJSON *spec, const char *token,
                              double stored_bytes, struct bo_error *why);

/* Finds backup-runner: beside this program. */
int ctl_runner_path(struct bo_buffer *path, struct bo_error *error);
/* Runs `backup-runner --describe file`; *json is owned by the caller. */
int ctl_describe(const char *file, cJSON **json, struct bo_error *error);
/* Plugins of a build tree are found without being told: sets BACKUP_PLUGIN_PATH if it is not set. */
void ctl_use_own_plugins(void);

/* ---- orphans.c ---- */

/* How many children there are that are no business of ours: to be asked before a runner is started. */
size_t ctl_orphans_before(void);
/* Behind a runner's end: waits, within bounds, until what it has left is gone. */
void ctl_orphans_wait(size_t before);

/* ---- record.c ---- */

/* What a backup has written, kept beside the storage: so that a restore can tell the object from any other. */
struct ctl_record {
  const char *path;
  const char *uid; /* the run's */
  int lock_fd;     /* -1: not prepared */
};

int ctl_record_path(const struct ctl_options *options, const cJSON *spec, struct bo_buffer *path,
                    struct bo_error *error);
/* Written before a commit is granted, under a name of its own. Until it is settled no other process commits to the same
 * key: the record that comes last is then of the object that came last. */
int ctl_record_prepare(struct ctl_record *record, const cJSON *spec, const cJSON *sums, struct bo_error *error);

enum ctl_outcome {
  CTL_COMMITTED,     /* it becomes the key's record */
  CTL_NOT_COMMITTED, /* it goes */
  CTL_NOT_KNOWN      /* it stays, in case that its object is there */
};
/* Also when it was never prepared. */
int ctl_record_settle(struct ctl_record *record, enum ctl_outcome outcome, struct bo_error *error);

/* The record of the run `uid` (NULL: the newest), or *json NULL when there is none at all. An existing record of
 * another run is BO_CLASS_CORRUPT. */
int ctl_record_load(const char *path, const char *uid, cJSON **json, struct bo_error *error);

/* ---- output.c ---- */

/* Where data go: stdout, or a file that appears only when they are proven. */
struct ctl_output {
  int fd;
  char *target;    /* NULL: stdout */
  char *temporary; /* NULL: the file has no name yet */
};

/* `path` NULL: stdout. */
int ctl_output_open(const char *path, struct ctl_output *output, struct bo_error *error);
/* Also after a failed open. On an error the target is as it was, or, when only making it durable failed, the new one.
 */
int ctl_output_close(struct ctl_output *output, bool proven, struct bo_error *error);

/* ---- progress.c ---- */

struct ctl_progress {
  bool terminal;
  bool silent;
  const char *what;
  uint64_t begin_ms;
  uint64_t last_ms;
  uint64_t last_bytes;
  double rate;
  double total_bytes; /* stored bytes expected, 0: unknown */
  bool shown;
};

void ctl_progress_begin(struct ctl_progress *progress, const struct ctl_options *options, const char *what,
                        double total_bytes);
void ctl_progress_update(struct ctl_progress *progress, uint64_t plain_bytes, uint64_t stored_bytes);
void ctl_progress_end(struct ctl_progress *progress);

/* ---- report.c ---- */

const char *ctl_text(const cJSON *json, const char *name); /* "" when absent */
double ctl_number(const cJSON *json, const char *name);    /* 0 when absent */
bool ctl_succeeded(const cJSON *result);                   /* a runner's result; false for NULL */
/* Copies a member as it is, where there is one. */
void ctl_copy_member(cJSON *to, const cJSON *from, const char *name);
/* An object's namespace; "default" when it has none. */
const char *ctl_namespace(const struct bo_object_meta *meta);
/* The plugin of a spec's member ("compression", "encryption"), "none" where there is none. */
const char *ctl_plugin_or_none(const cJSON *spec, const char *member);
/* Prints a result for people or as JSON, and returns the exit status that it stands for. */
int ctl_report(const struct ctl_options *options, const struct ctl_runner_result *result);
/* How the object is read when nothing of this program is left. "none" for no compression or encryption. */
void ctl_print_recovery(const char *compression, const char *encryption);
/* An error of backupctl itself, on stderr; returns the exit status. */
int ctl_complain(const struct ctl_options *options, const struct bo_error *error);

/* ---- manifests.c ---- */

struct ctl_manifests {
  struct bo_manifest_set sets[CTL_MAX_LIST];
  size_t count;
  size_t error_count;
};

/* Reads every -f: a file, a folder of *.yaml, *.yml and *.json, or - for stdin. Prints all problems on stderr. An error
 * only when something could not be read at all; what is wrong inside is counted in error_count. */
int ctl_manifests_load(const struct ctl_options *options, struct ctl_manifests *manifests, struct bo_error *error);
void ctl_manifests_free(struct ctl_manifests *manifests);
const struct bo_manifest *ctl_manifests_find(const struct ctl_manifests *manifests, enum bo_manifest_kind kind,
                                             const char *namespace_name, const char *name);
/* The one BackupRun, or the one that --name NAME or NAMESPACE/NAME means. */
int ctl_manifests_run(const struct ctl_options *options, const struct ctl_manifests *manifests,
                      const struct bo_backup_run **run, struct bo_error *error);

/* ---- run_request.c ---- */

/* The spec for an operation (backup, restore, verify, stat) of a run, whose status.path is set. */
cJSON *ctl_run_request(const struct ctl_options *options, const struct ctl_manifests *manifests,
                       const struct bo_backup_run *run, const char *operation, struct bo_error *error);
/* The key of the run's object, from its status.path. */
int ctl_run_key(const struct ctl_manifests *manifests, const struct bo_backup_run *run, struct bo_buffer *key,
                struct bo_error *error);

/* ---- run_state.c ---- */

/* A run as this machine remembers it: the manifest's spec with the recorded status. Locked: no other process works on
 * this run meanwhile. */
struct ctl_run_state {
  struct bo_buffer folder;
  int lock_fd;
  struct bo_manifest_set record; /* owns what was loaded */
  struct bo_arena arena;         /* owns what is set since */
  struct bo_backup_run run;
};

int ctl_run_state_open(const struct ctl_options *options, const struct bo_backup_run *manifest,
                       struct ctl_run_state *state, struct bo_error *error);
int ctl_run_state_save(struct ctl_run_state *state, struct bo_error *error);
void ctl_run_state_close(struct ctl_run_state *state);
/* The folder that state is kept in: --state, or the default. */
int ctl_state_folder(const struct ctl_options *options, struct bo_buffer *folder, struct bo_error *error);

/* ---- commands ---- */

int ctl_backup(const struct ctl_options *options);
int ctl_restore(const struct ctl_options *options); /* and cat, verify */
int ctl_decode(const struct ctl_options *options);
int ctl_list(const struct ctl_options *options);
int ctl_sweep(const struct ctl_options *options);
int ctl_plugins(const struct ctl_options *options);
/* With -f. */
int ctl_run_backup(const struct ctl_options *options);
int ctl_run_restore(const struct ctl_options *options); /* and verify */
int ctl_validate(const struct ctl_options *options);
int ctl_status(const struct ctl_options *options);
int ctl_render(const struct ctl_options *options);

#endif
