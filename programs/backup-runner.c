/*
 * backup-runner - one run as a process of its own. docs/runner.md and backup-runner(1) describe its interface.
 *
 * Everything foreign (plugins, the data, the commands) is met in here, so that nothing of it can hurt more than this
 * one run: the process limits its own address space, leaves no core, cannot be traced by others of its user, and
 * gives its children no descriptor.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/close_range.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/io.h"
#include "core/plugin/loader.h"
#include "core/run/run.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* A Pod's termination message is cut at 4,096 bytes by Kubernetes. */
#define RESULT_FILE_BYTES 4096

/* A plugin that needs longer to say what it is hangs. */
#define DESCRIBE_SECONDS 20

enum exit_code { EXIT_RUN_SUCCEEDED = 0, EXIT_RUN_FAILED = 1, EXIT_USAGE = 2 };

struct options {
  const char *spec_file;
  int spec_fd;
  bool no_owner;
  const char *result_file;
  const char *describe_file;
  int log_level;
};

static const char usage[] =
    "Usage: backup-runner [--spec-fd N | --spec FILE] [--no-owner] [--result-file FILE] [--log-level LEVEL]\n"
    "       backup-runner --describe PLUGIN.so\n"
    "\n"
    "Executes one run: a backup, restore or verification, or a question to a storage. What to do is a JSON document\n"
    "of one line; progress and the result are JSON lines on stdout. People use backupctl instead.\n"
    "\n"
    "  --spec-fd N         read the document from descriptor N (default 0); what follows its line is the control\n"
    "                      pipe: it answers commit requests, and the run is cancelled when it ends\n"
    "  --spec FILE         read the document from a file\n"
    "  --no-owner          nobody answers: commit without asking; SIGTERM cancels\n"
    "  --result-file FILE  write the result there too, in at most 4,096 bytes\n"
    "  --log-level LEVEL   debug, info (default), warning or error\n"
    "  --describe FILE     print what a plugin is, as JSON\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 the run succeeded, 1 it failed, 2 it was asked for wrongly. Anything else: it crashed.\n";

/* ---- limits ---- */

/* Only the soft limit: the platform lifts it again for the user's commands. */
static int limit_soft(int resource, uint64_t value) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0) return -1;
  limit.rlim_cur = value < limit.rlim_max ? value : limit.rlim_max;
  return setrlimit(resource, &limit);
}

static void protect_process(void) {
  (void)limit_soft(RLIMIT_CORE, 0);
  if (!SANITIZED) (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  /* Whatever a dying supervisor leaves comes to us, and can be ended. */
  (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  (void)signal(SIGPIPE, SIG_IGN);
  (void)signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of write, then */
  sigset_t signals;
  (void)sigemptyset(&signals);
  (void)sigaddset(&signals, SIGTERM);
  (void)sigaddset(&signals, SIGINT);
  (void)sigprocmask(SIG_BLOCK, &signals, NULL);
  /* Each arena reserves 64 MiB of address space: two are enough for a handful of threads. */
  (void)mallopt(M_ARENA_MAX, 2);
}

static int limit_memory(uint64_t bytes, struct bo_error *error) {
  if (SANITIZED) return BO_OK; /* they reserve terabytes */
  if (limit_soft(RLIMIT_AS, bytes) == 0) return BO_OK;
  return bo_error_errno(error, errno, "limiting the address space to %llu bytes", (unsigned long long)bytes);
}

/* ---- log lines ---- */

static void write_log(void *context, int level, const char *source, const char *text) {
  static const char *const names[] = {"debug", "info", "warning", "error"};
  cJSON *json = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(json, "type", "log");
  (void)cJSON_AddStringToObject(json, "level", names[level >= BO_LOG_DEBUG && level <= BO_LOG_ERROR ? level : 1]);
  (void)cJSON_AddStringToObject(json, "source", source);
  (void)cJSON_AddStringToObject(json, "text", text);
  char *line = cJSON_PrintUnformatted(json);
  bo_owner_send(context, line, level >= BO_LOG_WARNING);
  cJSON_free(line);
  cJSON_Delete(json);
}

/* ---- the document ---- */

/* Reads up to and with the first newline, or to the end. What comes behind it is the owner's. */
static int read_spec(int fd, struct bo_buffer *buffer, size_t *spec_size, struct bo_error *error) {
  while (buffer->size <= BO_SPEC_MAX_BYTES) {
    char *newline = buffer->size == 0 ? NULL : memchr(buffer->bytes, '\n', buffer->size);
    if (newline != NULL) {
      *spec_size = (size_t)(newline - buffer->bytes);
      return BO_OK;
    }
    if (!bo_buffer_reserve(buffer, 65536)) return bo_error_no_memory(error);
    ssize_t got = read(fd, buffer->bytes + buffer->size, 65536);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return bo_error_errno(error, errno, "reading the spec");
    if (got == 0) {
      *spec_size = buffer->size;
      return BO_OK;
    }
    buffer->size += (size_t)got;
    buffer->bytes[buffer->size] = '\0';
  }
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "spec: it is larger than %zu bytes", BO_SPEC_MAX_BYTES);
}

static int open_spec(const struct options *options, struct bo_error *error) {
  if (options->spec_file == NULL) return options->spec_fd;
  int fd = open(options->spec_file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) (void)bo_error_errno(error, errno, "%s", options->spec_file);
  return fd;
}

/* ---- the run ---- */

static void write_result_file(const struct options *options, const struct bo_run_result *result,
                              const struct bo_run_spec *spec) {
  if (options->result_file == NULL) return;
  char *json = bo_run_result_json(result, spec, RESULT_FILE_BYTES);
  int fd = open(options->result_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (json != NULL && fd >= 0) (void)bo_write_all(fd, json, strlen(json), NULL);
  if (fd >= 0) (void)close(fd);
  free(json);
}

static int refuse(const struct options *options, struct bo_owner *owner, const struct bo_error *error) {
  struct bo_run_spec none = {.operation = BO_OP_BACKUP};
  struct bo_run_result result;
  bo_run_result_init(&result, BO_OP_BACKUP);
  result.error = *error;
  result.stage = "spec";
  result.completion_ms = result.start_ms;
  char *json = bo_run_result_json(&result, &none, 0);
  bo_owner_send(owner, json, true);
  free(json);
  write_result_file(options, &result, &none);
  return EXIT_USAGE;
}

static int run(const struct options *options) {
  static struct bo_owner owner; /* outlives a thread that never comes back */
  struct bo_error error = BO_ERROR_INIT;
  struct stat status;
  if (fstat(STDOUT_FILENO, &status) == 0 && S_ISFIFO(status.st_mode))
    (void)fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
  int spec_fd = open_spec(options, &error);
  bool owned = !options->no_owner && options->spec_file == NULL;
  bo_owner_init(&owner, owned ? spec_fd : -1, STDOUT_FILENO);
  const struct bo_log log = {.write = write_log, .context = &owner, .level = options->log_level};
  if (spec_fd < 0) return refuse(options, &owner, &error);

  BO_CLEANUP(bo_buffer_cleanse) struct bo_buffer text = BO_BUFFER_INIT;
  size_t spec_size = 0;
  struct bo_run_spec spec;
  if (read_spec(spec_fd, &text, &spec_size, &error) != BO_OK ||
      bo_run_spec_parse(text.bytes, spec_size, &spec, &error) != BO_OK)
    return refuse(options, &owner, &error);
  OPENSSL_cleanse(text.bytes, spec_size); /* the secrets in it are the spec's now */
  size_t rest = text.size > spec_size ? spec_size + 1 : text.size;
  const struct bo_run_context context = {
      .spec = &spec,
      .log = &log,
      .owner = &owner,
      .owner_rest = text.bytes + rest,
      .owner_rest_size = text.size - rest,
      .limit_memory = limit_memory,
  };
  struct bo_run_result result;
  bool put_away = bo_run_execute(&context, &result);
  write_result_file(options, &result, &spec);
  int code = result.successful ? EXIT_RUN_SUCCEEDED : EXIT_RUN_FAILED;
  if (!put_away) _exit(code);
  bo_run_result_free(&result);
  bo_run_spec_free(&spec);
  return code;
}

static int describe(const char *path) {
  (void)alarm(DESCRIBE_SECONDS);
  struct bo_error error = BO_ERROR_INIT;
  struct bo_loaded_plugin *plugin = NULL;
  BO_CLEANUP_BUFFER struct bo_buffer json = BO_BUFFER_INIT;
  int result = bo_plugin_load(path, 0, NULL, NULL, &plugin, &error);
  if (result == BO_OK) result = bo_plugin_describe(plugin, &json, &error);
  if (plugin != NULL) bo_plugin_unload(plugin);
  if (result != BO_OK) {
    (void)fprintf(stderr, "backup-runner: %s\n", error.text);
    return EXIT_RUN_FAILED;
  }
  return puts(bo_buffer_text(&json)) < 0 || fflush(stdout) != 0 ? EXIT_RUN_FAILED : EXIT_RUN_SUCCEEDED;
}

/* ---- options ---- */

static bool parse_fd(const char *text, int *fd) {
  char *end = NULL;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (errno != 0 || *text == '\0' || *end != '\0' || value < 0 || value > 1023) return false;
  *fd = (int)value;
  return true;
}

static bool parse_level(const char *text, int *level) {
  static const char *const names[] = {"debug", "info", "warning", "error"};
  for (*level = BO_LOG_DEBUG; *level <= BO_LOG_ERROR; (*level)++)
    if (strcmp(names[*level], text) == 0) return true;
  return false;
}

int main(int argc, char **argv) {
  enum { SPEC_FD = 1, SPEC, NO_OWNER, RESULT_FILE, LOG_LEVEL, DESCRIBE, HELP, VERSION };
  static const struct option table[] = {
      {"spec-fd", required_argument, NULL, SPEC_FD},
      {"spec", required_argument, NULL, SPEC},
      {"no-owner", no_argument, NULL, NO_OWNER},
      {"result-file", required_argument, NULL, RESULT_FILE},
      {"log-level", required_argument, NULL, LOG_LEVEL},
      {"describe", required_argument, NULL, DESCRIBE},
      {"help", no_argument, NULL, HELP},
      {"version", no_argument, NULL, VERSION},
      {NULL, 0, NULL, 0},
  };
  struct options options = {.log_level = BO_LOG_INFO};
  bo_open_standard_descriptors();
  bool good = true;
  for (int option; good && (option = getopt_long(argc, argv, "", table, NULL)) != -1;) {
    switch (option) {
      case SPEC_FD: good = parse_fd(optarg, &options.spec_fd); break;
      case SPEC: options.spec_file = optarg; break;
      case NO_OWNER: options.no_owner = true; break;
      case RESULT_FILE: options.result_file = optarg; break;
      case LOG_LEVEL: good = parse_level(optarg, &options.log_level); break;
      case DESCRIBE: options.describe_file = optarg; break;
      case HELP: return fputs(usage, stdout) < 0 ? EXIT_RUN_FAILED : EXIT_RUN_SUCCEEDED;
      case VERSION: return puts("backup-runner " BO_VERSION) < 0 ? EXIT_RUN_FAILED : EXIT_RUN_SUCCEEDED;
      default: good = false;
    }
  }
  if (!good || optind != argc) {
    (void)fputs("backup-runner: wrong arguments; see backup-runner --help\n", stderr);
    return EXIT_USAGE;
  }
  protect_process();
  bo_spec_use_cleansing_json();
  return options.describe_file != NULL ? describe(options.describe_file) : run(&options);
}
