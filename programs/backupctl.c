/* backupctl - backs up what a command prints, and gives it back. Options and help; backupctl(1) is the manual. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "core/base/io.h"
#include "core/run/spec.h"
#include "programs/backupctl/ctl.h"

/* ---- help ---- */

static const char help_general[] =
    "backupctl backs up whatever a command prints, and gives it back to a command, proven whole.\n"
    "\n"
    "Usage: backupctl COMMAND [OPTION...]\n"
    "\n"
    "  backup     run a command and store its output            backupctl backup ... -- pg_dump shop\n"
    "  restore    read an object into a command's stdin         backupctl restore ... -- psql -1 shop\n"
    "  verify     read an object, decode it, compare with what the backup recorded\n"
    "  cat        write an object's content to stdout\n"
    "  decode     an object on stdin, its content on stdout: needs no storage and no configuration\n"
    "  list       what is in a storage\n"
    "  sweep      remove what interrupted backups have left unfinished in a storage\n"
    "  plugins    what storages, codecs and platforms there are, and their parameters\n"
    "\n"
    "With manifests (BackupRun, BackupStorage, Secret) instead of options:\n"
    "\n"
    "  backup -f FILE, restore -f FILE, verify -f FILE\n"
    "  validate   all that is wrong with manifests, with line numbers\n"
    "  status     the runs that this machine remembers\n"
    "  render     what a path template comes to\n"
    "\n"
    "`backupctl COMMAND --help` tells more. A first backup, into a folder:\n"
    "\n"
    "  backupctl backup  --storage file --param path=/var/backups --key shop.sql.gz -- pg_dump shop\n"
    "  backupctl restore --storage file --param path=/var/backups --key shop.sql.gz -- psql -1 shop\n"
    "\n"
    "Exit status: 0 success; 1 failed, and nothing was left behind; 2 asked for wrongly; 3 the data are not what was\n"
    "backed up; 4 an object may exist, but that it is whole is not proven; 130 interrupted.\n";

static const char help_storage[] =
    "Where:\n"
    "  --storage NAME            the storage plugin, such as file\n"
    "  --param NAME=VALUE        its parameters (`backupctl plugins NAME` lists them)\n"
    "  --secret-file NAME=FILE   its secrets, each from a file\n";

static const char help_decoding[] =
    "What the object is (by default known from the backup's record, or found out):\n"
    "  --compress NAME           gzip, none or auto\n"
    "  --identity FILE           an age key file or an SSH private key; may be repeated\n"
    "  --passphrase-file FILE    for objects that were encrypted with a passphrase\n";

static const char help_record[] =
    "  --state DIR               where records are (default /var/lib/backup-operator, or below $XDG_STATE_HOME or\n"
    "                            ~/.local/state for other users than root)\n"
    "  --no-record               do without one\n";

static const char help_command[] =
    "The command runs in the current folder with a clean environment; all that it starts is ended with the run:\n"
    "  --env NAME[=VALUE]        give it a variable; without =VALUE ours\n"
    "  --workdir DIR             run it there\n"
    "  --platform NAME           where commands run (default local: this machine)\n"
    "  --deadline TIME           end it after 90s, 15m, 2h ... (default 1d)\n"
    "  --grace TIME              between SIGTERM and SIGKILL at the end of everything it started (default 1s)\n";

static const char help_manifests[] =
    "Instead of all that, manifests:\n"
    "  -f FILE                   a BackupRun with its BackupStorage and Secrets; a file, a folder, or - for stdin; may "
    "be\n"
    "                            repeated. What it comes to is remembered: `backupctl status`\n"
    "  --name [NAMESPACE/]NAME   which BackupRun, where there are several\n";

static const char help_common[] =
    "  --call-timeout TIME       give up on a plugin whose call does not return (default 5m)\n"
    "  -o json                   for scripts: one JSON object on stdout\n"
    "  -q, --quiet               print errors only\n"
    "  -v, --verbose             show what plugins do\n";

/* Which options a command takes. One that it does not take is refused: `backup --passphrase-file` would store in the
 * clear what its user believes to be encrypted. */
enum group {
  FOR_STORAGE = 0x1,
  FOR_KEY = 0x2,
  FOR_ENCODING = 0x4,
  FOR_DECODING = 0x8,
  FOR_RECORD = 0x10,
  FOR_COMMAND = 0x20, /* it runs one */
  FOR_RESTORE = 0x40,
  FOR_LISTING = 0x80,
  FOR_SWEEP = 0x100,
  FOR_MANIFESTS = 0x200,
  FOR_RENDER = 0x400,
};
/* What the manifests say, where there are some. */
#define INSTEAD_OF_MANIFESTS (FOR_STORAGE | FOR_KEY | FOR_ENCODING | FOR_DECODING)

struct command {
  const char *name;
  int (*run)(const struct ctl_options *options);
  const char *synopsis;
  const char *text;
  unsigned groups;
  bool output_is_file;
  int (*run_manifests)(const struct ctl_options *options); /* when -f is given; NULL: -f has no meaning */
  bool operand;                                            /* takes one argument behind the options */
};

static const struct command commands[] = {
    {"backup", ctl_backup,
     "backupctl backup --storage NAME --param NAME=VALUE... --key KEY [OPTION...] -- COMMAND ARG...",
     "Runs the command and stores what it prints. The object appears at the key when the command has exited with\n"
     "status 0, everything is stored, and the storage agrees on its size; in any other case nothing appears.\n"
     "\n"
     "  --key KEY                 the object's name\n"
     "  --compress NAME[:LEVEL]   gzip (the default), gzip:9, none\n"
     "  --recipient RECIPIENT     encrypt to age1... or an SSH public key; may be repeated\n"
     "  --recipients-file FILE    the same, from a file with one in each line\n",
     FOR_STORAGE | FOR_KEY | FOR_ENCODING | FOR_RECORD | FOR_COMMAND | FOR_MANIFESTS, false, ctl_run_backup, false},
    {"restore", ctl_restore,
     "backupctl restore --storage NAME --param NAME=VALUE... --key KEY [OPTION...] -- COMMAND ARG...",
     "Gives an object's content to the command's stdin. Stdin is ended only when the object has been proven whole; if\n"
     "it is not, the command is killed first, so it never takes a part for the whole. Still: let it work in one\n"
     "transaction (psql -1), so that what it did before it was killed is undone.\n"
     "\n"
     "  --key KEY                 the object's name\n"
     "  --verify-first            read and prove all of it once before the command starts\n",
     FOR_STORAGE | FOR_KEY | FOR_DECODING | FOR_RECORD | FOR_COMMAND | FOR_RESTORE | FOR_MANIFESTS, false,
     ctl_run_restore, false},
    {"verify", ctl_restore, "backupctl verify --storage NAME --param NAME=VALUE... --key KEY [OPTION...]",
     "Reads an object to its end, decodes it, and compares sizes and hashes with what the backup recorded.\n"
     "\n"
     "  --key KEY                 the object's name\n",
     FOR_STORAGE | FOR_KEY | FOR_DECODING | FOR_RECORD | FOR_MANIFESTS, false, ctl_run_restore, false},
    {"cat", ctl_restore, "backupctl cat --storage NAME --param NAME=VALUE... --key KEY [OPTION...]",
     "Writes an object's content to stdout. Only exit status 0 says that it was all of it.\n"
     "\n"
     "  --key KEY                 the object's name\n"
     "  -o FILE                   write to a file, which appears only when all is proven\n",
     FOR_STORAGE | FOR_KEY | FOR_DECODING | FOR_RECORD, true, NULL, false},
    {"decode", ctl_decode, "backupctl decode [OPTION...] < OBJECT",
     "Decodes an object from stdin to stdout: for the day when there is no configuration left. Only exit status 0 "
     "says\n"
     "that it was whole.\n"
     "\n"
     "  --compression NAME        gzip, none or auto (the default); the same as --compress\n"
     "  -o FILE                   write to a file, which appears only when all is proven\n",
     FOR_DECODING, true, NULL, false},
    {"list", ctl_list, "backupctl list --storage NAME --param NAME=VALUE... [OPTION...]",
     "Lists the objects in a storage: size, time, key.\n"
     "\n"
     "  --prefix PREFIX           only keys that begin with it\n",
     FOR_STORAGE | FOR_LISTING, false, NULL, false},
    {"sweep", ctl_sweep, "backupctl sweep --storage NAME --param NAME=VALUE... [OPTION...]",
     "Removes what backups that were cut short have left unfinished. Objects are never touched.\n"
     "\n"
     "  --older-than TIME         only what began that long ago (default 1d)\n"
     "  --prefix PREFIX           only below this prefix\n",
     FOR_STORAGE | FOR_LISTING | FOR_SWEEP, false, NULL, false},
    {"plugins", ctl_plugins, "backupctl plugins [NAME] [-o json]",
     "Lists the plugins, or says all of one: what it is, and its parameters.\n", 0, false, NULL, true},
    {"validate", ctl_validate, "backupctl validate -f FILE...",
     "Reads manifests and says all that is wrong with them, each with its line. Exit status 1 when there are errors.\n",
     0, false, ctl_validate, false},
    {"status", ctl_status, "backupctl status [NAME | NAMESPACE/NAME] [-o json]",
     "Lists the runs of manifests that this machine remembers, or says all of one.\n", FOR_RECORD, false, NULL, true},
    {"render", ctl_render, "backupctl render [--data FILE.json] [--now TIME] TEMPLATE",
     "Prints what a template comes to, exactly, with no newline added.\n"
     "\n"
     "  --data FILE               the data that it sees, a JSON object: a run's .metadata and .spec\n"
     "  --now TIME                the time that `now` gives, such as 2026-11-24T18:10:27Z\n",
     FOR_RENDER, false, NULL, true},
};

static const struct command *find_command(const char *name) {
  for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  return NULL;
}

static int print_help(const struct command *command) {
  if (command == NULL) return fputs(help_general, stdout) < 0 ? CTL_FAILED : CTL_OK;
  (void)printf("Usage: %s\n\n%s", command->synopsis, command->text);
  if ((command->groups & FOR_STORAGE) != 0) (void)printf("\n%s", help_storage);
  if ((command->groups & FOR_DECODING) != 0) (void)printf("\n%s", help_decoding);
  if ((command->groups & FOR_COMMAND) != 0) (void)printf("\n%s", help_command);
  if (command->run_manifests != NULL) (void)printf("\n%s", help_manifests);
  (void)puts("\nHow:");
  if ((command->groups & FOR_RECORD) != 0) (void)fputs(help_record, stdout);
  (void)fputs(help_common, stdout);
  return fflush(stdout) != 0 ? CTL_FAILED : CTL_OK;
}

/* ---- options ---- */

enum option_id {
  OPT_STORAGE = 256,
  OPT_PARAM,
  OPT_SECRET_FILE,
  OPT_KEY,
  OPT_PREFIX,
  OPT_COMPRESS,
  OPT_RECIPIENT,
  OPT_RECIPIENTS_FILE,
  OPT_IDENTITY,
  OPT_PASSPHRASE_FILE,
  OPT_PLATFORM,
  OPT_ENV,
  OPT_WORKDIR,
  OPT_DEADLINE,
  OPT_CALL_TIMEOUT,
  OPT_GRACE,
  OPT_OLDER_THAN,
  OPT_STATE,
  OPT_NO_RECORD,
  OPT_VERIFY_FIRST,
  OPT_NAME,
  OPT_NOW,
  OPT_DATA,
  OPT_HELP
};

static const struct option option_table[] = {
    {"storage", required_argument, NULL, OPT_STORAGE},
    {"param", required_argument, NULL, OPT_PARAM},
    {"secret-file", required_argument, NULL, OPT_SECRET_FILE},
    {"key", required_argument, NULL, OPT_KEY},
    {"prefix", required_argument, NULL, OPT_PREFIX},
    {"compress", required_argument, NULL, OPT_COMPRESS},
    {"compression", required_argument, NULL, OPT_COMPRESS},
    {"recipient", required_argument, NULL, OPT_RECIPIENT},
    {"recipients-file", required_argument, NULL, OPT_RECIPIENTS_FILE},
    {"identity", required_argument, NULL, OPT_IDENTITY},
    {"passphrase-file", required_argument, NULL, OPT_PASSPHRASE_FILE},
    {"platform", required_argument, NULL, OPT_PLATFORM},
    {"env", required_argument, NULL, OPT_ENV},
    {"workdir", required_argument, NULL, OPT_WORKDIR},
    {"deadline", required_argument, NULL, OPT_DEADLINE},
    {"call-timeout", required_argument, NULL, OPT_CALL_TIMEOUT},
    {"grace", required_argument, NULL, OPT_GRACE},
    {"older-than", required_argument, NULL, OPT_OLDER_THAN},
    {"state", required_argument, NULL, OPT_STATE},
    {"no-record", no_argument, NULL, OPT_NO_RECORD},
    {"verify-first", no_argument, NULL, OPT_VERIFY_FIRST},
    {"name", required_argument, NULL, OPT_NAME},
    {"now", required_argument, NULL, OPT_NOW},
    {"data", required_argument, NULL, OPT_DATA},
    {"file", required_argument, NULL, 'f'},
    {"output", required_argument, NULL, 'o'},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static bool add(struct ctl_list *list, const char *item) {
  if (list->count == CTL_MAX_LIST) return false;
  list->items[list->count++] = item;
  return true;
}

/* -o is a file for the commands that write data, and a format for the others. */
static bool set_output(struct ctl_options *options, const struct command *command, const char *value) {
  if (command->output_is_file) {
    options->output_file = value;
    return true;
  }
  options->json = strcmp(value, "json") == 0;
  if (!options->json) (void)fprintf(stderr, "backupctl: -o %s: the only output format is json\n", value);
  return options->json;
}

/* The commands that an option is for; 0: all. */
static unsigned groups_of(int option) {
  switch (option) {
    case OPT_STORAGE:
    case OPT_PARAM:
    case OPT_SECRET_FILE: return FOR_STORAGE;
    case OPT_KEY: return FOR_KEY;
    case OPT_PREFIX: return FOR_LISTING;
    case OPT_OLDER_THAN: return FOR_SWEEP;
    case OPT_COMPRESS: return FOR_ENCODING | FOR_DECODING;
    case OPT_RECIPIENT:
    case OPT_RECIPIENTS_FILE: return FOR_ENCODING;
    case OPT_IDENTITY:
    case OPT_PASSPHRASE_FILE: return FOR_DECODING;
    case OPT_STATE:
    case OPT_NO_RECORD: return FOR_RECORD;
    case OPT_PLATFORM:
    case OPT_ENV:
    case OPT_WORKDIR: return FOR_COMMAND;
    case OPT_VERIFY_FIRST: return FOR_RESTORE;
    case OPT_NAME: return FOR_MANIFESTS;
    case OPT_NOW:
    case OPT_DATA: return FOR_RENDER;
    default: return 0;
  }
}

static const char *name_of(int option) {
  const struct option *line = option_table;
  while (line->name != NULL && line->val != option)
    line++;
  return line->name;
}

static bool takes(const struct command *command, int option) {
  unsigned groups = groups_of(option);
  if (groups == 0 || (groups & command->groups) != 0) return true;
  (void)fprintf(stderr, "backupctl: %s takes no --%s\n", command->name, name_of(option));
  return false;
}

/* What stands in the manifests must not stand on the command line, too: it would be ignored. */
static bool fits_manifests(int option) {
  bool ignored = (groups_of(option) & INSTEAD_OF_MANIFESTS) != 0 || option == OPT_NO_RECORD || option == OPT_ENV ||
                 option == OPT_WORKDIR;
  return !ignored;
}

static bool set_option(struct ctl_options *options, const struct command *command, int option, const char *value) {
  switch (option) {
    case OPT_STORAGE: options->storage = value; return true;
    case OPT_PARAM: return add(&options->params, value);
    case OPT_SECRET_FILE: return add(&options->secret_files, value);
    case OPT_KEY: options->key = value; return true;
    case OPT_PREFIX: options->prefix = value; return true;
    case OPT_COMPRESS: options->compress = value; return true;
    case OPT_RECIPIENT: return add(&options->recipients, value);
    case OPT_RECIPIENTS_FILE: return add(&options->recipient_files, value);
    case OPT_IDENTITY: return add(&options->identity_files, value);
    case OPT_PASSPHRASE_FILE: options->passphrase_file = value; return true;
    case OPT_PLATFORM: options->platform = value; return true;
    case OPT_ENV: return add(&options->env, value);
    case OPT_WORKDIR: options->workdir = value; return true;
    case OPT_DEADLINE: options->deadline = value; return true;
    case OPT_CALL_TIMEOUT: options->call_timeout = value; return true;
    case OPT_GRACE: options->grace = value; return true;
    case OPT_OLDER_THAN: options->older_than = value; return true;
    case OPT_STATE: options->state_dir = value; return true;
    case OPT_NO_RECORD: options->no_record = true; return true;
    case OPT_VERIFY_FIRST: options->verify_first = true; return true;
    case OPT_NAME: options->name = value; return true;
    case OPT_NOW: options->now = value; return true;
    case OPT_DATA: options->data_file = value; return true;
    case 'f':
      if (command->run_manifests == NULL) (void)fprintf(stderr, "backupctl: %s takes no -f\n", command->name);
      return command->run_manifests != NULL && add(&options->files, value);
    case 'o': return set_output(options, command, value);
    case 'q': options->quiet = true; return true;
    case 'v': options->verbose = true; return true;
    default: return false;
  }
}

/* Everything behind `--` is the command to run; getopt sees only what is before. */
static int split_off_command(int argc, char **argv, struct ctl_options *options) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--") != 0) continue;
    if (i + 1 < argc) options->argv = argv + i + 1;
    return i;
  }
  return argc;
}

static int usage_error(const struct command *command) {
  (void)fprintf(stderr, "backupctl: see backupctl %s%s--help\n", command == NULL ? "" : command->name,
                command == NULL ? "" : " ");
  return CTL_USAGE;
}

static int run_command(const struct command *command, int argc, char **argv) {
  struct ctl_options options = {.command = command->name};
  int count = split_off_command(argc, argv, &options);
  char **own = calloc((size_t)count + 1, sizeof(*own)); /* getopt wants a NULL at the end */
  if (own == NULL) return CTL_FAILED;
  memcpy(own, argv, (size_t)count * sizeof(*own));
  int code = CTL_OK;
  bool help = false;
  int ignored = 0; /* an option that would be, with -f */
  for (int option;
       code == CTL_OK && !help && (option = getopt_long(count, own, "f:o:qvh", option_table, NULL)) != -1;) {
    help = option == OPT_HELP || option == 'h';
    if (!help && !(takes(command, option) && set_option(&options, command, option, optarg)))
      code = usage_error(command);
    if (!fits_manifests(option)) ignored = option;
  }
  for (; code == CTL_OK && optind < count; optind++) {
    if (command->operand && options.operands.count == 0) {
      (void)add(&options.operands, own[optind]);
      continue;
    }
    (void)fprintf(stderr, "backupctl: %s: what is this for?%s\n", own[optind],
                  (command->groups & FOR_COMMAND) != 0 ? " The command to run stands behind `--`." : "");
    code = usage_error(command);
  }
  if (code == CTL_OK && options.argv != NULL && (command->groups & FOR_COMMAND) == 0) {
    (void)fprintf(stderr, "backupctl: %s runs no command\n", command->name);
    code = usage_error(command);
  }
  if (code == CTL_OK && options.files.count > 0 && (ignored != 0 || options.argv != NULL)) {
    (void)fprintf(stderr, "backupctl: with -f the manifests say what is done: there is no place for %s%s\n",
                  ignored != 0 ? "--" : "a command", ignored != 0 ? name_of(ignored) : "");
    code = usage_error(command);
  }
  if (code == CTL_OK && help)
    code = print_help(command);
  else if (code == CTL_OK)
    code = options.files.count > 0 ? command->run_manifests(&options) : command->run(&options);
  free(own);
  return code;
}

/* There are secrets in this process, so it leaves no core. */
static void forbid_core(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = 0;
  (void)setrlimit(RLIMIT_CORE, &limit);
}

int main(int argc, char **argv) {
  bo_open_standard_descriptors();
  (void)signal(SIGPIPE, SIG_IGN);
  forbid_core();
  bo_spec_use_cleansing_json();
  ctl_use_own_plugins();
  const char *name = argc > 1 ? argv[1] : "--help";
  if (strcmp(name, "--version") == 0) return puts("backupctl " BO_VERSION) < 0 ? CTL_FAILED : CTL_OK;
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
    (void)print_help(NULL);
    return argc > 1 ? CTL_OK : CTL_USAGE;
  }
  if (strcmp(name, "help") == 0) return print_help(argc > 2 ? find_command(argv[2]) : NULL);
  const struct command *command = find_command(name);
  if (command == NULL) {
    (void)fprintf(stderr, "backupctl: there is no command %s\n", name);
    return usage_error(NULL);
  }
  return run_command(command, argc - 1, argv + 1);
}
