/*
 * tests/plugins/faulty/fault.h - what the plugins that go wrong on purpose have in common: the text of their parameter
 * `fault`, and the ways to go wrong that do not depend on the kind.
 *
 * A fault is written NAME or NAME:NUMBER; the number says at which call, counted from 1 (1 where it is left out), or
 * how many milliseconds, as the plugin's list of faults says.
 */
#ifndef BO_TESTS_FAULT_H
#define BO_TESTS_FAULT_H

#include <backup-operator/plugin.h>
#include <stdbool.h>
#include <unistd.h>

#include "core/base/text.h"

#define FAULT_LEAK_BYTES ((size_t)1024 * 1024)

struct fault_choice {
  const char *name;
  int fault;
};

/* Finds `text` among `choices`, which end with a NULL name. */
static inline int fault_parse(const struct fault_choice *choices, const char *text, int *fault, int64_t *number,
                              struct bo_error *error) {
  size_t length = strcspn(text, ":");
  *number = 1;
  if (text[length] == ':' && (!bo_parse_int64(text + length + 1, number) || *number < 1))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "fault %s: there is no number behind the colon", text);
  for (; choices->name != NULL; choices++) {
    if (strlen(choices->name) != length || strncmp(choices->name, text, length) != 0) continue;
    *fault = choices->fault;
    return BO_OK;
  }
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "there is no fault %s", text);
}

/* A write through a pointer to nowhere. A sanitizer's report must not come before it, nor a compiler see it. */
static inline void fault_crash(void) {
  volatile int *volatile nowhere = NULL;
  *nowhere = 1;
  _exit(1); /* not reached where page 0 is not mapped */
}

/* For ever. */
static inline void fault_hang(void) {
  for (;;)
    (void)usleep(100000);
}

/* Until the host asks to stop, as a connection would that no answer comes from. */
static inline int fault_wait(const struct bo_host *host, struct bo_error *error) {
  while (host->sleep_ms(host->context, 1000) == 0)
    continue;
  return bo_error_set(error, BO_CLASS_CANCELLED, 0, "the wait on purpose was cancelled");
}

/* Takes memory that nobody will free, used, so that it counts, until there is no more. */
static inline int fault_leak(const struct bo_host *host, struct bo_error *error) {
  for (;;) {
    void *memory = host->alloc(host->context, FAULT_LEAK_BYTES);
    if (memory == NULL) break;
    memset(memory, 1, FAULT_LEAK_BYTES);
  }
  return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "the leak on purpose has used up the memory");
}

#endif
