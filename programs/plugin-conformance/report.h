/*
 * report.h - what the rules found, for people (report), and for machines (TAP 13, JUnit XML, JSON).
 */
#ifndef BO_CONFORMANCE_REPORT_H
#define BO_CONFORMANCE_REPORT_H

#include "programs/plugin-conformance/child.h"

enum conf_format { CONF_FORMAT_REPORT, CONF_FORMAT_TAP, CONF_FORMAT_JUNIT, CONF_FORMAT_JSON };

struct conf_report {
  int format;
  const char *file;
  const char *sha256; /* of the file */
  const char *about;  /* its name and version; empty when it cannot be loaded */
  const struct conf_rule *const *rules;
  const struct conf_outcome *outcomes; /* of the same order */
  size_t count;
};

/* Before the first rule, after each (in order), and after the last: to stdout. */
void conf_report_begin(const struct conf_report *report);
void conf_report_rule(const struct conf_report *report, size_t index);
void conf_report_end(const struct conf_report *report);

size_t conf_report_count(const struct conf_report *report, int verdict);

/* --list, and --explain. */
void conf_report_list(void);
void conf_report_explain(const struct conf_rule *rule);

#endif
