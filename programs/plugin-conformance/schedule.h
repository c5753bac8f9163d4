/* schedule.h - which rules are run, in what order, and how many at a time. */
#ifndef BO_CONFORMANCE_SCHEDULE_H
#define BO_CONFORMANCE_SCHEDULE_H

#include "programs/plugin-conformance/report.h"

struct conf_schedule {
  char **argv; /* this program's own, for the children */
  unsigned jobs;
  unsigned timeout_s; /* of one rule */
};

/* Runs one rule and waits for it. */
int conf_schedule_one(const struct conf_schedule *schedule, const struct conf_rule *rule, struct conf_outcome *outcome,
                      struct bo_error *error);
/* Runs the report's rules and reports each in its turn. `outcomes` is what the report points to. An interrupt (SIGINT,
 * SIGTERM) ends all of them and is BO_CLASS_CANCELLED. */
int conf_schedule_all(const struct conf_schedule *schedule, const struct conf_report *report,
                      struct conf_outcome *outcomes, struct bo_error *error);

#endif
