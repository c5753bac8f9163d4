/*
 * core/run/owner.h - the line between a run and whoever owns it.
 *
 * Out: JSON lines (token, progress, log, commit, object, result). In: JSON lines (commit, cancel). A run has exactly
 * one owner: when the incoming pipe ends, the run is cancelled. Before a commit the owner is asked, so that an owner
 * which has given the run up cannot find an object later. docs/runner.md describes each line.
 */
#ifndef BO_RUN_OWNER_H
#define BO_RUN_OWNER_H

#include <pthread.h>
#include <stdbool.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

struct bo_owner {
  int in_fd;  /* -1: nobody to ask; commits are granted, only signals cancel */
  int out_fd; /* -1: lines are dropped */
  int wake_fd;
  int signal_fd;
  pthread_t thread;
  bool started;
  pthread_mutex_t out_lock; /* for whole lines on out_fd; may be held as long as a slow reader takes */
  bool within_line;         /* the reader did not take all of the last one */
  pthread_mutex_t lock;     /* guards what follows */
  pthread_cond_t answered;
  bool commit_answered;
  bool commit_granted;
  bool gone;
  struct bo_buffer input; /* what came in after the last whole line */
  /* In the owner's thread, for: a cancel line, the end of the pipe, SIGTERM, SIGINT. */
  void (*cancel)(void *context, const struct bo_error *why);
  void *context;
};

/* After this lines can be sent. */
void bo_owner_init(struct bo_owner *owner, int in_fd, int out_fd);

/* From now on the owner is listened to. `rest`: bytes that were read from in_fd behind the spec, already; may be NULL.
 * SIGTERM and SIGINT must be blocked. */
int bo_owner_start(struct bo_owner *owner, const char *rest, size_t rest_size,
                   void (*cancel)(void *context, const struct bo_error *why), void *context, struct bo_error *error);
/* Also without a start. Lines can still be sent. */
void bo_owner_stop(struct bo_owner *owner);

/* Any thread: writes one line (JSON without a newline). One that is `important` waits for a slow reader, up to ten
 * seconds; others are dropped when the pipe is full. */
void bo_owner_send(struct bo_owner *owner, const char *json, bool important);

/* The same, with the caller's own patience (0: none); false when the line was not taken as a whole. */
bool bo_owner_deliver(struct bo_owner *owner, const char *json, uint32_t patience_ms);

/* Asks for the commit with the line `json`, and waits for the answer, at most `timeout_ms`. */
int bo_owner_ask_commit(struct bo_owner *owner, const char *json, uint64_t timeout_ms, struct bo_error *error);

#endif
