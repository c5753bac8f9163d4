/*
 * backup-operator/platform.h - the kind `platform`: where commands run and where the resources live.
 *
 * Two parts. The workload part starts what a run executes in (a Pod, a local process group) and executes commands
 * there; every platform has it. The object part reads and writes the three resources and their secrets; a platform
 * that has it says so with BO_CAN_OBJECTS, and without that bit its functions may be NULL.
 */
#ifndef BACKUP_OPERATOR_PLATFORM_H
#define BACKUP_OPERATOR_PLATFORM_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BO_CAN_OBJECTS 0x1u

/* What a workload is made from. */
struct bo_workload_spec {
  struct bo_header header;
  const char *namespace_name; /* "" where the platform has none */
  const char *name;           /* the run's name: the workload's is made from it */
  const char *uid;            /* the run's UID: the workload is marked with it */
  const char *template_json;  /* {"metadata":{...},"spec":PodSpec}, JSON; "{}" for nothing special */
  uint32_t start_deadline_ms; /* how long it may take to be ready; 0: the platform's default */
  uint32_t reserved;
};

enum bo_workload_phase {
  BO_WORKLOAD_STARTING = 1,
  BO_WORKLOAD_READY = 2,
  BO_WORKLOAD_ENDED = 3, /* all that ran in it is gone */
  BO_WORKLOAD_LOST = 4   /* it cannot be told */
};

struct bo_workload_state {
  uint32_t size;
  int32_t phase;    /* enum bo_workload_phase */
  char name[256];   /* the platform's name for it (a Pod's name) */
  char reason[512]; /* in words */
};

enum bo_exec_direction {
  BO_EXEC_BACKUP = 1, /* stdout is the data; stdin is empty and at its end */
  BO_EXEC_RESTORE = 2 /* stdin is the data; stdout is read and dropped */
};

/* Bytes of the command's stderr, in order. Called from the plugin's I/O thread; must return at once. */
typedef void bo_stderr_function(void *context, const void *bytes, size_t size);

struct bo_exec_spec {
  struct bo_header header;
  const char *container;   /* "" for the first */
  const char *const *argv; /* NULL-terminated, at least one */
  int32_t direction;       /* enum bo_exec_direction */
  uint32_t reserved;
  bo_stderr_function *on_stderr;
  void *context;
};

enum bo_exit_kind {
  BO_EXIT_STATUS = 1, /* the command ended by itself; `code` is its exit status */
  BO_EXIT_SIGNAL = 2  /* a signal ended it; `code` is the signal's number */
};

/* How a command ended: only ever filled when that was really received. */
struct bo_exit {
  uint32_t size;
  int32_t kind; /* enum bo_exit_kind */
  int32_t code;
  uint32_t reserved;
  uint64_t unread_bytes; /* restore: bytes of stdin that the command certainly never read; 0 where not known */
};

enum bo_watch_event { BO_WATCH_ADDED = 1, BO_WATCH_MODIFIED = 2, BO_WATCH_DELETED = 3, BO_WATCH_SYNCED = 4 };

/* One change of an object (its JSON), or BO_WATCH_SYNCED with NULL after the initial list. Non-zero ends the watch. */
typedef int bo_watch_function(void *context, int event, const char *object_json);

struct bo_platform_operations {
  struct bo_header header;

  int (*open)(const struct bo_host *host, const struct bo_config *config, void **platform, struct bo_error *error);

  /* Ends every workload and exec that is still open, then frees. Never fails. */
  void (*close)(void *platform);

  /* Any thread: makes running calls on the platform itself (not on its workloads) fail soon. */
  void (*cancel)(void *platform);

  /* ---- workloads. Each workload is an instance of its own: workloads of one platform may be used by different
   * threads at once. ---- */

  /* Starts it and returns when commands can be executed in it, or with the reason in words why they cannot. */
  int (*workload_start)(void *platform, const struct bo_workload_spec *spec, void **workload, struct bo_error *error);

  int (*workload_state)(void *workload, struct bo_workload_state *state, struct bo_error *error);

  /* Any thread, also while an exec runs: asks everything in it to end, waits `grace_ms`, ends what is left by force,
   * and returns when nothing of it runs any more. Idempotent. The stdin of a running exec is not ended before that. */
  int (*workload_stop)(void *workload, uint32_t grace_ms, struct bo_error *error);

  /* Stops it if need be, removes what it left, frees it. */
  void (*workload_close)(void *workload);

  /* ---- exec. One duplex object: one thread may use read or write and close_stdin, while another is in wait. ---- */

  int (*exec_open)(void *workload, const struct bo_exec_spec *spec, void **exec, struct bo_error *error);

  /* Backup: up to `capacity` bytes of stdout. *size 0: stdout ended, cleanly. When the command has exited but
   * something it left behind keeps stdout open, it is an error, not an end. */
  int (*exec_read)(void *exec, void *bytes, size_t capacity, size_t *size, struct bo_error *error);

  /* Restore: gives all `size` bytes to stdin, or fails at once when the command no longer reads. */
  int (*exec_write)(void *exec, const void *bytes, size_t size, struct bo_error *error);

  /* Restore: ends stdin cleanly: the command may take its input for complete. */
  int (*exec_close_stdin)(void *exec, struct bo_error *error);

  /* Returns when the command's exit was received, or that became impossible (an error). */
  int (*exec_wait)(void *exec, struct bo_exit *exit, struct bo_error *error);

  /* Any thread: makes read, write and wait fail soon with BO_CLASS_CANCELLED. Never ends stdin. */
  void (*exec_cancel)(void *exec);

  /* Frees it. On a restore whose stdin was not ended: call workload_stop first. */
  void (*exec_close)(void *exec);

  /* ---- objects, with BO_CAN_OBJECTS. `kind` is BackupStorage, BackupSchedule, BackupRun, or Secret (get only).
   * JSON that is handed out is allocated with host->alloc and freed by the caller through host->free. ---- */

  int (*object_watch)(void *platform, const char *kind, bo_watch_function *each, void *context, struct bo_error *error);
  int (*object_get)(void *platform, const char *kind, const char *namespace_name, const char *name, char **json,
                    struct bo_error *error);
  int (*object_create)(void *platform, const char *json, char **created_json, struct bo_error *error);
  /* `uid` and `resource_version`: preconditions, NULL for none. */
  int (*object_delete)(void *platform, const char *kind, const char *namespace_name, const char *name, const char *uid,
                       const char *resource_version, struct bo_error *error);
  /* A JSON merge patch (RFC 7386) of the object (`status` 0) or of its status (1). */
  int (*object_patch)(void *platform, const char *kind, const char *namespace_name, const char *name, int status,
                      const char *patch_json, char **patched_json, struct bo_error *error);
  int (*event_record)(void *platform, const char *event_json, struct bo_error *error);
  /* Takes, or renews, the lease; *held is non-zero when it is ours. */
  int (*lease_acquire)(void *platform, const char *namespace_name, const char *name, const char *holder,
                       uint32_t duration_ms, int *held, struct bo_error *error);
};

#ifdef __cplusplus
}
#endif
#endif
