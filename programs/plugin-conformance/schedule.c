/* schedule.c - children side by side. A rule waits for the one that it comes after, and is not tried without it. */
#include "programs/plugin-conformance/schedule.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"

#define JOBS_MAX 64

static volatile sig_atomic_t interrupted;

static void interrupt(int signal) {
  (void)signal;
  interrupted = 1;
}

struct running {
  struct conf_child child;
  size_t index;
  bool used;
};

struct state {
  const struct conf_schedule *schedule;
  const struct conf_report *report;
  struct conf_outcome *outcomes;
  bool *started;
  struct running running[JOBS_MAX];
  size_t reported;
};

static uint64_t deadline_ms(const struct conf_schedule *schedule, const struct conf_child *child) {
  return child->began_ms + (uint64_t)schedule->timeout_s * 1000;
}

/* Waits until one of them has ended or is late. */
static void wait_for_any(const struct conf_schedule *schedule, struct running *running, size_t count) {
  struct pollfd fds[JOBS_MAX];
  uint64_t now_ms = bo_monotonic_ms(), first_ms = UINT64_MAX;
  nfds_t used = 0;
  for (size_t i = 0; i < count; i++) {
    if (!running[i].used) continue;
    fds[used++] = (struct pollfd){.fd = running[i].child.ended_fd, .events = POLLIN};
    if (deadline_ms(schedule, &running[i].child) < first_ms) first_ms = deadline_ms(schedule, &running[i].child);
  }
  (void)poll(fds, used, first_ms > now_ms ? (int)(first_ms - now_ms) : 0);
}

static bool has_ended(const struct conf_child *child) {
  struct pollfd fd = {.fd = child->ended_fd, .events = POLLIN};
  return poll(&fd, 1, 0) > 0;
}

int conf_schedule_one(const struct conf_schedule *schedule, const struct conf_rule *rule, struct conf_outcome *outcome,
                      struct bo_error *error) {
  struct running running = {.used = true};
  if (conf_child_start(&running.child, rule, schedule->argv, error) != BO_OK) return BO_ERROR;
  wait_for_any(schedule, &running, 1);
  conf_child_finish(&running.child, !has_ended(&running.child), schedule->timeout_s, outcome);
  return BO_OK;
}

/* The rule that this one comes after: BO_OK it may start, BO_RETRY not yet, BO_ERROR never. */
static int readiness(const struct state *state, size_t index) {
  const char *after = state->report->rules[index]->after;
  for (size_t i = 0; after != NULL && i < state->report->count; i++) {
    if (strcmp(state->report->rules[i]->id, after) != 0) continue;
    int verdict = state->outcomes[i].verdict;
    return verdict == CONF_NONE ? BO_RETRY : verdict == CONF_HELD ? BO_OK : BO_ERROR;
  }
  return BO_OK;
}

static void leave_out(struct state *state, size_t index) {
  struct conf_outcome *outcome = &state->outcomes[index];
  outcome->verdict = CONF_SKIPPED;
  (void)snprintf(outcome->text, sizeof(outcome->text), "not tried, because %s does not hold",
                 state->report->rules[index]->after);
}

/* Starts what can be started into the free places. *busy: how many run. */
static int start_some(struct state *state, size_t *busy, struct bo_error *error) {
  *busy = 0;
  for (size_t place = 0; place < state->schedule->jobs; place++) {
    struct running *running = &state->running[place];
    for (size_t i = 0; !running->used && i < state->report->count; i++) {
      int ready = state->started[i] ? BO_RETRY : readiness(state, i);
      if (ready == BO_RETRY) continue;
      state->started[i] = true;
      if (ready == BO_ERROR) {
        leave_out(state, i);
        i = (size_t)-1; /* others may have waited for this one */
        continue;
      }
      running->index = i;
      if (conf_child_start(&running->child, state->report->rules[i], state->schedule->argv, error) != BO_OK)
        return BO_ERROR;
      running->used = true;
    }
    if (running->used) ++*busy;
  }
  return BO_OK;
}

static void collect(struct state *state, bool all) {
  for (size_t place = 0; place < state->schedule->jobs; place++) {
    struct running *running = &state->running[place];
    if (!running->used) continue;
    bool ended = has_ended(&running->child);
    bool late = bo_monotonic_ms() >= deadline_ms(state->schedule, &running->child);
    if (!ended && !late && !all) continue;
    conf_child_finish(&running->child, !ended, state->schedule->timeout_s, &state->outcomes[running->index]);
    running->used = false;
  }
}

static void report_some(struct state *state) {
  while (state->reported < state->report->count && state->outcomes[state->reported].verdict != CONF_NONE)
    conf_report_rule(state->report, state->reported++);
}

/* Kills what a platform's plugin has lost: when its rule's process was gone, it came to us. */
static void end_orphans(void) {
  for (;;) {
    BO_CLEANUP_FILE FILE *children = fopen("/proc/thread-self/children", "re");
    int pid = 0, count = 0;
    while (children != NULL && fscanf(children, "%d", &pid) == 1) { /* NOLINT(cert-err34-c): the kernel's own numbers */
      (void)kill(pid, SIGKILL);
      (void)waitpid(pid, NULL, 0);
      count++;
    }
    if (count == 0) return;
  }
}

static int run_all(struct state *state, struct bo_error *error) {
  for (;;) {
    size_t busy = 0;
    if (start_some(state, &busy, error) != BO_OK) return BO_ERROR;
    report_some(state);
    if (busy == 0) return BO_OK;
    if (interrupted != 0) return bo_error_set(error, BO_CLASS_CANCELLED, EINTR, "interrupted");
    wait_for_any(state->schedule, state->running, state->schedule->jobs);
    collect(state, false);
  }
}

int conf_schedule_all(const struct conf_schedule *schedule, const struct conf_report *report,
                      struct conf_outcome *outcomes, struct bo_error *error) {
  struct state *state = calloc(1, sizeof(*state));
  if (state == NULL) return bo_error_no_memory(error);
  *state = (struct state){.schedule = schedule, .report = report, .outcomes = outcomes};
  state->started = calloc(report->count, sizeof(bool));
  if (state->started == NULL) {
    free(state);
    return bo_error_no_memory(error);
  }
  struct sigaction action = {.sa_handler = interrupt};
  (void)sigaction(SIGINT, &action, NULL);
  (void)sigaction(SIGTERM, &action, NULL);
  (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  int result = run_all(state, error);
  collect(state, true);
  end_orphans();
  free(state->started);
  free(state);
  return result;
}
