/* local.h - the plugin's own objects: a platform has workloads, a workload has execs. */
#ifndef BO_PLATFORM_LOCAL_LOCAL_H
#define BO_PLATFORM_LOCAL_LOCAL_H

#include <backup-operator/platform.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "container.h"
#include "core/base/arena.h"
#include "store.h"

/* Limits for things that take milliseconds unless the machine is in trouble. */
#define START_TIMEOUT_MS 30000
#define KILL_TIMEOUT_MS 30000

struct workload;
struct exec;

struct platform {
  const struct bo_host *host;
  char *work_folder;         /* where working folders are made */
  char *supervisor_path;     /* the program beside the .so */
  int cancel_fd;             /* an eventfd, readable for ever once cancelled */
  struct bo_secret *secrets; /* what templates may refer to: "<secret>/<key>" */
  size_t secret_count;
  struct bo_arena secret_memory;
  struct store store;   /* the object part */
  pthread_mutex_t lock; /* guards the list */
  struct workload *workloads;
};

struct workload {
  struct platform *platform;
  struct workload *next;
  char name[256];
  char folder[PATH_MAX];
  int control; /* to the supervisor; see message.h */
  pid_t supervisor;
  struct containers containers;
  atomic_bool lost;     /* set before anything is killed because of the supervisor's death */
  pthread_mutex_t lock; /* guards what follows */
  struct exec *execs;
  struct exec *closed; /* before their stdin was ended: it stays open as long as anything runs */
  bool cleaned;        /* after the supervisor's death: see workload_clean */
};

/* Waits until `fd` is readable (or its other side is gone). Fails when the deadline passes (`what` says for what) or
 * the platform is cancelled. */
int platform_wait(const struct platform *platform, int fd, uint64_t deadline_ms, const char *what,
                  struct bo_error *error);

int workload_start(void *platform, const struct bo_workload_spec *spec, void **workload, struct bo_error *error);
int workload_state(void *workload, struct bo_workload_state *state, struct bo_error *error);
int workload_stop(void *workload, uint32_t grace_ms, struct bo_error *error);
void workload_close(void *workload);

/* True when it was stopped and nothing of it runs any more. */
bool workload_has_ended(const struct workload *workload);
/* True when the supervisor is gone though nobody asked it to go. */
bool workload_is_lost(const struct workload *workload);
/* After the supervisor's unexpected end: kills what of the workload can be found and removes its folder. Any thread. */
void workload_clean(struct workload *workload);

int exec_open(void *workload, const struct bo_exec_spec *spec, void **exec, struct bo_error *error);
int exec_read(void *exec, void *bytes, size_t capacity, size_t *size, struct bo_error *error);
int exec_write(void *exec, const void *bytes, size_t size, struct bo_error *error);
int exec_close_stdin(void *exec, struct bo_error *error);
int exec_wait(void *exec, struct bo_exit *exit, struct bo_error *error);
void exec_cancel(void *exec);
void exec_close(void *exec);
/* Ends the stdin of those in the list `closed`, when nothing is there any more that could read it. */
void exec_free_closed(struct workload *workload);

#endif
