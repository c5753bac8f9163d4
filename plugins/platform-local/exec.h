/* exec.h - one command, as exec_open.c makes it and exec.c uses it. */
#ifndef BO_PLATFORM_LOCAL_EXEC_H
#define BO_PLATFORM_LOCAL_EXEC_H

#include "local.h"

#define PIPE_SIZE (1 << 20)

struct exec {
  struct workload *workload;
  struct exec *next;
  int direction;
  int socket; /* to the supervisor */
  int errors; /* stderr */
  int cancel_fd, ended_fd, quit_fd;
  bo_stderr_function *on_stderr;
  void *context;
  pthread_t thread;
  bool has_thread;
  bool started; /* the command, for all that we know */
  atomic_bool cancelled;
  size_t late_bytes; /* read after the time to linger; the reader's */

  pthread_mutex_t lock; /* guards what follows */
  int data;             /* stdout's read end or stdin's write end; written by the caller's thread only */
  int stdin_reader;     /* stdin's read end, held once stdin was ended: see exec_close_stdin */
  bool exited, lost;
  int kind, code;
  uint64_t exited_ms;
};

/* Starts the thread that drains stderr and hears of the exit. Returns 0 or an errno value. */
int exec_start_thread(struct exec *exec);

#endif
