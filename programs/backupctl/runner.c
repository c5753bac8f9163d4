/*
 * Owns a runner: starts backup-runner, answers its question before a commit, shows progress, and ends it on Ctrl-C.
 *
 * A runner that dies without a last word is this file's business too. If it had been allowed to commit, the storage is
 * asked whether the object is there; if not, the put that it had opened is discarded by another runner. Only then is
 * there a result.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/io.h"
#include "programs/backupctl/ctl.h"

#define MAX_LINE_BYTES ((size_t)1024 * 1024)
/* After Ctrl-C: how long a runner may take to put things away before it is ended by force. */
#define CANCEL_MS 30000

struct session {
  const struct ctl_options *options;
  const cJSON *spec;
  const struct ctl_runner_hooks *hooks;
  struct ctl_runner_result *out;
  struct ctl_progress progress;
  pid_t pid;
  int control_fd; /* to the runner's spec descriptor */
  int lines_fd;   /* from its stdout */
  int signal_fd;
  bool commit_granted;
  uint64_t kill_ms; /* 0: not yet asked to end */
};

/* ---- where the runner is ---- */

static int own_folder(struct bo_buffer *folder, struct bo_error *error) {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
  if (length < 0) return bo_error_errno(error, errno, "/proc/self/exe");
  path[length] = '\0';
  *strrchr(path, '/') = '\0';
  return bo_buffer_append_text(folder, path) ? BO_OK : bo_error_no_memory(error);
}

int ctl_runner_path(struct bo_buffer *path, struct bo_error *error) {
  int result = own_folder(path, error);
  if (result != BO_OK) return result;
  (void)bo_buffer_append_text(path, "/backup-runner");
  if (access(bo_buffer_text(path), X_OK) == 0) return BO_OK;
  return bo_error_errno(error, errno, "%s (it belongs beside backupctl)", bo_buffer_text(path));
}

void ctl_use_own_plugins(void) {
  BO_CLEANUP_BUFFER struct bo_buffer folder = BO_BUFFER_INIT;
  if (getenv("BACKUP_PLUGIN_PATH") != NULL || own_folder(&folder, NULL) != BO_OK) return;
  if (bo_buffer_append_text(&folder, "/../plugins") && access(bo_buffer_text(&folder), X_OK) == 0)
    (void)setenv("BACKUP_PLUGIN_PATH", bo_buffer_text(&folder), 0);
}

/* ---- starting ---- */

static int make_pipe(int ends[2], struct bo_error *error) {
  return pipe2(ends, O_CLOEXEC) == 0 ? BO_OK : bo_error_errno(error, errno, "pipe");
}

/* Starts `argv` with the given descriptors as 0, 1, 3 and 4 (-1: none). In a process group of its own, so that Ctrl-C
 * reaches only us; with every signal at its default and none blocked. */
static int spawn(char *const *argv, int in_fd, int out_fd, int data_in_fd, int data_out_fd, pid_t *pid,
                 struct bo_error *error) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t all;
  sigset_t none;
  (void)sigfillset(&all);
  (void)sigemptyset(&none);
  (void)posix_spawn_file_actions_init(&actions);
  (void)posix_spawnattr_init(&attributes);
  (void)posix_spawn_file_actions_adddup2(&actions, in_fd, 0);
  (void)posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
  if (data_in_fd >= 0) (void)posix_spawn_file_actions_adddup2(&actions, data_in_fd, 3);
  if (data_out_fd >= 0) (void)posix_spawn_file_actions_adddup2(&actions, data_out_fd, 4);
  (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  (void)posix_spawnattr_setpgroup(&attributes, 0);
  (void)posix_spawnattr_setsigdefault(&attributes, &all);
  (void)posix_spawnattr_setsigmask(&attributes, &none);
  int code = posix_spawn(pid, argv[0], &actions, &attributes, argv, environ);
  (void)posix_spawnattr_destroy(&attributes);
  (void)posix_spawn_file_actions_destroy(&actions);
  return code == 0 ? BO_OK : bo_error_errno(error, code, "starting %s", argv[0]);
}

/* Moves a descriptor out of the way of the numbers that the child's take. */
static int above_the_child(int fd) {
  return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

static int start(struct session *session, int input_fd, int output_fd, struct bo_error *error) {
  BO_CLEANUP_BUFFER struct bo_buffer path = BO_BUFFER_INIT;
  int result = ctl_runner_path(&path, error);
  if (result != BO_OK) return result;
  int control[2];
  int lines[2];
  if (make_pipe(control, error) != BO_OK) return BO_ERROR;
  if (make_pipe(lines, error) != BO_OK) {
    (void)close(control[0]);
    (void)close(control[1]);
    return BO_ERROR;
  }
  char option[] = "--log-level";
  char level[] = "debug";
  if (!session->options->verbose) (void)snprintf(level, sizeof(level), "info");
  char *argv[] = {path.bytes, option, level, NULL};
  BO_CLEANUP_FD int control_in = above_the_child(control[0]);
  BO_CLEANUP_FD int lines_out = above_the_child(lines[1]);
  BO_CLEANUP_FD int data_in = above_the_child(input_fd);
  BO_CLEANUP_FD int data_out = above_the_child(output_fd);
  if (control_in < 0 || lines_out < 0 || (input_fd >= 0 && data_in < 0) || (output_fd >= 0 && data_out < 0))
    result = bo_error_errno(error, errno, "the descriptors of a runner");
  else
    result = spawn(argv, control_in, lines_out, data_in, data_out, &session->pid, error);
  (void)close(control[0]);
  (void)close(lines[1]);
  session->control_fd = control[1];
  session->lines_fd = lines[0];
  return result;
}

/* The spec's text is wiped: it holds secrets. A runner that dies while reading it shows at the end of its pipe. */
static int send_spec(struct session *session, struct bo_error *error) {
  char *text = cJSON_PrintUnformatted(session->spec);
  if (text == NULL) return bo_error_no_memory(error);
  size_t size = strlen(text);
  text[size] = '\n';
  (void)bo_write_all(session->control_fd, text, size + 1, NULL);
  text[size] = '\0';
  cJSON_free(text);
  return BO_OK;
}

static void send_line(const struct session *session, const char *line) {
  (void)bo_write_all(session->control_fd, line, strlen(line), NULL);
}

/* ---- its lines ---- */

static void show_log(struct session *session, const cJSON *line) {
  const char *level = ctl_text(line, "level");
  bool warning = strcmp(level, "warning") == 0 || strcmp(level, "error") == 0;
  if (!session->options->verbose && !warning) return;
  ctl_progress_end(&session->progress);
  (void)fprintf(stderr, "backupctl: %s: %s: %s\n", level, ctl_text(line, "source"), ctl_text(line, "text"));
}

static void answer_commit(struct session *session, cJSON *line) {
  bool granted = session->kill_ms == 0;
  if (granted && session->hooks != NULL && session->hooks->commit != NULL)
    granted = session->hooks->commit(session->hooks->context, line);
  session->commit_granted = granted;
  cJSON_Delete(session->out->commit);
  session->out->commit = cJSON_Duplicate(line, 1);
  send_line(session,
            granted ? "{\"type\":\"commit\",\"granted\":true}\n" : "{\"type\":\"commit\",\"granted\":false}\n");
}

static void handle_line(struct session *session, const char *text, size_t size) {
  cJSON *line = cJSON_ParseWithLength(text, size);
  const char *type = ctl_text(line, "type");
  const struct ctl_runner_hooks *hooks = session->hooks;
  if (strcmp(type, "progress") == 0) {
    ctl_progress_update(&session->progress, (uint64_t)ctl_number(line, "plainBytes"),
                        (uint64_t)ctl_number(line, "storedBytes"));
  } else if (strcmp(type, "log") == 0) {
    show_log(session, line);
  } else if (strcmp(type, "token") == 0) {
    bo_buffer_clear(&session->out->token);
    (void)bo_buffer_append_text(&session->out->token, ctl_text(line, "token"));
    if (hooks != NULL && hooks->token != NULL && !hooks->token(hooks->context, ctl_text(line, "token")))
      send_line(session, "{\"type\":\"cancel\",\"reason\":\"the run's state could not be saved\"}\n");
  } else if (strcmp(type, "commit") == 0) {
    answer_commit(session, line);
  } else if (strcmp(type, "object") == 0 && hooks != NULL && hooks->object != NULL) {
    hooks->object(hooks->context, line);
  } else if (strcmp(type, "more") == 0 && hooks != NULL && hooks->more != NULL) {
    hooks->more(hooks->context);
  } else if (strcmp(type, "result") == 0) {
    cJSON_Delete(session->out->result);
    session->out->result = line;
    line = NULL;
  }
  cJSON_Delete(line);
}

/* Reads what is there; false at the end. */
static bool read_lines(struct session *session, struct bo_buffer *input) {
  if (input->size > MAX_LINE_BYTES || !bo_buffer_reserve(input, 65536)) return false;
  ssize_t got = read(session->lines_fd, input->bytes + input->size, 65536);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (got <= 0) return false;
  input->size += (size_t)got;
  char *begin = input->bytes;
  char *end = input->bytes + input->size;
  for (char *newline = NULL; (newline = memchr(begin, '\n', (size_t)(end - begin))) != NULL; begin = newline + 1)
    if (newline > begin) handle_line(session, begin, (size_t)(newline - begin));
  input->size = (size_t)(end - begin);
  memmove(input->bytes, begin, input->size);
  return true;
}

/* ---- watching ---- */

static void handle_signal(struct session *session) {
  struct signalfd_siginfo info;
  if (read(session->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) return;
  session->out->interrupted = true;
  if (session->kill_ms != 0) {
    (void)kill(session->pid, SIGKILL); /* the second time: at once */
    return;
  }
  ctl_progress_end(&session->progress);
  if (!session->options->quiet)
    (void)fputs("backupctl: interrupted: ending the run and putting things away (again: by force)\n", stderr);
  send_line(session, "{\"type\":\"cancel\",\"reason\":\"interrupted\"}\n");
  session->kill_ms = bo_monotonic_ms() + CANCEL_MS;
}

static void watch(struct session *session) {
  BO_CLEANUP_BUFFER struct bo_buffer input = BO_BUFFER_INIT;
  struct pollfd fds[2] = {{.fd = session->lines_fd, .events = POLLIN}, {.fd = session->signal_fd, .events = POLLIN}};
  for (;;) {
    int ready = poll(fds, 2, session->kill_ms == 0 ? -1 : 500);
    if (ready < 0 && errno != EINTR) return;
    if (session->kill_ms != 0 && bo_monotonic_ms() > session->kill_ms) (void)kill(session->pid, SIGKILL);
    if (ready <= 0) continue;
    if (fds[1].revents != 0) handle_signal(session);
    if (fds[0].revents != 0 && !read_lines(session, &input)) return;
  }
}

/* ---- a runner that died ---- */

static cJSON *made_up_result(const struct session *session, const char *error_class, const char *message) {
  cJSON *json = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(json, "type", "result");
  (void)cJSON_AddStringToObject(json, "operation", ctl_text(session->spec, "operation"));
  (void)cJSON_AddStringToObject(json, "state", "failed");
  (void)cJSON_AddStringToObject(json, "stage", "runner");
  (void)cJSON_AddStringToObject(json, "class", error_class);
  (void)cJSON_AddStringToObject(json, "message", message);
  if (ctl_text(session->spec, "key")[0] != '\0')
    (void)cJSON_AddStringToObject(json, "key", ctl_text(session->spec, "key"));
  return json;
}

/* Asks the storage one thing about the spec's key, with a runner of its own. */
static cJSON *ask_storage(const struct ctl_options *options, const cJSON *about, const char *operation,
                          const char *token) {
  static const char *const members[] = {"run", "storage", "key", "limits"};
  struct bo_error error = BO_ERROR_INIT;
  cJSON *spec = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(spec, "operation", operation);
  for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
    ctl_copy_member(spec, about, members[i]);
  if (token != NULL) (void)cJSON_AddStringToObject(spec, "token", token);
  struct ctl_runner_result answer = {.result = NULL};
  cJSON *result = NULL;
  if (ctl_runner_run(options, spec, -1, -1, NULL, &answer, &error) == BO_OK) {
    result = answer.result;
    answer.result = NULL;
  }
  ctl_runner_result_free(&answer);
  cJSON_Delete(spec);
  return result;
}

/* This very attempt's object, as long as it was to be? */
static bool is_of_put(const cJSON *object, const cJSON *spec, double stored_bytes) {
  const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
  const cJSON *run = cJSON_GetObjectItemCaseSensitive(spec, "run");
  double attempt = cJSON_HasObjectItem(run, "attempt") ? ctl_number(run, "attempt") : 1;
  char text[32];
  (void)snprintf(text, sizeof(text), "%.0f", attempt);
  return strcmp(ctl_text(metadata, "run-uid"), ctl_text(run, "uid")) == 0 &&
         strcmp(ctl_text(metadata, "run-attempt"), text) == 0 && ctl_number(object, "sizeBytes") == stored_bytes;
}

static enum ctl_finding look_for_object(const struct ctl_options *options, const cJSON *spec, double stored_bytes,
                                        struct bo_error *why) {
  cJSON *stat = ask_storage(options, spec, "stat", NULL);
  enum ctl_finding finding = CTL_FOUND_NO_ANSWER;
  if (ctl_succeeded(stat))
    finding = is_of_put(cJSON_GetObjectItemCaseSensitive(stat, "object"), spec, stored_bytes) ? CTL_FOUND_OURS
                                                                                              : CTL_FOUND_NONE;
  else if (strcmp(ctl_text(stat, "class"), "not-found") == 0)
    finding = CTL_FOUND_NONE;
  else
    (void)bo_error_set(why, BO_CLASS_UNDECIDED, 0, "%s", ctl_text(stat, "message"));
  cJSON_Delete(stat);
  return finding;
}

/* Nothing is believed to be there before the put is ended for good: a commit that was under way may come to its end
 * meanwhile. */
enum ctl_finding ctl_find_put(const struct ctl_options *options, const cJSON *spec, const char *token,
                              double stored_bytes, struct bo_error *why) {
  bool granted = stored_bytes >= 0;
  enum ctl_finding finding = granted ? look_for_object(options, spec, stored_bytes, why) : CTL_FOUND_NONE;
  if (finding == CTL_FOUND_OURS || token == NULL) return finding;
  cJSON *discarded = ask_storage(options, spec, "discard", token);
  bool ended = ctl_succeeded(discarded);
  if (granted) finding = look_for_object(options, spec, stored_bytes, why);
  if (!ended && finding == CTL_FOUND_NONE) {
    finding = CTL_FOUND_NO_ANSWER;
    (void)bo_error_set(why, BO_CLASS_UNDECIDED, 0, "%s", ctl_text(discarded, "message"));
  }
  cJSON_Delete(discarded);
  return finding;
}

/* The object was found: the result is made a success, with the sums that the runner had asked to commit. */
static void note_success(const struct session *session) {
  cJSON *result = session->out->result;
  static const char *const of_failure[] = {"class", "message", "stage", "pendingToken", "code", "providerCode"};
  for (size_t i = 0; i < sizeof(of_failure) / sizeof(of_failure[0]); i++)
    cJSON_DeleteItemFromObjectCaseSensitive(result, of_failure[i]);
  (void)cJSON_ReplaceItemInObjectCaseSensitive(result, "state", cJSON_CreateString("successful"));
  (void)cJSON_AddStringToObject(result, "proof", "stat");
  const cJSON *sum = NULL;
  cJSON_ArrayForEach(sum, session->out->commit) {
    if (cJSON_GetObjectItemCaseSensitive(result, sum->string) == NULL)
      (void)cJSON_AddItemToObject(result, sum->string, cJSON_Duplicate(sum, 1));
  }
}

/* What a dead runner, or one that gave up on a put, may have left is looked for and undone. */
static void settle(struct session *session) {
  if (session->out->result == NULL)
    session->out->result = made_up_result(session, "internal", "");
  else if (ctl_text(session->out->result, "pendingToken")[0] == '\0')
    return;
  if (session->out->token.size == 0) return;
  double stored_bytes = session->commit_granted ? ctl_number(session->out->commit, "storedBytes") : -1;
  enum ctl_finding finding =
      ctl_find_put(session->options, session->spec, bo_buffer_text(&session->out->token), stored_bytes, NULL);
  if (finding == CTL_FOUND_OURS) {
    note_success(session);
  } else if (finding == CTL_FOUND_NO_ANSWER) {
    cJSON_DeleteItemFromObjectCaseSensitive(session->out->result, "class");
    (void)cJSON_AddStringToObject(session->out->result, "class", "undecided");
  }
}

/* Says how it died, in the result that was made up for it. */
static void explain_death(struct session *session, int status) {
  cJSON *result = session->out->result;
  if (ctl_succeeded(result) || ctl_text(result, "message")[0] != '\0') return;
  bool undecided = strcmp(ctl_text(result, "class"), "undecided") == 0;
  char text[400];
  if (session->out->interrupted) {
    (void)snprintf(text, sizeof(text), "interrupted, and ended by force%s",
                   undecided ? "; whether something of it remains in the storage could not be found out" : "");
  } else if (WIFSIGNALED(status)) {
    (void)snprintf(text, sizeof(text), "backup-runner was ended by signal %d (%s): %s%s", WTERMSIG(status),
                   sigabbrev_np(WTERMSIG(status)) == NULL ? "?" : sigabbrev_np(WTERMSIG(status)),
                   WTERMSIG(status) == SIGKILL   ? "killed from outside, or out of memory"
                   : WTERMSIG(status) == SIGALRM ? "a plugin's call did not come back"
                                                 : "a plugin or the runner itself has crashed",
                   undecided ? "; whether something of it remains in the storage could not be found out" : "");
  } else {
    (void)snprintf(text, sizeof(text), "backup-runner ended with status %d and no result", WEXITSTATUS(status));
  }
  cJSON_DeleteItemFromObjectCaseSensitive(result, "message");
  (void)cJSON_AddStringToObject(result, "message", text);
}

int ctl_runner_run(const struct ctl_options *options, const cJSON *spec, int input_fd, int output_fd,
                   const struct ctl_runner_hooks *hooks, struct ctl_runner_result *result, struct bo_error *error) {
  *result = (struct ctl_runner_result){.result = NULL};
  struct session session = {
      .options = options, .spec = spec, .hooks = hooks, .out = result, .control_fd = -1, .lines_fd = -1};
  sigset_t signals;
  sigset_t old;
  (void)sigemptyset(&signals);
  (void)sigaddset(&signals, SIGINT);
  (void)sigaddset(&signals, SIGTERM);
  (void)sigaddset(&signals, SIGHUP);
  (void)sigprocmask(SIG_BLOCK, &signals, &old);
  (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  size_t orphans_before = ctl_orphans_before();
  BO_CLEANUP_FD int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  session.signal_fd = signal_fd;
  if (start(&session, input_fd, output_fd, error) != BO_OK) {
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    return BO_ERROR;
  }
  ctl_progress_begin(&session.progress, options, ctl_text(spec, "operation"),
                     ctl_number(cJSON_GetObjectItemCaseSensitive(spec, "expect"), "storedBytes"));
  int sent = send_spec(&session, error);
  if (sent == BO_OK) watch(&session);
  ctl_progress_end(&session.progress);
  (void)close(session.control_fd);
  (void)close(session.lines_fd);
  int status = 0;
  while (waitpid(session.pid, &status, 0) < 0 && errno == EINTR) {
  }
  ctl_orphans_wait(orphans_before);
  if (sent == BO_OK) {
    settle(&session);
    explain_death(&session, status);
  }
  (void)sigprocmask(SIG_SETMASK, &old, NULL);
  return sent;
}

void ctl_runner_result_free(struct ctl_runner_result *result) {
  cJSON_Delete(result->result);
  cJSON_Delete(result->commit);
  bo_buffer_free(&result->token);
  *result = (struct ctl_runner_result){.result = NULL};
}

/* ---- describe ---- */

int ctl_describe(const char *file, cJSON **json, struct bo_error *error) {
  *json = NULL;
  BO_CLEANUP_BUFFER struct bo_buffer path = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  int result = ctl_runner_path(&path, error);
  if (result != BO_OK) return result;
  int lines[2];
  if (make_pipe(lines, error) != BO_OK) return BO_ERROR;
  BO_CLEANUP_FD int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int out_fd = above_the_child(lines[1]);
  (void)close(lines[1]);
  BO_CLEANUP_FD int in_fd = above_the_child(null_fd);
  BO_CLEANUP_FREE char *plugin = strdup(file);
  char option[] = "--describe";
  char *argv[] = {path.bytes, option, plugin, NULL};
  pid_t pid = 0;
  result = plugin == NULL ? bo_error_no_memory(error) : spawn(argv, in_fd, out_fd, -1, -1, &pid, error);
  (void)close(out_fd); /* the child's is then the last */
  int status = 0;
  if (result == BO_OK) {
    result = bo_read_to_end(lines[0], MAX_LINE_BYTES, &text, error);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
  (void)close(lines[0]);
  if (result != BO_OK) return result;
  if (WIFSIGNALED(status))
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "%s: the plugin %s when it was loaded (signal %d)", file,
                        WTERMSIG(status) == SIGALRM ? "hung" : "crashed", WTERMSIG(status));
  *json = cJSON_Parse(bo_buffer_text(&text));
  if (WEXITSTATUS(status) == 0 && cJSON_IsObject(*json)) return BO_OK;
  cJSON_Delete(*json);
  *json = NULL;
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s: it cannot be used (see above)", file);
}
