/*
 * plugin-conformance - holds a plugin to the contract of its kind. plugin-conformance(1) is its manual;
 * docs/conformance.md has the rules.
 *
 * It knows nothing of the plugin but what the public headers say, and never loads it into its own process: each rule
 * is a process of its own (programs/plugin-conformance/child.h).
 */
#include <getopt.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

#include "core/base/arena.h"
#include "core/base/io.h"
#include "core/base/sha256.h"
#include "core/base/text.h"
#include "programs/plugin-conformance/elf.h"
#include "programs/plugin-conformance/schedule.h"

enum exit_code { EXIT_ALL_HOLD = 0, EXIT_BROKEN = 1, EXIT_USAGE = 2, EXIT_NOT_LOADED = 3 };

#define FILE_MAX_BYTES (UINT64_C(1) << 30)
#define RULES_MAX 128

static const char usage[] =
    "Usage: plugin-conformance [OPTION]... FILE.so\n"
    "       plugin-conformance --list | --explain RULE\n"
    "\n"
    "Holds a plugin to the contract of its kind: each rule is tried in a process of its own, so that a crash, a hang\n"
    "or a leak is a result.\n"
    "\n"
    "What the plugin needs to run:\n"
    "  --param KEY=VALUE         a parameter; {tmp} in it becomes an empty folder, fresh for each rule\n"
    "  --secret NAME=FILE        a secret, read from a file\n"
    "  --wrong KEY=VALUE         a parameter with which the place must be found missing (storages)\n"
    "  --wrong-secret NAME=FILE  a well-formed key that does not fit (crypt)\n"
    "  --template FILE           the workload's template, JSON (platforms)\n"
    "\n"
    "Which rules:\n"
    "  --only LIST, --skip LIST  ids (STO-014) or profiles (storage), separated by commas\n"
    "  --quick                   without the slow ones\n"
    "  --jobs N                  so many at a time (default: one for each processor)\n"
    "  --timeout SECONDS         for each rule (default 120)\n"
    "\n"
    "What is shown:\n"
    "  --format FORMAT           report (default), tap, junit or json\n"
    "  --list                    every rule\n"
    "  --explain RULE            what must hold, why, and how to mend a plugin that breaks it\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 every rule holds, 1 one is broken, 2 it was asked for wrongly (also when the plugin needs other\n"
    "parameters or secrets), 3 the plugin cannot be loaded.\n";

struct options {
  struct conf_settings settings;
  struct conf_schedule schedule;
  const char *only, *skip, *rule, *explain;
  bool quick, list;
  int format;
  struct bo_arena names;
};

static void free_options(struct options *options) {
  bo_arena_free(&options->names);
}

static int fail(int code, const char *format, ...) BO_PRINTF(2, 3);
static int fail(int code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)fputs("plugin-conformance: ", stderr);
  (void)vfprintf(stderr, format, args);
  (void)fputc('\n', stderr);
  va_end(args);
  return code;
}

/* ---- options ---- */

static bool add_pair(struct options *options, struct bo_pair *pairs, size_t *count, const char *text) {
  const char *equals = strchr(text, '=');
  if (equals == NULL || equals == text || *count == CONF_PAIRS_MAX) return false;
  /* argv stays whole for the children: the name is copied. */
  const char *name = bo_arena_copy(&options->names, text, (size_t)(equals - text));
  if (name == NULL) return false;
  pairs[(*count)++] = (struct bo_pair){name, equals + 1};
  return true;
}

static bool parse_count(const char *text, unsigned most, unsigned *value) {
  int64_t number = 0;
  if (!bo_parse_int64(text, &number) || number < 1 || number > most) return false;
  *value = (unsigned)number;
  return true;
}

static bool parse_format(const char *text, int *format) {
  static const char *const names[] = {"report", "tap", "junit", "json"};
  for (*format = CONF_FORMAT_REPORT; *format <= CONF_FORMAT_JSON; ++*format)
    if (strcmp(names[*format], text) == 0) return true;
  return false;
}

enum {
  PARAM = 1,
  SECRET,
  WRONG,
  WRONG_SECRET,
  TEMPLATE,
  ONLY,
  SKIP,
  QUICK,
  JOBS,
  TIMEOUT,
  FORMAT,
  LIST,
  EXPLAIN,
  RULE,
  HELP,
  VERSION
};

static const struct option option_table[] = {
    {"param", required_argument, NULL, PARAM},
    {"secret", required_argument, NULL, SECRET},
    {"wrong", required_argument, NULL, WRONG},
    {"wrong-secret", required_argument, NULL, WRONG_SECRET},
    {"template", required_argument, NULL, TEMPLATE},
    {"only", required_argument, NULL, ONLY},
    {"skip", required_argument, NULL, SKIP},
    {"quick", no_argument, NULL, QUICK},
    {"jobs", required_argument, NULL, JOBS},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"format", required_argument, NULL, FORMAT},
    {"list", no_argument, NULL, LIST},
    {"explain", required_argument, NULL, EXPLAIN},
    {"rule", required_argument, NULL, RULE}, /* between this program and its children */
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0},
};

static bool take_option(struct options *options, int option, char *value) {
  struct conf_settings *settings = &options->settings;
  switch (option) {
    case PARAM: return add_pair(options, settings->parameters, &settings->parameter_count, value);
    case SECRET: return add_pair(options, settings->secrets, &settings->secret_count, value);
    case WRONG: return add_pair(options, settings->wrong, &settings->wrong_count, value);
    case WRONG_SECRET: return add_pair(options, settings->wrong_secrets, &settings->wrong_secret_count, value);
    case TEMPLATE: settings->template_file = value; return true;
    case ONLY: options->only = value; return true;
    case SKIP: options->skip = value; return true;
    case QUICK: options->quick = true; return true;
    case JOBS: return parse_count(value, 64, &options->schedule.jobs);
    case TIMEOUT: return parse_count(value, 86400, &options->schedule.timeout_s);
    case FORMAT: return parse_format(value, &options->format);
    case LIST: options->list = true; return true;
    case EXPLAIN: options->explain = value; return true;
    case RULE: options->rule = value; return true;
    default: return false;
  }
}

/* ---- which rules ---- */

/* Whether an entry of the list names the rule: by id, by the id's letters, or by profile. */
static bool names_rule(const char *list, const struct conf_rule *rule) {
  for (const char *at = list; at != NULL && *at != '\0';) {
    size_t length = strcspn(at, ",");
    const char *const names[] = {rule->id, conf_profile(rule->id)};
    for (size_t i = 0; i < 2; i++)
      if (strlen(names[i]) == length && strncmp(names[i], at, length) == 0) return true;
    if (length == 3 && strncmp(rule->id, at, 3) == 0) return true;
    at += length + (at[length] == ',' ? 1 : 0);
  }
  return false;
}

/* The first entry of the list that names no rule at all, or NULL. */
static char *find_unknown(const char *list) {
  for (const char *at = list; at != NULL && *at != '\0';) {
    size_t length = strcspn(at, ",");
    BO_CLEANUP_FREE char *entry = strndup(at, length);
    bool known = false;
    for (const struct conf_rule *rule = conf_rules(); entry != NULL && rule->id != NULL && !known; rule++)
      known = names_rule(entry, rule);
    if (!known && entry != NULL) {
      char *unknown = entry;
      entry = NULL;
      return unknown;
    }
    at += length + (at[length] == ',' ? 1 : 0);
  }
  return NULL;
}

static size_t select_rules(const struct options *options, int kind, const struct conf_rule *rules[RULES_MAX]) {
  size_t count = 0;
  for (const struct conf_rule *rule = conf_rules(); rule->id != NULL; rule++) {
    if (kind == 0 ? !rule->alone : (rule->kinds & CONF_KIND(kind)) == 0) continue;
    if (options->quick && rule->slow) continue;
    if (options->only != NULL && !names_rule(options->only, rule)) continue;
    if (names_rule(options->skip, rule)) continue;
    rules[count++] = rule;
  }
  return count;
}

static bool any_needs_instance(const struct conf_rule *const *rules, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!rules[i]->alone) return true;
  return false;
}

/* ---- running ---- */

static int hash_file(const char *path, char sha256[BO_SHA256_TEXT_MAX], struct bo_error *error) {
  BO_CLEANUP_BUFFER struct bo_buffer bytes = BO_BUFFER_INIT;
  if (bo_read_file(path, FILE_MAX_BYTES, &bytes, error) != BO_OK) return BO_ERROR;
  return bo_sha256_text(bytes.bytes, bytes.size, sha256, error);
}

static int run(const struct options *options) {
  const char *file = options->settings.file;
  struct bo_error error = BO_ERROR_INIT;
  char sha256[BO_SHA256_TEXT_MAX];
  struct conf_elf elf;
  if (conf_elf_open(&elf, file, &error) != BO_OK) return fail(EXIT_NOT_LOADED, "%s", error.text);
  conf_elf_close(&elf);
  if (hash_file(file, sha256, &error) != BO_OK) return fail(EXIT_NOT_LOADED, "%s", error.text);

  struct conf_outcome preflight;
  const struct conf_rule *rules[RULES_MAX];
  if (conf_schedule_one(&options->schedule, &conf_preflight, &preflight, &error) != BO_OK)
    return fail(EXIT_USAGE, "%s", error.text);
  size_t count = select_rules(options, preflight.kind, rules);
  if (count == 0) return fail(EXIT_USAGE, "no rule is left to try");
  if (preflight.kind != 0 && preflight.verdict == CONF_SKIPPED && any_needs_instance(rules, count))
    return fail(EXIT_USAGE, "%s\nGive what it needs with --param KEY=VALUE and --secret NAME=FILE.", preflight.text);

  struct conf_outcome *outcomes = calloc(count, sizeof(*outcomes));
  if (outcomes == NULL) return fail(EXIT_USAGE, "out of memory");
  const struct conf_report report = {.format = options->format,
                                     .file = file,
                                     .sha256 = sha256,
                                     .about = preflight.about,
                                     .rules = rules,
                                     .outcomes = outcomes,
                                     .count = count};
  conf_report_begin(&report);
  int code = EXIT_ALL_HOLD;
  if (conf_schedule_all(&options->schedule, &report, outcomes, &error) != BO_OK) {
    code = fail(EXIT_USAGE, "%s", error.text);
  } else {
    conf_report_end(&report);
    if (conf_report_count(&report, CONF_BROKEN) > 0) code = EXIT_BROKEN;
    if (preflight.kind == 0) code = fail(EXIT_NOT_LOADED, "%s", preflight.text);
  }
  free(outcomes);
  return code;
}

int main(int argc, char **argv) {
  BO_CLEANUP(free_options)
  struct options options = {.schedule = {.argv = argv, .timeout_s = 120}, .names = BO_ARENA_INIT};
  int processors = get_nprocs();
  options.schedule.jobs = processors < 1 ? 1 : processors > 16 ? 16 : (unsigned)processors;
  for (int option; (option = getopt_long(argc, argv, "", option_table, NULL)) != -1;) {
    if (option == HELP) return fputs(usage, stdout) < 0 ? EXIT_USAGE : EXIT_ALL_HOLD;
    if (option == VERSION) return puts("plugin-conformance " BO_VERSION) < 0 ? EXIT_USAGE : EXIT_ALL_HOLD;
    if (!take_option(&options, option, optarg))
      return fail(EXIT_USAGE, "wrong arguments; see plugin-conformance --help");
  }
  if (options.list) {
    conf_report_list();
    return EXIT_ALL_HOLD;
  }
  if (options.explain != NULL) {
    const struct conf_rule *rule = conf_rule_find(options.explain);
    if (rule == NULL) return fail(EXIT_USAGE, "there is no rule %s; see plugin-conformance --list", options.explain);
    conf_report_explain(rule);
    return EXIT_ALL_HOLD;
  }
  const char *const lists[] = {options.only, options.skip};
  for (size_t i = 0; i < 2; i++) {
    BO_CLEANUP_FREE char *unknown = find_unknown(lists[i]);
    if (unknown != NULL)
      return fail(EXIT_USAGE, "there is no rule or profile %s; see plugin-conformance --list", unknown);
  }
  if (optind + 1 != argc) return fail(EXIT_USAGE, "give one plugin's file; see plugin-conformance --help");
  options.settings.file = argv[optind];
  return options.rule != NULL ? conf_child_main(options.rule, &options.settings) : run(&options);
}
