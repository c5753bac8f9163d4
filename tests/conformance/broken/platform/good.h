/*
 * tests/conformance/broken/platform/good.h - a small platform that keeps every rule, and what a file beside it may
 * change to break one: see transform/good.h.
 *
 * A workload is a list of commands, each a process group of its own. One thread for each command hears of its stderr
 * and its end. stdin is a socket, so that a write to a command that is gone raises no signal.
 */
#ifndef BO_TESTS_GOOD_PLATFORM_H
#define BO_TESTS_GOOD_PLATFORM_H

#include <backup-operator/plugin.h>
#include <pthread.h>
#include <sys/types.h>

struct good_platform {
  const struct bo_host *host;
  int cancelled; /* read and written with __atomic */
  struct good_workload *workloads;
};

struct good_workload {
  struct good_platform *platform;
  struct good_workload *next;
  struct good_exec *execs;
  int stopped;
};

struct good_exec {
  struct good_workload *workload;
  struct good_exec *next;
  struct bo_exec_spec spec;
  pid_t pid;
  int data, errors, ended; /* stdin or stdout; stderr; a pidfd */
  int cancel, quit;        /* eventfds */
  pthread_t thread;
  int has_thread;
  pthread_mutex_t lock; /* guards what follows */
  int exited, status;
};

int good_open(const struct bo_host *host, const struct bo_config *config, void **platform, struct bo_error *error);
void good_close(void *platform);
void good_cancel(void *platform);
int good_workload_start(void *platform, const struct bo_workload_spec *spec, void **workload, struct bo_error *error);
int good_workload_state(void *workload, struct bo_workload_state *state, struct bo_error *error);
int good_workload_stop(void *workload, uint32_t grace_ms, struct bo_error *error);
void good_workload_close(void *workload);
int good_exec_open(void *workload, const struct bo_exec_spec *spec, void **exec, struct bo_error *error);
int good_exec_read(void *exec, void *bytes, size_t capacity, size_t *size, struct bo_error *error);
int good_exec_write(void *exec, const void *bytes, size_t size, struct bo_error *error);
int good_exec_close_stdin(void *exec, struct bo_error *error);
int good_exec_wait(void *exec, struct bo_exit *status, struct bo_error *error);
void good_exec_cancel(void *exec);
void good_exec_close(void *exec);

/* What a backup's command gets as stdin, and where a restore's stdout goes. */
extern const char *good_stdin, *good_stdout;

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host);

#endif
