/*
 * child.h - a rule in a process of its own, so that whatever the plugin does there is a result.
 *
 * The child is this very program, executed anew with --rule: it has only this rule's memory, threads and descriptors,
 * its own process group, no core, a fresh folder, and a limit on its address space. It answers in a page that parent
 * and child share. No answer is an answer, too: the report names the signal, the exit status or the deadline, and the
 * function of the plugin that was running.
 */
#ifndef BO_CONFORMANCE_CHILD_H
#define BO_CONFORMANCE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "programs/plugin-conformance/rules.h"

enum conf_verdict { CONF_NONE = 0, CONF_HELD = 1, CONF_BROKEN = 2, CONF_SKIPPED = 3 };

struct conf_outcome {
  int verdict;     /* enum conf_verdict */
  int kind;        /* enum bo_kind, once the plugin was loaded */
  char about[160]; /* its name and version, likewise */
  char text[2048]; /* what was seen, or what a skipped rule would need; valid UTF-8 */
  uint64_t took_ms;
};

struct conf_page;

struct conf_child {
  const struct conf_rule *rule;
  pid_t pid;
  int ended_fd; /* readable once it has ended */
  int output;   /* what it wrote to stdout and stderr */
  struct conf_page *page;
  uint64_t began_ms;
};

/* Starts it; a failure is one of this machine (no processes, no room), after which the program can only end. `argv` is
 * this program's own, in which the child finds the same settings. */
int conf_child_start(struct conf_child *child, const struct conf_rule *rule, char **argv, struct bo_error *error);
/* Waits for its end, which is forced when `late` (it was given `timeout_s`), and tidies up after it. */
void conf_child_finish(struct conf_child *child, bool late, unsigned timeout_s, struct conf_outcome *outcome);

/* The child's own main: runs the rule `id`. Returns the exit status. */
int conf_child_main(const char *id, const struct conf_settings *settings);

/* The rule's id of what is not a rule but a question: can an instance be made with these settings? */
#define CONF_PREFLIGHT "preflight"
extern const struct conf_rule conf_preflight;

#endif
