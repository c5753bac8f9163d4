/*
 * processes.h - finding and signalling all processes of a workload, through /proc.
 *
 * A process group is not enough: a daemon leaves it. So a workload is a tree of processes below its supervisor, which
 * is a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER): whoever loses its parent becomes the supervisor's child, and
 * nothing can leave the tree while the supervisor lives. For the case that it died there are two more marks.
 */
#ifndef BO_PLATFORM_LOCAL_PROCESSES_H
#define BO_PLATFORM_LOCAL_PROCESSES_H

#include <sys/types.h>

/* A process belongs when one of these holds, or when it descends from one that belongs. */
struct bo_local_match {
  pid_t root;              /* it is this process's child; 0 for none */
  pid_t session;           /* it is in this session; 0 for none */
  const char *environment; /* it was started with this NAME=value; NULL for none */
};

/* Sends `signal` (0: none) to every living process that matches, but never to the caller itself; reaps those of them
 * that are the caller's own dead children when `reap` is set. Returns how many live, or -1 with errno. *example (may be
 * NULL): one of them. New ones may have come meanwhile: repeat until 0. */
int bo_local_signal_processes(const struct bo_local_match *match, int signal, int reap, pid_t *example);

#endif
