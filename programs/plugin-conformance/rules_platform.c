/*
 * rules_platform.c - commands in a workload: what they write and read arrives, how they ended is known, and they end
 * when they must. Needs nothing of the workload but /bin/sh and the usual tools.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/sha256.h"
#include "programs/plugin-conformance/session.h"

#define SOON_S 15 /* how long "soon" may take, on a machine that is busy */
/* Long enough to be in the way of who waits for it, short enough not to stay long behind a plugin that loses it. */
#define LONG_COMMAND "sleep 60"

/* A workload that is ready, and one command in it. */
struct place {
  struct conf_session session; /* its instance and workload */
  const struct bo_platform_operations *operations;
  void *exec;
  pthread_mutex_t lock;
  struct bo_buffer errors; /* stderr; with the lock held */
  struct bo_error error;
};

#define CALL(place, name, ...) \
  CONF_CALL(#name, (place)->operations->name(__VA_ARGS__, &(place)->error), &(place)->error)

static void open_place(struct place *place, const struct conf *conf) {
  memset(place, 0, sizeof(*place));
  place->operations = conf->plugin->operations.platform;
  (void)pthread_mutex_init(&place->lock, NULL);
  conf_session_open(&place->session, conf, NULL);
  for (int i = 0; i < 2; i++)
    CONF_HOLDS(conf_session_step(&place->session) == BO_OK, "%s() failed: %s", place->session.function,
               place->session.error.text);
}

static void close_place(struct place *place) {
  conf_session_close(&place->session);
  bo_buffer_free(&place->errors);
  (void)pthread_mutex_destroy(&place->lock);
}

static void take_stderr(void *context, const void *bytes, size_t size) {
  struct place *place = context;
  (void)pthread_mutex_lock(&place->lock);
  (void)bo_buffer_append(&place->errors, bytes, size);
  (void)pthread_mutex_unlock(&place->lock);
}

static bool said(struct place *place, const char *text) {
  (void)pthread_mutex_lock(&place->lock);
  bool found = strstr(bo_buffer_text(&place->errors), text) != NULL;
  (void)pthread_mutex_unlock(&place->lock);
  return found;
}

/* Until stderr has the text; it may come in after the exit. */
static bool hears(struct place *place, const char *text) {
  for (int i = 0; i < SOON_S * 100; i++) {
    if (said(place, text)) return true;
    (void)usleep(10000);
  }
  return false;
}

static void begin(struct place *place, int direction, const char *script) {
  const char *const argv[] = {"/bin/sh", "-c", script, NULL};
  struct bo_exec_spec spec = {.header = BO_HEADER(struct bo_exec_spec),
                              .container = "",
                              .argv = argv,
                              .direction = direction,
                              .on_stderr = take_stderr,
                              .context = place};
  CONF_HOLDS(CALL(place, exec_open, place->session.workload, &spec, &place->exec) == BO_OK, "exec_open() failed: %s",
             place->error.text);
}

static void end(struct place *place) {
  conf_at("exec_close");
  place->operations->exec_close(place->exec);
  conf_at(NULL);
}

static void must_exit(struct place *place, int code) {
  struct bo_exit status = {.size = sizeof(status)};
  CONF_HOLDS(CALL(place, exec_wait, place->exec, &status) == BO_OK, "exec_wait() failed: %s", place->error.text);
  CONF_HOLDS(status.kind == BO_EXIT_STATUS && status.code == code,
             "a command that ends with status %d: kind %d, code %d", code, status.kind, status.code);
}

/* Reads stdout to its end: BO_OK, or what exec_read failed with. */
static int read_all(struct place *place, struct bo_buffer *out) {
  char bytes[5000];
  for (;;) {
    size_t size = 0;
    int result = CALL(place, exec_read, place->exec, bytes, sizeof(bytes), &size);
    if (result != BO_OK || size == 0) return result;
    CONF_HOLDS(size <= sizeof(bytes), "exec_read() gave %zu bytes where there was room for %zu", size, sizeof(bytes));
    if (!bo_buffer_append(out, bytes, size)) conf_skip("out of memory");
    CONF_HOLDS(out->size < 64 << 20, "a command's stdout does not end");
  }
}

/* ---- PLA-001 to PLA-004: data, errors, exits ---- */

static void stdout_is_whole(struct conf *conf) {
  enum { LINES = 300000 };
  struct place place;
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  open_place(&place, conf);
  begin(&place, BO_EXEC_BACKUP, "yes 'a row' | head -n 300000; printf '\\000\\377end'");
  CONF_HOLDS(read_all(&place, &out) == BO_OK, "exec_read() failed: %s", place.error.text);
  must_exit(&place, 0);
  CONF_HOLDS(out.size == (size_t)LINES * 6 + 5, "of %d bytes that a command wrote, %zu were read", LINES * 6 + 5,
             out.size);
  for (size_t i = 0; i < LINES; i++)
    CONF_HOLDS(memcmp(out.bytes + i * 6, "a row\n", 6) == 0, "what was read near byte %zu is not what was written",
               i * 6);
  CONF_HOLDS(memcmp(out.bytes + (size_t)LINES * 6, "\0\377end", 5) == 0, "the last bytes are not what was written");
  end(&place);
  close_place(&place);
}

static void exits_are_received(struct conf *conf) {
  static const int codes[] = {0, 1, 7, 126, 255};
  struct place place;
  open_place(&place, conf);
  for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    char script[32];
    BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
    (void)snprintf(script, sizeof(script), "exit %d", codes[i]);
    begin(&place, BO_EXEC_BACKUP, script);
    CONF_HOLDS(read_all(&place, &out) == BO_OK, "exec_read() failed: %s", place.error.text);
    must_exit(&place, codes[i]);
    end(&place);
  }
  struct bo_exit status = {.size = sizeof(status)};
  begin(&place, BO_EXEC_BACKUP, "kill -KILL $$");
  CONF_HOLDS(CALL(&place, exec_wait, place.exec, &status) == BO_OK, "exec_wait() failed: %s", place.error.text);
  CONF_HOLDS(
      (status.kind == BO_EXIT_SIGNAL && status.code == 9) || (status.kind == BO_EXIT_STATUS && status.code == 137),
      "a command that was killed: kind %d, code %d", status.kind, status.code);
  end(&place);
  close_place(&place);
}

static void stderr_is_whole(struct conf *conf) {
  struct place place;
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT, wanted = BO_BUFFER_INIT;
  open_place(&place, conf);
  begin(&place, BO_EXEC_BACKUP,
        "i=0; while [ $i -lt 3000 ]; do echo \"error $i\" >&2; i=$((i+1)); done; echo last >&2");
  CONF_HOLDS(read_all(&place, &out) == BO_OK, "exec_read() failed: %s", place.error.text);
  must_exit(&place, 0);
  for (int i = 0; i < 3000; i++)
    (void)bo_buffer_printf(&wanted, "error %d\n", i);
  (void)bo_buffer_append_text(&wanted, "last\n");
  CONF_HOLDS(hears(&place, "last\n"), "the last line of stderr never came");
  end(&place);
  CONF_HOLDS(strcmp(bo_buffer_text(&place.errors), bo_buffer_text(&wanted)) == 0,
             "of stderr's %zu bytes, %zu came, or other ones", wanted.size, place.errors.size);
  close_place(&place);
}

static void stdin_is_whole(struct conf *conf) {
  enum { BYTES = 1000003, PIECE = 70001 };
  struct place place;
  struct bo_error error = BO_ERROR_INIT;
  char sha256[BO_SHA256_TEXT_MAX];
  unsigned char *bytes = malloc(BYTES);
  if (bytes == NULL) conf_skip("out of memory");
  conf_noise(bytes, BYTES, 1);
  if (bo_sha256_text(bytes, BYTES, sha256, &error) != BO_OK) conf_skip("%s", error.text);
  open_place(&place, conf);
  begin(&place, BO_EXEC_RESTORE, "sha256sum >&2");
  for (size_t position = 0; position < BYTES; position += PIECE) {
    size_t left = BYTES - position;
    CONF_HOLDS(CALL(&place, exec_write, place.exec, bytes + position, left < PIECE ? left : PIECE) == BO_OK,
               "exec_write() failed: %s", place.error.text);
  }
  CONF_HOLDS(CALL(&place, exec_close_stdin, place.exec) == BO_OK, "exec_close_stdin() failed: %s", place.error.text);
  must_exit(&place, 0);
  CONF_HOLDS(hears(&place, sha256), "a restore's command did not read the %d bytes that were written", BYTES);
  end(&place);
  close_place(&place);
  free(bytes);
}

/* ---- PLA-005, PLA-006: a restore that is given up ---- */

#define READER "cat >/dev/null; echo ended >&2; " LONG_COMMAND

static void begin_restore(struct place *place) {
  begin(place, BO_EXEC_RESTORE, READER);
  CONF_HOLDS(CALL(place, exec_write, place->exec, "half a dump", 11) == BO_OK, "exec_write() failed: %s",
             place->error.text);
}

static void stop_does_not_end_stdin(struct conf *conf) {
  struct place place;
  open_place(&place, conf);
  begin_restore(&place);
  CONF_HOLDS(CALL(&place, workload_stop, place.session.workload, 500) == BO_OK, "workload_stop() failed: %s",
             place.error.text);
  end(&place);
  CONF_HOLDS(!said(&place, "ended"), "workload_stop() ended a restore's stdin before its command was gone");
  close_place(&place);
}

static void close_does_not_end_stdin(struct conf *conf) {
  struct place place;
  open_place(&place, conf);
  begin_restore(&place);
  conf_session_abandon(&place.session);
  CONF_HOLDS(!said(&place, "ended"), "close() ended a restore's stdin before its command was gone");
  close_place(&place);
}

/* ---- PLA-007 to PLA-010: nothing hangs ---- */

static void *read_in_thread(void *context) {
  struct place *place = context;
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  return (void *)(intptr_t)read_all(place, &out);
}

static int join_soon(pthread_t thread, const char *what) {
  struct timespec deadline;
  void *answer = NULL;
  (void)clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_sec += SOON_S;
  CONF_HOLDS(pthread_timedjoin_np(thread, &answer, &deadline) == 0, "%s is not back after %d s", what, SOON_S);
  return (int)(intptr_t)answer;
}

static void cancel_ends_a_read(struct conf *conf) {
  struct place place;
  pthread_t thread;
  open_place(&place, conf);
  begin(&place, BO_EXEC_BACKUP, LONG_COMMAND);
  if (pthread_create(&thread, NULL, read_in_thread, &place) != 0) conf_skip("no thread can be started");
  (void)usleep(100000); /* so that it most likely waits; right either way */
  place.operations->exec_cancel(place.exec);
  int result = join_soon(thread, "after exec_cancel(), exec_read()");
  CONF_HOLDS(result != BO_OK && place.error.error_class == BO_CLASS_CANCELLED,
             "after exec_cancel(), exec_read() fails with the class %d, not cancelled: %s", place.error.error_class,
             place.error.text);
  end(&place);
  close_place(&place);
}

static void stop_ends_everything(struct conf *conf) {
  struct place place;
  struct bo_workload_state state = {.size = sizeof(state)};
  open_place(&place, conf);
  begin(&place, BO_EXEC_BACKUP, "trap '' TERM; echo ready >&2; i=0; while [ $i -lt 60 ]; do sleep 1; i=$((i+1)); done");
  CONF_HOLDS(hears(&place, "ready"), "a command did not begin");
  uint64_t began_ms = bo_monotonic_ms();
  for (int i = 0; i < 2; i++)
    CONF_HOLDS(CALL(&place, workload_stop, place.session.workload, 300) == BO_OK, "workload_stop() failed%s: %s",
               i == 0 ? "" : " the second time", place.error.text);
  uint64_t took_ms = bo_monotonic_ms() - began_ms;
  CONF_HOLDS(took_ms < SOON_S * 1000, "workload_stop() of a command that ignores SIGTERM took %llu ms",
             (unsigned long long)took_ms);
  CONF_HOLDS(CALL(&place, workload_state, place.session.workload, &state) == BO_OK, "workload_state() failed: %s",
             place.error.text);
  CONF_HOLDS(state.phase == BO_WORKLOAD_ENDED, "after workload_stop() the workload's phase is %d, not ENDED: %s",
             state.phase, state.reason);
  end(&place);
  close_place(&place);
}

static void *write_in_thread(void *context) {
  static const char bytes[1 << 16];
  struct place *place = context;
  for (int i = 0; i < 256; i++) {
    int result = CALL(place, exec_write, place->exec, bytes, sizeof(bytes));
    if (result != BO_OK) return (void *)(intptr_t)result;
  }
  return (void *)(intptr_t)BO_OK;
}

static void write_to_nobody(struct conf *conf) {
  struct place place;
  pthread_t thread;
  open_place(&place, conf);
  begin(&place, BO_EXEC_RESTORE, "exit 3");
  if (pthread_create(&thread, NULL, write_in_thread, &place) != 0) conf_skip("no thread can be started");
  int result = join_soon(thread, "exec_write() to a command that has ended");
  CONF_HOLDS(result != BO_OK, "16 MiB were written to a command that had ended");
  end(&place);
  close_place(&place);
}

static void leftover_stdout(struct conf *conf) {
  struct place place;
  pthread_t thread;
  open_place(&place, conf);
  begin(&place, BO_EXEC_BACKUP, "echo dump; " LONG_COMMAND " & exit 0");
  if (pthread_create(&thread, NULL, read_in_thread, &place) != 0) conf_skip("no thread can be started");
  int result = join_soon(thread, "exec_read(), after the command has left its stdout to another one,");
  CONF_HOLDS(result != BO_OK,
             "a command ended, what it left behind kept stdout open, and exec_read() called that a "
             "clean end");
  end(&place);
  close_place(&place);
}

/* ---- PLA-011 to PLA-014 ---- */

static void backup_stdin_is_empty(struct conf *conf) {
  struct place place;
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  open_place(&place, conf);
  begin(&place, BO_EXEC_BACKUP, "head -c 1000; echo end");
  CONF_HOLDS(read_all(&place, &out) == BO_OK, "exec_read() failed: %s", place.error.text);
  CONF_HOLDS(strcmp(bo_buffer_text(&out), "end\n") == 0, "a backup's command found %zu bytes in its stdin", out.size);
  end(&place);
  close_place(&place);
}

static void restore_stdout_is_drained(struct conf *conf) {
  struct place place;
  open_place(&place, conf);
  begin(&place, BO_EXEC_RESTORE, "head -c 3000000 /dev/zero && cat >/dev/null");
  CONF_HOLDS(CALL(&place, exec_write, place.exec, "a dump", 6) == BO_OK, "exec_write() failed: %s", place.error.text);
  CONF_HOLDS(CALL(&place, exec_close_stdin, place.exec) == BO_OK, "exec_close_stdin() failed: %s", place.error.text);
  must_exit(&place, 0);
  end(&place);
  close_place(&place);
}

static int start_with(struct place *place, const char *template_json) {
  struct bo_workload_spec spec = {.header = BO_HEADER(struct bo_workload_spec),
                                  .namespace_name = "default",
                                  .name = "conformance-2",
                                  .uid = "5d7a6f1e-0000-4000-8000-000000000001",
                                  .template_json = template_json};
  void *workload = NULL;
  int result = CALL(place, workload_start, place->session.instance, &spec, &workload);
  if (result == BO_OK) place->operations->workload_close(workload);
  return result;
}

static void cancelled_start(struct conf *conf) {
  struct place place;
  open_place(&place, conf);
  const char *template_json = place.session.template_json == NULL ? "{}" : place.session.template_json;
  place.operations->cancel(place.session.instance);
  CONF_HOLDS(start_with(&place, template_json) != BO_OK, "after cancel(), a workload is started");
  CONF_HOLDS(place.error.error_class == BO_CLASS_CANCELLED,
             "after cancel(), workload_start() fails with the class %d, not cancelled: %s", place.error.error_class,
             place.error.text);
  close_place(&place);
}

static void bad_template(struct conf *conf) {
  static const char *const templates[] = {"{\"spec\":", "[]", "nonsense"};
  struct place place;
  open_place(&place, conf);
  for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++)
    CONF_HOLDS(start_with(&place, templates[i]) != BO_OK, "a workload is started from the template %s", templates[i]);
  close_place(&place);
}

const struct conf_rule conf_platform_rules[] = {
    {.id = "PLA-001",
     .kinds = CONF_PLATFORM,
     .after = "LIF-001",
     .sentence = "All that a backup's command writes to stdout is read, byte for byte, and then the end.",
     .why = "It is the backup.",
     .mend = "Move bytes, not text; the end comes only when the pipe or stream ended, not when the command did.",
     .run = stdout_is_whole},
    {.id = "PLA-002",
     .kinds = CONF_PLATFORM,
     .after = "LIF-001",
     .sentence = "How a command ended is received: its exit status, or the signal.",
     .why = "A dump that ends with status 1 is not a backup, however good its bytes look.",
     .mend = "Fill struct bo_exit from what was really received; never assume 0.",
     .run = exits_are_received},
    {.id = "PLA-003",
     .kinds = CONF_PLATFORM,
     .after = "LIF-001",
     .sentence = "All of stderr comes, in order, also what is written just before the end.",
     .why = "The last lines of stderr say why a backup failed.",
     .mend = "Go on reading stderr to its end after the exit.",
     .run = stderr_is_whole},
    {.id = "PLA-004",
     .kinds = CONF_PLATFORM,
     .after = "LIF-001",
     .sentence = "A restore's command reads all that was written, byte for byte, and the end of its stdin.",
     .why = "It is the restore.",
     .mend = "Repeat a write that took a part; end stdin in exec_close_stdin, after the last byte.",
     .run = stdin_is_whole},
    {.id = "PLA-005",
     .kinds = CONF_PLATFORM,
     .after = "LIF-001",
     .sentence = "workload_stop does not end a restore's stdin before its command is gone.",
     .why = "A database client takes the end of its input for the end of the dump, and commits half of it.",
     .mend = "Kill first; close the write end of stdin when nothing runs any more.",
     .run = stop_does_not_end_stdin},
    {.id = "PLA-006",
     .kinds = CONF_PLATFORM,
     .after = "LIF-004",
     .sentence = "close does not end a restore's stdin before its command is gone.",
     .why = "It is how a run ends when all else has failed: the same danger as in workload_stop.",
     .mend = "Let close stop each workload before it closes any descriptor.",
     .run = close_does_not_end_stdin},
    {.id = "PLA-007",
     .kinds = CONF_PLATFORM,
     .after = "LIF-001",
     .sentence = "exec_cancel from another thread ends a read that waits, with the class cancelled.",
     .why = "A command may write nothing for hours; cancelling must not wait for it.",
     .mend = "Wait for the data and for an eventfd that exec_cancel writes to.",
     .run = cancel_ends_a_read},
    {.id = "PLA-008",
     .kinds = CONF_PLATFORM,
     .after = "LIF-001",
     .sentence = "workload_stop ends a command that ignores SIGTERM, after the grace time, and can be repeated.",
     .why = "What still runs may still write to the database.",
     .mend = "SIGKILL after the grace; return when everything is reaped, and say ENDED from then on.",
     .run = stop_ends_everything},
    {.id = "PLA-009",
     .kinds = CONF_PLATFORM,
     .after = "LIF-001",
     .sentence = "A write to a command that no longer reads fails soon.",
     .why = "A restore into a command that has died must not seem to go on, nor hang.",
     .mend = "Notice the end of the reader (EPIPE, a closed stream) while you wait for room.",
     .run = write_to_nobody},
    {.id = "PLA-010",
     .kinds = CONF_PLATFORM,
     .after = "LIF-001",
     .sentence = "When the command has ended but something it left behind keeps stdout open, read fails, and soon.",
     .why = "Nobody knows whether all of the dump has come; waiting for it may be for ever.",
     .mend = "After the exit, wait for stdout's end for a short time only, and fail then.",
     .run = leftover_stdout},
    {.id = "PLA-011",
     .kinds = CONF_PLATFORM,
     .after = "PLA-001",
     .sentence = "A backup's command finds its stdin empty and at its end.",
     .why = "A command that asks for a password would wait for ever, or read somebody else's input.",
     .mend = "Give it /dev/null.",
     .run = backup_stdin_is_empty},
    {.id = "PLA-012",
     .kinds = CONF_PLATFORM,
     .after = "PLA-002",
     .sentence = "A restore's command may write as much as it likes to stdout.",
     .why = "psql answers each statement; with a full pipe it would stop reading, and the restore would hang.",
     .mend = "Read stdout and drop it, all the time.",
     .run = restore_stdout_is_drained},
    {.id = "PLA-013",
     .kinds = CONF_PLATFORM,
     .after = "LIF-001",
     .sentence = "After cancel no workload is started, and the class is cancelled.",
     .why = "Pods take minutes to start; who cancels does not want to wait for that.",
     .mend = "Look at a flag that cancel sets, before and while workload_start waits.",
     .run = cancelled_start},
    {.id = "PLA-014",
     .kinds = CONF_PLATFORM,
     .after = "LIF-001",
     .sentence = "A template that is not a JSON object is refused.",
     .why = "Starting without what the user asked for (an image, a secret, a limit) is worse than not to start.",
     .mend = "Parse all of the template first, and fail with BO_CLASS_CONFIG.",
     .run = bad_template},
    {.id = NULL},
};
