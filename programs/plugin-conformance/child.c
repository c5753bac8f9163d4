/* child.c - starting a rule's process, waiting for it, and what happens inside of it. */
#include "programs/plugin-conformance/child.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "programs/plugin-conformance/session.h"

#define PAGE_FD 3
#define ADDRESS_SPACE_BYTES (UINT64_C(6) << 30)
#define OUTPUT_SHOWN_BYTES 600

struct conf_page {
  int verdict;
  int kind;
  char about[160];
  char at[64]; /* the plugin's function that runs */
  char folder[PATH_MAX];
  char text[2048];
};

/* In the child, which runs one rule and no other, the page of that rule. */
static struct conf_page *own_page;

/* ---- verdicts ---- */

static _Noreturn void BO_PRINTF(2, 0) conclude(int verdict, const char *format, va_list args) {
  if (own_page->verdict == CONF_NONE) { /* a process that the rule started may have been first */
    (void)vsnprintf(own_page->text, sizeof(own_page->text), format, args);
    own_page->verdict = verdict;
  }
  _exit(0);
}

void conf_broken(const char *format, ...) {
  va_list args;
  va_start(args, format);
  conclude(CONF_BROKEN, format, args);
}

void conf_skip(const char *format, ...) {
  va_list args;
  va_start(args, format);
  conclude(CONF_SKIPPED, format, args);
}

void conf_at(const char *function) {
  (void)snprintf(own_page->at, sizeof(own_page->at), "%s", function == NULL ? "" : function);
}

/* ---- inside ---- */

static void protect(void) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  if (!CONF_SANITIZED) (void)setrlimit(RLIMIT_AS, &(struct rlimit){ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES});
  (void)signal(SIGPIPE, SIG_IGN);
  (void)signal(SIGXFSZ, SIG_IGN);
}

static void introduce(const struct bo_plugin *descriptor) {
  own_page->kind = descriptor->kind;
  (void)snprintf(own_page->about, sizeof(own_page->about), "%s-%s %.80s", bo_kind_name(descriptor->kind),
                 descriptor->name, descriptor->version);
}

int conf_child_main(const char *id, const struct conf_settings *settings) {
  own_page = mmap(NULL, sizeof(*own_page), PROT_READ | PROT_WRITE, MAP_SHARED, PAGE_FD, 0);
  if (own_page == MAP_FAILED) return 2;
  (void)close(PAGE_FD);
  protect();
  struct conf conf = {.rule = strcmp(id, CONF_PREFLIGHT) == 0 ? &conf_preflight : conf_rule_find(id),
                      .settings = settings};
  if (conf.rule == NULL) return 2;
  memcpy(conf.folder, own_page->folder, sizeof(conf.folder));
  (void)snprintf(conf.prefix, sizeof(conf.prefix), "conformance-%d/%s/", (int)getpid(), id);
  struct bo_error error = BO_ERROR_INIT;
  if (!conf.rule->alone && bo_plugin_load(settings->file, 0, NULL, NULL, &conf.plugin, &error) != BO_OK)
    conf_skip("%s", error.text);
  if (conf.plugin != NULL) introduce(&conf.plugin->descriptor);
  conf.rule->run(&conf);
  if (conf.plugin != NULL) bo_plugin_unload(conf.plugin);
  if (own_page->verdict == CONF_NONE) own_page->verdict = CONF_HELD;
  return 0;
}

/* ---- the question before the rules ---- */

/* A configuration that is not enough is the user's business, not the plugin's fault. */
static void ask_for_instance(struct conf *conf) {
  struct conf_session session;
  conf_session_open(&session, conf, NULL);
  int kind = conf->plugin->descriptor.kind;
  bool both = kind == BO_KIND_COMPRESS || kind == BO_KIND_CRYPT;
  struct bo_error *error = &session.error;
  int result = conf_session_step(&session);
  if (result == BO_OK && both) {
    conf_codec_close(&session.codec);
    result = conf_codec_open(&session.codec, conf, &session.host.table, BO_DECODE, &session.config.table);
    error = &session.codec.error;
  }
  if (result != BO_OK && error->error_class == BO_CLASS_CONFIG) conf_skip("%s", error->text);
  conf_session_close(&session);
}

const struct conf_rule conf_preflight = {.id = CONF_PREFLIGHT, .kinds = CONF_ANY, .run = ask_for_instance};

/* ---- outside: start ---- */

static _Noreturn void execute(const char *id, int page, int output, char **argv) {
  size_t count = 0;
  while (argv[count] != NULL)
    count++;
  static char option[] = "--rule";
  char **own = calloc(count + 3, sizeof(*own));
  int null = open("/dev/null", O_RDONLY);
  if (own == NULL || null < 0) _exit(2);
  own[0] = argv[0];
  own[1] = option;
  own[2] = (char *)id;
  memcpy(own + 3, argv + 1, (count - 1) * sizeof(*own));
  (void)setpgid(0, 0);
  if (dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 || dup2(page, PAGE_FD) < 0) _exit(2);
  (void)close_range(PAGE_FD + 1, ~0U, 0);
  (void)execv("/proc/self/exe", own);
  _exit(2);
}

static int make_file(const char *name, size_t size) {
  /* Above those that the child gets, so that no dup2 there closes what the next one needs. */
  int low = memfd_create(name, MFD_CLOEXEC);
  int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 10);
  if (low >= 0) (void)close(low);
  if (fd >= 0 && ftruncate(fd, (off_t)size) == 0) return fd;
  if (fd >= 0) (void)close(fd);
  return -1;
}

int conf_child_start(struct conf_child *child, const struct conf_rule *rule, char **argv, struct bo_error *error) {
  BO_CLEANUP_FD int page = make_file("page", sizeof(struct conf_page));
  *child = (struct conf_child){
      .rule = rule, .ended_fd = -1, .output = make_file("output", 0), .began_ms = bo_monotonic_ms()};
  if (page < 0 || child->output < 0) return bo_error_errno(error, errno, "making the files of a rule");
  child->page = mmap(NULL, sizeof(*child->page), PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
  if (child->page == MAP_FAILED) return bo_error_errno(error, errno, "making the page of a rule");
  const char *parent = getenv("TMPDIR");
  (void)snprintf(child->page->folder, sizeof(child->page->folder), "%s/plugin-conformance-XXXXXX",
                 parent != NULL && *parent == '/' ? parent : "/tmp");
  if (mkdtemp(child->page->folder) == NULL) return bo_error_errno(error, errno, "making the folder of a rule");
  child->pid = fork();
  if (child->pid < 0) return bo_error_errno(error, errno, "starting a rule");
  if (child->pid == 0) execute(rule->id, page, child->output, argv);
  child->ended_fd = pidfd_open(child->pid, 0);
  return child->ended_fd >= 0 ? BO_OK : bo_error_errno(error, errno, "watching a rule");
}

/* ---- outside: the end ---- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at) {
  (void)status, (void)at;
  if (type == FTW_DNR) (void)chmod(path, 0700);
  (void)remove(path);
  return 0;
}

/* The first lines of what it wrote, which is where sanitizers say what they found. */
static void add_output(const struct conf_child *child, struct bo_buffer *text) {
  char bytes[OUTPUT_SHOWN_BYTES];
  ssize_t size = pread(child->output, bytes, sizeof(bytes), 0);
  if (size <= 0) return;
  (void)bo_buffer_append_text(text, ". It wrote: ");
  (void)bo_append_printable(text, bytes, (size_t)size);
}

static void explain_end(const struct conf_child *child, int status, bool late, unsigned timeout_s,
                        struct bo_buffer *text) {
  const struct conf_page *page = child->page;
  if (late)
    (void)bo_buffer_printf(text, "it did not end within %u s", timeout_s);
  else if (WIFSIGNALED(status))
    (void)bo_buffer_printf(text, "the process died of signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
  else
    (void)bo_buffer_printf(text, "the process ended by itself with status %d", WEXITSTATUS(status));
  if (page->at[0] != '\0') (void)bo_buffer_printf(text, ", in %.63s()", page->at);
  add_output(child, text);
}

void conf_child_finish(struct conf_child *child, bool late, unsigned timeout_s, struct conf_outcome *outcome) {
  int status = 0;
  if (late) (void)kill(child->pid, SIGKILL);
  while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
  }
  (void)kill(-child->pid, SIGKILL); /* what is left of its group */
  outcome->took_ms = bo_monotonic_ms() - child->began_ms;
  outcome->verdict = child->page->verdict;
  outcome->kind = child->page->kind;
  (void)snprintf(outcome->about, sizeof(outcome->about), "%.*s", (int)sizeof(outcome->about) - 1, child->page->about);
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  bool orderly = !late && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (orderly && outcome->verdict >= CONF_HELD && outcome->verdict <= CONF_SKIPPED) {
    child->page->text[sizeof(child->page->text) - 1] = '\0';
    (void)bo_append_printable(&text, child->page->text, strlen(child->page->text));
  } else {
    outcome->verdict = CONF_BROKEN;
    explain_end(child, status, late, timeout_s, &text);
  }
  (void)snprintf(outcome->text, sizeof(outcome->text), "%s", bo_buffer_text(&text));
  (void)nftw(child->page->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  (void)munmap(child->page, sizeof(*child->page));
  (void)close(child->output);
  (void)close(child->ended_fd);
}
