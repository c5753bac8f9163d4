/* rules_life.c - open, use, close: of every kind, and in every order that the ABI allows. */
#include <dirent.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/base/io.h"
#include "core/base/text.h"
#include "programs/plugin-conformance/session.h"

#define ROUNDS 1000
#define WARM_UP_ROUNDS 50
#define HEAP_SLACK_BYTES 16384

/* ---- LIF-001 ---- */

static void ordinary_session(struct conf *conf) {
  conf_session_once(conf);
}

/* ---- LIF-002 to LIF-004: everything comes back ---- */

struct possessions {
  unsigned descriptors, threads;
};

static struct possessions take_stock(void) {
  return (struct possessions){conf_count_descriptors(), conf_count_threads()};
}

static void check_possessions(const struct possessions *before, const char *when) {
  struct possessions now = take_stock();
  /* A thread is seen for a moment longer than until it was joined. */
  for (int i = 0; i < 100 && now.threads > before->threads; i++) {
    (void)usleep(10000);
    now = take_stock();
  }
  CONF_HOLDS(now.descriptors <= before->descriptors, "%s, %u descriptors are still open", when,
             now.descriptors - before->descriptors);
  CONF_HOLDS(now.threads <= before->threads, "%s, %u threads still run", when, now.threads - before->threads);
  CONF_HOLDS(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "%s, a child process is left", when);
}

static void check_memory(const struct conf_host *host, const char *when) {
  CONF_HOLDS(host->live_blocks == 0, "%s, %zu blocks of the host's memory (%zu bytes) were not freed", when,
             host->live_blocks, host->live_bytes);
}

static void close_gives_everything_back(struct conf *conf) {
  conf_session_once(conf); /* what libraries take once and for all */
  struct possessions before = take_stock();
  struct conf_session session;
  conf_session_open(&session, conf, NULL);
  conf_session_run(&session);
  check_memory(&session.host, "after a session");
  check_possessions(&before, "after a session");
  conf_session_close(&session);
}

static void open_and_close(const struct conf *conf) {
  struct conf_session session;
  conf_session_open(&session, conf, NULL);
  if (conf->plugin->descriptor.kind == BO_KIND_COMPRESS || conf->plugin->descriptor.kind == BO_KIND_CRYPT) {
    for (int direction = BO_ENCODE; direction <= BO_DECODE; direction++) {
      CONF_HOLDS(conf_codec_open(&session.codec, conf, &session.host.table, direction, &session.config.table) == BO_OK,
                 "open() failed: %s", session.codec.error.text);
      conf_codec_close(&session.codec);
    }
  } else {
    CONF_HOLDS(conf_session_step(&session) == BO_OK, "open() failed: %s", session.error.text);
  }
  conf_session_close(&session);
}

static void a_thousand_times(struct conf *conf) {
  for (unsigned i = 0; i < WARM_UP_ROUNDS; i++)
    open_and_close(conf);
  struct possessions before = take_stock();
  size_t heap = conf_heap_bytes();
  for (unsigned i = 0; i < ROUNDS; i++)
    open_and_close(conf);
  check_possessions(&before, "after 1,000 times open and close");
  size_t now = conf_heap_bytes();
  CONF_HOLDS(now <= heap + HEAP_SLACK_BYTES, "after 1,000 times open and close, the process uses %zu bytes more",
             now - heap);
}

static void close_at_every_point(struct conf *conf) {
  conf_session_once(conf);
  struct possessions before = take_stock();
  for (unsigned calls = 1;; calls++) {
    struct conf_session session;
    char when[96];
    int result = BO_OK;
    conf_session_open(&session, conf, NULL);
    for (unsigned i = 0; i < calls && result == BO_OK; i++)
      result = conf_session_step(&session);
    CONF_HOLDS(result != BO_ERROR, "%s() failed: %s", session.function, session.error.text);
    conf_session_abandon(&session);
    (void)snprintf(when, sizeof(when), "after a close that came right after %s() (call %u)", session.function, calls);
    check_memory(&session.host, when);
    check_possessions(&before, when);
    conf_session_close(&session);
    if (result == BO_DONE) return;
  }
}

/* ---- LIF-005, LIF-006: instances and threads ---- */

static void two_instances(struct conf *conf) {
  struct conf_session sessions[2];
  for (int i = 0; i < 2; i++)
    conf_session_open(&sessions[i], conf, NULL);
  /* Two objects. */
  (void)snprintf(sessions[1].key, sizeof(sessions[1].key), "%sobject-2", conf->prefix);
  (void)snprintf(sessions[1].other_key, sizeof(sessions[1].other_key), "%sother-2", conf->prefix);
  int results[2] = {BO_OK, BO_OK};
  /* The second one a few calls behind, so that they are never at the same point. */
  for (unsigned call = 0; results[0] == BO_OK || results[1] == BO_OK; call++) {
    for (int i = 0; i < 2; i++) {
      if (results[i] != BO_OK || (i == 1 && call < 3)) continue;
      results[i] = conf_session_step(&sessions[i]);
      CONF_HOLDS(results[i] != BO_ERROR, "with two instances at once, %s() failed in the %s: %s", sessions[i].function,
                 i == 0 ? "first" : "second", sessions[i].error.text);
    }
  }
  for (int i = 0; i < 2; i++)
    conf_session_close(&sessions[i]);
}

static void *step_thread(void *context) {
  return (void *)(intptr_t)conf_session_step(context);
}

static void any_thread(struct conf *conf) {
  struct conf_session session;
  conf_session_open(&session, conf, NULL);
  for (int result = BO_OK; result != BO_DONE;) {
    pthread_t thread;
    void *answer = NULL;
    if (pthread_create(&thread, NULL, step_thread, &session) != 0) conf_skip("no thread can be started");
    (void)pthread_join(thread, &answer);
    result = (int)(intptr_t)answer;
    CONF_HOLDS(result != BO_ERROR, "called from a thread other than the last one, %s() failed: %s", session.function,
               session.error.text);
  }
  conf_session_close(&session);
}

/* ---- LIF-007: its own threads ---- */

/* Every signal that can be blocked: all but SIGKILL, SIGSTOP, and the two that glibc keeps for itself. */
#define BLOCKABLE (~((UINT64_C(1) << (SIGKILL - 1)) | (UINT64_C(1) << (SIGSTOP - 1)) | (UINT64_C(3) << 31)))

/* A thread's state ('R', 'S', ...) and the signals that it blocks; false when it is gone. */
static bool read_thread(const char *task, char *state, uint64_t *blocked) {
  char path[300];
  BO_CLEANUP_BUFFER struct bo_buffer status = BO_BUFFER_INIT;
  (void)snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
  if (bo_read_file(path, 65536, &status, NULL) != BO_OK) return false;
  const char *state_line = strstr(bo_buffer_text(&status), "State:\t");
  const char *mask_line = strstr(bo_buffer_text(&status), "SigBlk:\t");
  if (state_line == NULL || mask_line == NULL) return false;
  *state = state_line[strlen("State:\t")];
  *blocked = strtoull(mask_line + strlen("SigBlk:\t"), NULL, 16);
  return *state != 'Z' && *state != 'X';
}

/* False when the thread has ended. One that has not run yet blocks everything, and one that is ending nothing, whatever
 * its author wrote: so a thread is looked at when it waits, and twice. */
static bool check_thread(const char *task) {
  enum { TRIES = 100, TRY_US = 2000 };
  uint64_t blocked = 0;
  char state = 'R';
  for (int i = 0, seen = 0; i < TRIES && seen < 2; i++) {
    if (!read_thread(task, &state, &blocked)) return false;
    if (state == 'S' && ((blocked & BLOCKABLE) == BLOCKABLE || seen++ > 0)) break;
    (void)usleep(TRY_US);
  }
  CONF_HOLDS((blocked & BLOCKABLE) == BLOCKABLE, "a thread of the plugin does not block signal %d",
             __builtin_ctzll(BLOCKABLE & ~blocked) + 1);
  return true;
}

static unsigned check_threads(char known[][16], unsigned known_count) {
  BO_CLEANUP_DIR DIR *folder = opendir("/proc/self/task");
  unsigned count = 0;
  for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    bool is_known = false;
    for (unsigned i = 0; i < known_count; i++)
      is_known = is_known || strcmp(known[i], entry->d_name) == 0;
    if (!is_known && check_thread(entry->d_name)) count++;
  }
  return count;
}

static unsigned list_threads(char known[][16], unsigned room) {
  BO_CLEANUP_DIR DIR *folder = opendir("/proc/self/task");
  unsigned count = 0;
  for (const struct dirent *entry; folder != NULL && count < room && (entry = readdir(folder)) != NULL;)
    if (entry->d_name[0] != '.') (void)snprintf(known[count++], 16, "%.15s", entry->d_name);
  return count;
}

static void threads_as_stated(struct conf *conf) {
  char known[16][16];
  if (CONF_THREAD_SANITIZED) conf_skip("the thread sanitizer starts threads of its own");
  unsigned known_count = list_threads(known, 16);
  struct conf_session session;
  conf_session_open(&session, conf, NULL);
  for (int result = BO_OK; result == BO_OK;) {
    result = conf_session_step(&session);
    CONF_HOLDS(result != BO_ERROR, "%s() failed: %s", session.function, session.error.text);
    unsigned count = check_threads(known, known_count);
    CONF_HOLDS(count <= conf->plugin->descriptor.threads,
               "after %s() the instance runs %u threads, but the descriptor says at most %u", session.function, count,
               conf->plugin->descriptor.threads);
  }
  conf_session_close(&session);
}

/* ---- LIF-008: the process ---- */

struct process {
  struct sigaction actions[65];
  sigset_t mask;
  mode_t umask;
  char folder[PATH_MAX];
  char locale[256];
  size_t environment;
};

static size_t hash_environment(void) {
  size_t hash = 5381;
  for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
    for (const char *c = *entry; *c != '\0'; c++)
      hash = hash * 33 + (unsigned char)*c;
  return hash;
}

static void read_process(struct process *process) {
  memset(process, 0, sizeof(*process));
  for (int signal = 1; signal <= 64; signal++)
    (void)sigaction(signal, NULL, &process->actions[signal]);
  (void)pthread_sigmask(SIG_SETMASK, NULL, &process->mask);
  process->umask = umask(0);
  (void)umask(process->umask);
  if (getcwd(process->folder, sizeof(process->folder)) == NULL) process->folder[0] = '\0';
  const char *locale = setlocale(LC_ALL, NULL);
  (void)snprintf(process->locale, sizeof(process->locale), "%s", locale == NULL ? "" : locale);
  process->environment = hash_environment();
}

static void leaves_the_process_alone(struct conf *conf) {
  struct process before, now;
  read_process(&before);
  struct conf_session session;
  conf_session_open(&session, conf, NULL);
  for (int result = BO_OK; result == BO_OK;) {
    result = conf_session_step(&session);
    const char *function = session.function;
    CONF_HOLDS(result != BO_ERROR, "%s() failed: %s", function, session.error.text);
    read_process(&now);
    for (int signal = 1; signal <= 64; signal++)
      CONF_HOLDS(now.actions[signal].sa_handler == before.actions[signal].sa_handler,
                 "%s() changed what happens at signal %d", function, signal);
    CONF_HOLDS(memcmp(&now.mask, &before.mask, sizeof(now.mask)) == 0, "%s() changed the thread's signal mask",
               function);
    CONF_HOLDS(now.umask == before.umask, "%s() changed the umask from %03o to %03o", function, before.umask,
               now.umask);
    CONF_HOLDS(strcmp(now.folder, before.folder) == 0, "%s() changed the working folder", function);
    CONF_HOLDS(strcmp(now.locale, before.locale) == 0, "%s() changed the locale", function);
    CONF_HOLDS(now.environment == before.environment, "%s() changed the environment", function);
  }
  conf_session_close(&session);
}

/* ---- LIF-009: no output ---- */

static void prints_nothing(struct conf *conf) {
  struct stat status;
  conf_session_once(conf);
  (void)fflush(NULL);
  if (fstat(STDOUT_FILENO, &status) != 0) conf_skip("stdout cannot be looked at");
  char text[200] = "";
  if (status.st_size > 0 && pread(STDOUT_FILENO, text, sizeof(text) - 1, 0) < 0) text[0] = '\0';
  CONF_HOLDS(status.st_size == 0, "it wrote %lld bytes to stdout or stderr: %s", (long long)status.st_size, text);
}

/* ---- LIF-010: its own host ---- */

static const char *used_service;

static void *stale_alloc(void *context, size_t size) {
  (void)context;
  used_service = "alloc";
  return malloc(size);
}
static void *stale_realloc(void *context, void *memory, size_t size) {
  (void)context;
  used_service = "realloc";
  return realloc(memory, size);
}
static void stale_log(void *context, int level, const char *text) {
  (void)context, (void)level, (void)text;
  used_service = "log";
}
static int stale_cancelled(void *context) {
  (void)context;
  used_service = "cancelled";
  return 0;
}
static uint64_t stale_monotonic_ns(void *context) {
  (void)context;
  used_service = "monotonic_ns";
  return 0;
}

static void own_host(struct conf *conf) {
  struct bo_host *table = &conf->plugin->host->table;
  table->alloc = stale_alloc;
  table->realloc = stale_realloc;
  table->log = stale_log;
  table->cancelled = stale_cancelled;
  table->monotonic_ns = stale_monotonic_ns;
  conf_session_once(conf);
  CONF_HOLDS(used_service == NULL, "an instance used %s of the host that bo_plugin_init got, not of its own",
             used_service);
}

/* ---- LIF-011, LIF-012 ---- */

static void unknown_direction(struct conf *conf) {
  struct conf_host host;
  struct bo_parsed_config config;
  conf_host_open(&host);
  conf_config(conf, NULL, NULL, NULL, &config);
  static const int directions[] = {0, 3, -1};
  for (size_t i = 0; i < sizeof(directions) / sizeof(directions[0]); i++) {
    struct conf_codec codec;
    CONF_HOLDS(conf_codec_open(&codec, conf, &host.table, directions[i], &config.table) != BO_OK,
               "open() with the direction %d made an instance", directions[i]);
  }
  bo_config_free(&config);
  conf_host_close(&host);
}

static void check_error(const char *what, int result, const struct bo_error *error) {
  CONF_HOLDS(result == BO_ERROR || result == BO_RETRY, "%s is not an error", what);
  CONF_HOLDS(error->error_class > BO_CLASS_NONE && error->error_class <= BO_CLASS_INTERNAL,
             "%s is an error of class %d, which is none", what, error->error_class);
  size_t size = strnlen(error->text, sizeof(error->text));
  CONF_HOLDS(size > 0 && size < sizeof(error->text), "%s is an error without words", what);
  CONF_HOLDS(bo_is_utf8(error->text, size), "the words for %s are not UTF-8", what);
}

static void errors_say_what(struct conf *conf) {
  struct conf_session session;
  struct bo_error error = BO_ERROR_INIT;
  conf_session_open(&session, conf, NULL);
  if (conf->plugin->descriptor.kind == BO_KIND_COMPRESS || conf->plugin->descriptor.kind == BO_KIND_CRYPT) {
    int result = conf_transform(conf, BO_DECODE, session.plain, sizeof(session.plain), 0, 0, &session.decoded, &error);
    check_error("decoding what was never encoded", result, &error);
  } else if (conf->plugin->descriptor.kind == BO_KIND_STORAGE) {
    struct bo_object object = {.size = sizeof(object)};
    const struct bo_storage_operations *operations = conf->plugin->operations.storage;
    CONF_HOLDS(conf_session_step(&session) == BO_OK, "open() failed: %s", session.error.text);
    int result = CONF_CALL("stat", operations->stat(session.instance, session.key, &object, &error), &error);
    check_error("stat of a key that has no object", result, &error);
  } else {
    static const char *const argv[] = {"/no/such/program", NULL};
    struct bo_exec_spec spec = {
        .header = BO_HEADER(struct bo_exec_spec), .container = "", .argv = argv, .direction = BO_EXEC_BACKUP};
    const struct bo_platform_operations *operations = conf->plugin->operations.platform;
    void *exec = NULL;
    for (int i = 0; i < 2; i++)
      CONF_HOLDS(conf_session_step(&session) == BO_OK, "%s() failed: %s", session.function, session.error.text);
    int result = CONF_CALL("exec_open", operations->exec_open(session.workload, &spec, &exec, &error), &error);
    /* Some platforms hear of it only when they wait. */
    struct bo_exit status = {.size = sizeof(status)};
    if (result == BO_OK) result = CONF_CALL("exec_wait", operations->exec_wait(exec, &status, &error), &error);
    if (result == BO_OK)
      CONF_HOLDS(status.kind != BO_EXIT_STATUS || status.code != 0,
                 "a program that does not exist ended with status 0");
    else
      check_error("a command that does not exist", result, &error);
  }
  conf_session_close(&session);
}

const struct conf_rule conf_life_rules[] = {
    {.id = "LIF-001",
     .kinds = CONF_ANY,
     .sentence = "An ordinary session succeeds: what is encoded is decoded, what is stored is found and read, what a "
                 "command writes is received.",
     .why = "Nothing else means anything without it; the rules below are not tried when it does not hold.",
     .mend = "The message names the function that failed and its words; docs/plugin-abi.md has a whole example.",
     .run = ordinary_session},
    {.id = "LIF-002",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "After close everything is back: the host's memory, descriptors, threads, child processes.",
     .why = "A process does several things with plugins one after the other (a backup, its check, a discard).",
     .mend = "Free in close what open and all later calls took; give memory back through the same host's free; join "
             "threads.",
     .run = close_gives_everything_back},
    {.id = "LIF-003",
     .kinds = CONF_ANY,
     .after = "LIF-002",
     .sentence = "It can be opened and closed 1,000 times, and the process is no larger for it.",
     .why = "What one open leaves behind is small; an operator that probes a storage every minute leaves it for years.",
     .mend = "Look for memory that is not the host's (strdup, a library's handle) and is not freed in close.",
     .run = a_thousand_times},
    {.id = "LIF-004",
     .kinds = CONF_ANY,
     .after = "LIF-002",
     .sentence =
         "close puts everything away at any point: in mid-stream, with puts, gets, workloads and commands open.",
     .why = "A run that fails or is cancelled is closed wherever it is.",
     .mend = "Keep a list in the instance of all that was opened from it, and end what is still there in close.",
     .run = close_at_every_point},
    {.id = "LIF-005",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "Two instances work at once, call by call in turn, without noticing each other.",
     .why = "A host may have several: to encode and decode at once, to copy from one storage to another.",
     .mend = "Keep everything in the instance; have no static variables that change.",
     .run = two_instances},
    {.id = "LIF-006",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "Each call of an instance may come from another thread.",
     .why = "The ABI says one thread at a time, not always the same one.",
     .mend = "Use no thread-local variables; keep what a later call needs in the instance.",
     .run = any_thread},
    {.id = "LIF-007",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "It runs no more threads of its own than its descriptor says, and they block all signals.",
     .why = "A signal that a plugin's thread takes is lost for the program that waits for it; and the host's budget of "
            "memory counts threads.",
     .mend = "Block all signals (sigfillset, pthread_sigmask) around pthread_create; state the number in .threads.",
     .run = threads_as_stated},
    {.id = "LIF-008",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "It leaves the process as it is: signals, umask, working folder, locale, environment.",
     .why = "They are everybody's: of the host, and of the other plugins in the same process.",
     .mend = "Use what takes the value as an argument (openat, fchmod, newlocale), MSG_NOSIGNAL instead of ignoring "
             "SIGPIPE.",
     .run = leaves_the_process_alone},
    {.id = "LIF-009",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "It writes nothing to stdout or stderr.",
     .why = "The runner's stdout is a protocol: a foreign line there breaks a run.",
     .mend = "Log through host->log, and fail through bo_error_set; switch off a library's own messages.",
     .run = prints_nothing},
    {.id = "LIF-010",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "An instance uses the host that its open was given, not the one of bo_plugin_init.",
     .why = "Each instance has a host of its own: cancelling one, or its log, must not reach another.",
     .mend = "Keep open's host in the instance, and keep no host in a static variable.",
     .run = own_host},
    {.id = "LIF-011",
     .kinds = CONF_TRANSFORM,
     .after = "LIF-001",
     .sentence = "A direction that is neither encode nor decode is refused.",
     .why = "Taking what it does not know for one of the two would store plain data, or restore encoded ones.",
     .mend = "Compare with both BO_ENCODE and BO_DECODE in open, and fail with BO_CLASS_UNSUPPORTED otherwise.",
     .run = unknown_direction},
    {.id = "LIF-012",
     .kinds = CONF_ANY,
     .after = "LIF-001",
     .sentence = "Every failure has a class and words.",
     .why = "They are all that a user gets to see of it, perhaps at night; the host decides by the class.",
     .mend = "End every failing path with bo_error_set: what failed, why, and what to do about it.",
     .run = errors_say_what},
    {.id = NULL},
};
