/*
 * message.h - what the plugin and a workload's supervisor say to each other.
 *
 * Two kinds of sockets, both SOCK_SEQPACKET, so that a message arrives whole. The control socket lives as long as the
 * workload; its end on the plugin's side, for whatever reason, ends the workload by force. Each exec has a socket of
 * its own, passed along with the request, so that nobody has to sort answers.
 *
 *   control, to the supervisor:  START (text: folder to make the working folder in), EXEC (descriptors), STOP (value:
 *                                grace in ms)
 *   control, to the plugin:      READY (text: the working folder) or FAILED (value: errno; text: what), once; STOPPED
 *   exec, to the supervisor:     CLOSE_STDIN
 *   exec, to the plugin:         EXITED (value: enum bo_exit_kind; detail: status or signal)
 */
#ifndef BO_PLATFORM_LOCAL_MESSAGE_H
#define BO_PLATFORM_LOCAL_MESSAGE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

enum bo_local_message_type {
  BO_LOCAL_START = 1,
  BO_LOCAL_READY = 2,
  BO_LOCAL_FAILED = 3,
  BO_LOCAL_EXEC = 4,
  BO_LOCAL_STOP = 5,
  BO_LOCAL_STOPPED = 6,
  BO_LOCAL_CLOSE_STDIN = 7,
  BO_LOCAL_EXITED = 8
};

struct bo_local_message {
  int32_t type; /* enum bo_local_message_type */
  int32_t value;
  int32_t detail;
  char text[PATH_MAX];
};

/* The supervisor finds its control socket here. */
#define BO_LOCAL_CONTROL_FD 3

/* The descriptors of an EXEC, in order. The last comes only with a restore: a duplicate of stdin's write end, which
 * the supervisor holds until CLOSE_STDIN or the workload's end, so that our crash does not look like a clean end. */
enum bo_local_descriptor {
  BO_LOCAL_FD_REQUEST = 0, /* a memfd: struct bo_local_request */
  BO_LOCAL_FD_STATUS = 1,  /* a pipe: struct bo_local_status, then its end */
  BO_LOCAL_FD_SOCKET = 2,  /* the exec's socket */
  BO_LOCAL_FD_STDERR = 3,
  BO_LOCAL_FD_DATA = 4, /* backup: stdout; restore: stdin */
  BO_LOCAL_FD_HOLD = 5,
  BO_LOCAL_FD_MAX = 6
};

#define BO_LOCAL_GROUPS_MAX 64

/* Who a command runs as. */
struct bo_local_user {
  uint32_t change; /* 0: as the supervisor does; else root becomes this: */
  uint32_t uid;
  uint32_t gid;
  uint32_t group_count;
  uint32_t groups[BO_LOCAL_GROUPS_MAX];
};

/* Begins a request. Strings follow, each with its NUL: the working folder, `argc` arguments, `envc` NAME=value. It
 * travels in a memfd because the environment may hold passwords and an argument list may be megabytes long. */
struct bo_local_request {
  uint32_t argc;
  uint32_t envc;
  struct bo_local_user user;
};

/* What the status pipe says. ACCEPTED always comes first; then the end, once the command runs, or another step and the
 * end. An end without ACCEPTED means that the supervisor never had the request. */
enum bo_local_step {
  BO_LOCAL_STEP_ACCEPTED = 1,
  BO_LOCAL_STEP_ENDED = 2, /* the workload was stopped */
  BO_LOCAL_STEP_FORK = 3,
  BO_LOCAL_STEP_FOLDER = 4,
  BO_LOCAL_STEP_EXEC = 5,
  BO_LOCAL_STEP_USER = 6 /* becoming the wanted user */
};

struct bo_local_status {
  int32_t step; /* enum bo_local_step */
  int32_t code; /* the errno value with which it failed */
};

/* Sends a message with `count` descriptors; `flags` as of sendmsg. Returns 0 or an errno value. */
int bo_local_send(int socket, const struct bo_local_message *message, const int *descriptors, size_t count, int flags);

/* Receives one; `flags` as of recvmsg. `descriptors` (may be NULL) takes BO_LOCAL_FD_MAX, -1 where none came.
 * Returns 1; 0 when the other side is gone; a negative errno value. */
int bo_local_receive(int socket, struct bo_local_message *message, int *descriptors, int flags);

#endif
