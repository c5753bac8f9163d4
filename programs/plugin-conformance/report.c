/* report.c - the four formats. People and TAP get each rule as it comes; XML and JSON are written at the end. */
#include "programs/plugin-conformance/report.h"

#include <cjson/cJSON.h>

size_t conf_report_count(const struct conf_report *report, int verdict) {
  size_t count = 0;
  for (size_t i = 0; i < report->count; i++)
    if (report->outcomes[i].verdict == verdict) count++;
  return count;
}

/* ---- for people ---- */

/* Words, broken at column 100, each line indented. */
static void print_wrapped(const char *text) {
  size_t column = 0;
  while (*text != '\0') {
    size_t length = strcspn(text, " \n");
    if (column == 0 || column + length + 1 > 90) {
      (void)printf("%s          ", column == 0 ? "" : "\n");
      column = 0;
    } else {
      (void)putchar(' ');
    }
    (void)printf("%.*s", (int)length, text);
    column += length + 1;
    text += length;
    text += strspn(text, " \n");
  }
  (void)putchar('\n');
}

static void print_rule(const struct conf_rule *rule, const struct conf_outcome *outcome) {
  static const char *const words[] = {"?", "holds", "BROKEN", "skipped"};
  (void)printf("%-8s  %s  %s\n", words[outcome->verdict], rule->id,
               outcome->verdict == CONF_SKIPPED ? outcome->text : rule->sentence);
  if (outcome->verdict != CONF_BROKEN) return;
  print_wrapped(outcome->text);
  (void)printf("          How to mend it:\n");
  print_wrapped(rule->mend);
}

static void print_end(const struct conf_report *report) {
  size_t broken = conf_report_count(report, CONF_BROKEN), skipped = conf_report_count(report, CONF_SKIPPED);
  (void)printf("\n%zu hold, %zu broken, %zu skipped\n", conf_report_count(report, CONF_HELD), broken, skipped);
}

/* ---- TAP ---- */

static void print_tap(const struct conf_report *report, size_t index) {
  const struct conf_rule *rule = report->rules[index];
  const struct conf_outcome *outcome = &report->outcomes[index];
  (void)printf("%sok %zu - %s %s", outcome->verdict == CONF_BROKEN ? "not " : "", index + 1, rule->id, rule->sentence);
  (void)printf(outcome->verdict == CONF_SKIPPED ? " # SKIP " : "\n");
  const char *line = outcome->text;
  while (*line != '\0') {
    size_t length = strcspn(line, "\n");
    (void)printf("%s%.*s\n", outcome->verdict == CONF_SKIPPED && line == outcome->text ? "" : "# ", (int)length, line);
    line += length + (line[length] == '\n' ? 1 : 0);
  }
  if (outcome->verdict == CONF_SKIPPED && outcome->text[0] == '\0') (void)putchar('\n');
}

/* ---- JUnit XML ---- */

static void print_xml(const char *text) {
  for (; *text != '\0'; text++) {
    switch (*text) {
      case '<': (void)fputs("&lt;", stdout); break;
      case '>': (void)fputs("&gt;", stdout); break;
      case '&': (void)fputs("&amp;", stdout); break;
      case '"': (void)fputs("&quot;", stdout); break;
      default: (void)putchar(*text);
    }
  }
}

static void print_junit(const struct conf_report *report) {
  (void)printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"");
  print_xml(report->about[0] == '\0' ? report->file : report->about);
  (void)printf("\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\">\n", report->count,
               conf_report_count(report, CONF_BROKEN), conf_report_count(report, CONF_SKIPPED));
  for (size_t i = 0; i < report->count; i++) {
    const struct conf_rule *rule = report->rules[i];
    const struct conf_outcome *outcome = &report->outcomes[i];
    (void)printf("  <testcase classname=\"%s\" name=\"%s ", conf_profile(rule->id), rule->id);
    print_xml(rule->sentence);
    (void)printf("\" time=\"%llu.%03llu\">", (unsigned long long)outcome->took_ms / 1000,
                 (unsigned long long)outcome->took_ms % 1000);
    if (outcome->verdict != CONF_HELD) {
      (void)printf(outcome->verdict == CONF_BROKEN ? "<failure message=\"" : "<skipped message=\"");
      print_xml(outcome->text);
      (void)printf("\"/>");
    }
    (void)printf("</testcase>\n");
  }
  (void)printf("</testsuite>\n");
}

/* ---- JSON: the file's hash is the key, so that results of several files can be merged ---- */

static void print_json(const struct conf_report *report) {
  static const char *const words[] = {"unknown", "holds", "broken", "skipped"};
  cJSON *json = cJSON_CreateObject();
  cJSON *file = cJSON_AddObjectToObject(json, report->sha256);
  (void)cJSON_AddStringToObject(file, "file", report->file);
  (void)cJSON_AddStringToObject(file, "plugin", report->about);
  (void)cJSON_AddStringToObject(file, "runner", BO_VERSION);
  (void)cJSON_AddNumberToObject(file, "held", (double)conf_report_count(report, CONF_HELD));
  (void)cJSON_AddNumberToObject(file, "broken", (double)conf_report_count(report, CONF_BROKEN));
  (void)cJSON_AddNumberToObject(file, "skipped", (double)conf_report_count(report, CONF_SKIPPED));
  cJSON *rules = cJSON_AddObjectToObject(file, "rules");
  for (size_t i = 0; i < report->count; i++) {
    cJSON *rule = cJSON_AddObjectToObject(rules, report->rules[i]->id);
    (void)cJSON_AddStringToObject(rule, "result", words[report->outcomes[i].verdict]);
    (void)cJSON_AddStringToObject(rule, "sentence", report->rules[i]->sentence);
    if (report->outcomes[i].text[0] != '\0') (void)cJSON_AddStringToObject(rule, "text", report->outcomes[i].text);
    (void)cJSON_AddNumberToObject(rule, "took_ms", (double)report->outcomes[i].took_ms);
  }
  char *text = cJSON_Print(json);
  if (text != NULL) (void)puts(text);
  cJSON_free(text);
  cJSON_Delete(json);
}

/* ---- all of them ---- */

void conf_report_begin(const struct conf_report *report) {
  if (report->format == CONF_FORMAT_TAP) (void)printf("TAP version 13\n1..%zu\n", report->count);
  if (report->format == CONF_FORMAT_REPORT)
    (void)printf("%s\n%s\nsha256 %s\n\n", report->file, report->about[0] == '\0' ? "(cannot be loaded)" : report->about,
                 report->sha256);
  (void)fflush(stdout);
}

void conf_report_rule(const struct conf_report *report, size_t index) {
  if (report->format == CONF_FORMAT_TAP) print_tap(report, index);
  if (report->format == CONF_FORMAT_REPORT) print_rule(report->rules[index], &report->outcomes[index]);
  (void)fflush(stdout);
}

void conf_report_end(const struct conf_report *report) {
  if (report->format == CONF_FORMAT_REPORT) print_end(report);
  if (report->format == CONF_FORMAT_JUNIT) print_junit(report);
  if (report->format == CONF_FORMAT_JSON) print_json(report);
  (void)fflush(stdout);
}

/* ---- the rules themselves ---- */

static const char *kind_words(unsigned kinds) {
  if (kinds == CONF_ANY) return "all";
  if (kinds == CONF_TRANSFORM) return "compress, crypt";
  if (kinds == CONF_CRYPT) return "crypt";
  if (kinds == CONF_STORAGE) return "storage";
  return kinds == CONF_PLATFORM ? "platform" : "several";
}

void conf_report_list(void) {
  for (const struct conf_rule *rule = conf_rules(); rule->id != NULL; rule++)
    (void)printf("%s  %-15s  %s  %s\n", rule->id, kind_words(rule->kinds), rule->slow ? "slow" : "    ",
                 rule->sentence);
}

void conf_report_explain(const struct conf_rule *rule) {
  (void)printf("%s (%s; for plugins of the kind: %s%s)\n", rule->id, conf_profile(rule->id), kind_words(rule->kinds),
               rule->slow ? "; not with --quick" : "");
  (void)printf("\nWhat must hold:\n");
  print_wrapped(rule->sentence);
  (void)printf("\nWhy:\n");
  print_wrapped(rule->why);
  (void)printf("\nHow to mend a plugin that breaks it:\n");
  print_wrapped(rule->mend);
  if (rule->after != NULL) (void)printf("\nIt is not tried when %s is broken.\n", rule->after);
}
