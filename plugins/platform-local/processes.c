/*
 * processes.c - one pass over /proc/<pid>/stat gives parent, group and session of every process; the tree is found
 * from that. (/proc/<pid>/task/<tid>/children would be shorter, but not every kernel has it.)
 */
#include "processes.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/base/cleanup.h"
#include "core/base/io.h"

#define ENVIRONMENT_MAX (4 << 20)

struct process {
  pid_t pid, parent, group, session;
  bool dead; /* a zombie: only waits for its parent */
  bool belongs;
};

struct table {
  struct process *items;
  size_t count, capacity;
};

static void table_free(struct table *table) {
  free(table->items);
}

static struct process *table_add(struct table *table) {
  if (table->count == table->capacity) {
    size_t capacity = table->capacity == 0 ? 256 : 2 * table->capacity;
    struct process *items = realloc(table->items, capacity * sizeof(*items));
    if (items == NULL) return NULL;
    table->items = items;
    table->capacity = capacity;
  }
  return &table->items[table->count++];
}

/* Reads /proc/<pid>/stat, proc(5). False when the process is gone. */
static bool read_process(int proc, const char *pid, struct process *process) {
  char path[64], text[512];
  (void)snprintf(path, sizeof(path), "%.32s/stat", pid);
  BO_CLEANUP_FD int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
  if (size <= 0) return false;
  text[size] = '\0';
  /* The second field is the name, in parentheses, and may itself hold anything. */
  char *rest = strrchr(text, ')');
  if (rest == NULL || rest[1] != ' ' || rest[2] == '\0') return false;
  char state = rest[2], *next = rest + 3;
  pid_t parent = (pid_t)strtol(next, &next, 10);
  pid_t group = (pid_t)strtol(next, &next, 10);
  pid_t session = (pid_t)strtol(next, &next, 10);
  *process = (struct process){.pid = (pid_t)strtol(pid, NULL, 10),
                              .parent = parent,
                              .group = group,
                              .session = session,
                              .dead = state == 'Z' || state == 'X'};
  return true;
}

static int compare(const void *a, const void *b) {
  pid_t left = ((const struct process *)a)->pid, right = ((const struct process *)b)->pid;
  return (left > right) - (left < right);
}

static int read_table(struct table *table) {
  BO_CLEANUP_DIR DIR *proc = opendir("/proc");
  if (proc == NULL) return -1;
  for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
    struct process process;
    if (!isdigit((unsigned char)entry->d_name[0]) || !read_process(dirfd(proc), entry->d_name, &process)) continue;
    struct process *added = table_add(table);
    if (added == NULL) return -1;
    *added = process;
  }
  if (table->count > 0) qsort(table->items, table->count, sizeof(*table->items), compare);
  return 0;
}

static bool started_with(pid_t pid, const char *environment) {
  char path[64];
  BO_CLEANUP_BUFFER struct bo_buffer buffer = BO_BUFFER_INIT;
  (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
  if (bo_read_file(path, ENVIRONMENT_MAX, &buffer, NULL) != BO_OK) return false;
  size_t length = strlen(environment) + 1;
  for (const char *at = buffer.bytes, *end = at + buffer.size; at != NULL && at < end;) {
    size_t item = strnlen(at, (size_t)(end - at)) + 1;
    if (item == length && memcmp(at, environment, length - 1) == 0) return true;
    at += item;
  }
  return false;
}

static bool parent_belongs(const struct table *table, const struct process *process) {
  struct process key = {.pid = process->parent};
  const struct process *parent = bsearch(&key, table->items, table->count, sizeof(*table->items), compare);
  return parent != NULL && parent->belongs;
}

static void mark(struct table *table, const struct bo_local_match *match) {
  pid_t self = getpid();
  /* Children mostly come after their parents, so that a second pass seldom finds more. */
  for (bool first = true, more = true; more; first = false) {
    more = false;
    for (size_t i = 0; i < table->count; i++) {
      struct process *process = &table->items[i];
      if (process->belongs || process->pid == self) continue;
      process->belongs = parent_belongs(table, process);
      if (first && !process->belongs)
        process->belongs = (match->root > 0 && process->parent == match->root) ||
                           (match->session > 0 && process->session == match->session) ||
                           (match->environment != NULL && started_with(process->pid, match->environment));
      more = more || process->belongs;
    }
  }
}

/* A group gets SIGKILL as a whole: unlike a walk, that cannot be outrun by forking. All of a group is in one session,
 * and all of a session below the supervisor, so no stranger is hit. */
static void signal_process(const struct process *process, int signal) {
  if (signal == SIGKILL && process->group > 1 && process->group != getpgrp()) (void)kill(-process->group, SIGKILL);
  (void)kill(process->pid, signal);
}

int bo_local_signal_processes(const struct bo_local_match *match, int signal, int reap, pid_t *example) {
  __attribute__((cleanup(table_free))) struct table table = {NULL, 0, 0};
  if (read_table(&table) != 0) return -1;
  mark(&table, match);
  int living = 0;
  for (size_t i = 0; i < table.count; i++) {
    const struct process *process = &table.items[i];
    if (!process->belongs) continue;
    if (process->dead) {
      if (reap && process->parent == getpid()) (void)waitpid(process->pid, NULL, WNOHANG);
      continue;
    }
    living++;
    if (example != NULL) *example = process->pid;
    if (signal != 0) signal_process(process, signal);
  }
  return living;
}
