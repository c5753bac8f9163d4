/* How a result is said, to people and to scripts, and which exit status stands for it. */
#include <inttypes.h>

#include "core/base/text.h"
#include "programs/backupctl/ctl.h"

const char *ctl_text(const cJSON *json, const char *name) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
  return text == NULL ? "" : text;
}

bool ctl_succeeded(const cJSON *result) {
  return strcmp(ctl_text(result, "state"), "successful") == 0;
}

void ctl_copy_member(cJSON *to, const cJSON *from, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(from, name);
  if (item != NULL) (void)cJSON_AddItemToObject(to, name, cJSON_Duplicate(item, 1));
}

const char *ctl_namespace(const struct bo_object_meta *meta) {
  return meta->namespace_name == NULL ? "default" : meta->namespace_name;
}

double ctl_number(const cJSON *json, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
  return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

const char *ctl_plugin_or_none(const cJSON *spec, const char *member) {
  const char *plugin = ctl_text(cJSON_GetObjectItemCaseSensitive(spec, member), "plugin");
  return plugin[0] == '\0' ? "none" : plugin;
}

static int exit_of_class(const char *error_class) {
  if (strcmp(error_class, "corrupt") == 0 || strcmp(error_class, "conflict") == 0) return CTL_CORRUPT;
  if (strcmp(error_class, "undecided") == 0) return CTL_UNDECIDED;
  if (strcmp(error_class, "config") == 0) return CTL_USAGE;
  return CTL_FAILED;
}

static void print_size(const char *what, double bytes, const char *sha256) {
  char human[32];
  bo_human_size((uint64_t)bytes, human);
  (void)printf("  %-7s %.0f bytes (%s)%s%s\n", what, bytes, human, sha256[0] == '\0' ? "" : ", sha256 ", sha256);
}

static const char *proof_in_words(const char *proof) {
  static const char *const words[][2] = {
      {"stat", "after the commit the storage was asked, and agrees on the size"},
      {"commit", "the storage confirmed the commit (asking for the object is not permitted)"},
      {"record", "sizes and hashes are those that the backup recorded"},
      {"format", "the format's own checks held to the end (there is no record to compare with)"},
      {"length", "the length is the announced one (no format, and no record to compare with)"},
      {"none", "none: the input came to its end, but one that is cut does that, too"},
  };
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
    if (strcmp(words[i][0], proof) == 0) return words[i][1];
  return proof;
}

void ctl_print_recovery(const char *compression, const char *encryption) {
  const char *unsealed = strcmp(encryption, "age") == 0 ? "age -d -i KEYFILE < OBJECT" : "";
  const char *unpacked = strcmp(compression, "gzip") != 0 ? "" : unsealed[0] == '\0' ? "gunzip < OBJECT" : " | gunzip";
  bool known = (unsealed[0] != '\0' || strcmp(encryption, "none") == 0) &&
               (unpacked[0] != '\0' || strcmp(compression, "none") == 0);
  if (!known)
    (void)printf("  it is read with the plugins compress-%s and crypt-%s only: keep them\n", compression, encryption);
  else
    (void)printf("  to read it without this program: %s%s%s\n", unsealed, unpacked,
                 unsealed[0] == '\0' && unpacked[0] == '\0' ? "cat OBJECT" : "");
}

static void print_tail(const cJSON *result) {
  const char *tail = ctl_text(result, "stderrTail");
  if (tail[0] == '\0') return;
  (void)fputs("  the command's last words on stderr:\n", stderr);
  for (const char *line = tail; *line != '\0';) {
    size_t length = strcspn(line, "\n");
    (void)fprintf(stderr, "    | %.*s\n", (int)length, line);
    line += length + (line[length] == '\n' ? 1 : 0);
  }
}

static void print_success(const cJSON *result) {
  const char *operation = ctl_text(result, "operation");
  const char *key = ctl_text(result, "key");
  const char *verb = strcmp(operation, "backup") == 0    ? "backed up"
                     : strcmp(operation, "restore") == 0 ? "restored"
                     : strcmp(operation, "verify") == 0  ? "verified"
                                                         : operation;
  (void)printf("%s: %s\n", verb, key);
  print_size("plain", ctl_number(result, "plainBytes"), ctl_text(result, "sha256Plain"));
  print_size("stored", ctl_number(result, "storedBytes"), ctl_text(result, "sha256Stored"));
  (void)printf("  proof   %s\n", proof_in_words(ctl_text(result, "proof")));
}

static void print_failure(const cJSON *result) {
  const char *operation = ctl_text(result, "operation");
  const char *key = ctl_text(result, "key");
  const char *stage = ctl_text(result, "stage");
  (void)fprintf(stderr, "backupctl: %s FAILED%s%s: %s%s%s\n", operation, key[0] == '\0' ? "" : " ", key, stage,
                stage[0] == '\0' ? "" : ": ", ctl_text(result, "message"));
  print_tail(result);
  const char *error_class = ctl_text(result, "class");
  bool unclear = strcmp(error_class, "undecided") == 0 || strcmp(error_class, "conflict") == 0;
  if (strcmp(operation, "backup") == 0 && !unclear) (void)fputs("  nothing was stored at the key\n", stderr);
}

int ctl_report(const struct ctl_options *options, const struct ctl_runner_result *result) {
  const cJSON *json = result->result;
  bool successful = ctl_succeeded(json);
  if (options->json) {
    char *text = cJSON_PrintUnformatted(json);
    (void)puts(text == NULL ? "{}" : text);
    cJSON_free(text);
  } else if (!successful) {
    print_failure(json);
  } else if (!options->quiet) {
    print_success(json);
  }
  if (fflush(stdout) != 0) {
    (void)fprintf(stderr, "backupctl: this could not be written to stdout: %s %s\n", ctl_text(json, "operation"),
                  ctl_text(json, "state"));
    return CTL_FAILED;
  }
  if (successful) return CTL_OK;
  return result->interrupted ? CTL_INTERRUPTED : exit_of_class(ctl_text(json, "class"));
}

int ctl_complain(const struct ctl_options *options, const struct bo_error *error) {
  if (options->json) {
    cJSON *json = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(json, "type", "result");
    (void)cJSON_AddStringToObject(json, "operation", options->command == NULL ? "" : options->command);
    (void)cJSON_AddStringToObject(json, "state", "failed");
    (void)cJSON_AddStringToObject(json, "class", bo_error_class_name(error->error_class));
    (void)cJSON_AddStringToObject(json, "message", error->text);
    char *text = cJSON_PrintUnformatted(json);
    (void)puts(text == NULL ? "{}" : text);
    (void)fflush(stdout);
    cJSON_free(text);
    cJSON_Delete(json);
  } else {
    (void)fprintf(stderr, "backupctl: %s\n", error->text);
  }
  return exit_of_class(bo_error_class_name(error->error_class));
}
