/*
 * core/plugin/host.h - the services that this host offers to a plugin instance, and the watch over its calls.
 *
 * Each instance has a host of its own: cancelling it wakes the instance's sleeps and makes `cancelled` true; the call
 * that is running in it, and since when, can be read from outside, so that a plugin that never returns is noticed
 * and named.
 */
#ifndef BO_PLUGIN_HOST_H
#define BO_PLUGIN_HOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/error.h"

/* Where log lines go. Any thread. `source` is the plugin's name or the part of the core that speaks. */
struct bo_log {
  void (*write)(void *context, int level, const char *source, const char *text);
  void *context;
  int level; /* the lowest that is written; BO_LOG_DEBUG also brings a trace line for each call of a plugin */
};

void bo_log_printf(const struct bo_log *log, int level, const char *source, const char *format, ...) BO_PRINTF(4, 5);

struct bo_plugin_host {
  struct bo_host table; /* what the plugin gets */
  const struct bo_log *log;
  char source[48]; /* "<kind>-<name>" */
  pthread_mutex_t lock;
  pthread_cond_t wake;
  atomic_bool cancelled;
  _Atomic(const char *) call;      /* the function that is running now, NULL for none */
  atomic_uint_fast64_t call_since; /* bo_monotonic_ns of its start */
};

/* `log` is kept and must outlive the host; NULL for none. */
int bo_plugin_host_init(struct bo_plugin_host *host, const struct bo_log *log, const char *source,
                        struct bo_error *error);
void bo_plugin_host_destroy(struct bo_plugin_host *host);

/* Any thread, idempotent. */
void bo_plugin_host_cancel(struct bo_plugin_host *host);

/* Around each call of a plugin, by the checked wrappers. */
void bo_plugin_host_enter(struct bo_plugin_host *host, const char *function);
void bo_plugin_host_leave(struct bo_plugin_host *host);

/* Any thread: milliseconds that the running call has lasted, 0 when none runs; *function is its name, or NULL. */
uint64_t bo_plugin_host_call_ms(struct bo_plugin_host *host, const char **function);

#endif
