/* Good manifests, each rule with the line of its failure, and there and back again. */
#include <dirent.h>

#include "core/api/fields.h"
#include "tests/unit/api/support.h"

/* ---- good ones ---------------------------------------------------------------------------------------------- */

START_TEST(introduction_is_understood) {
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_msg(parse_file("tests/unit/api/introduction.yaml", &set, &error) == BO_OK, "%s", error.text);
  ck_assert_uint_eq(set.problem_count, 0);
  ck_assert_uint_eq(set.manifest_count, 2);

  const struct bo_backup_storage *storage = set.manifests[0].storage;
  ck_assert_str_eq(storage->meta.name, "minio");
  ck_assert_str_eq(storage->spec.type, "s3");
  ck_assert_uint_eq(storage->spec.parameters.count, 4);
  ck_assert_str_eq(bo_string_map_get(&storage->spec.parameters, "insecure"), "true");
  ck_assert_ptr_null(bo_string_map_get(&storage->spec.parameters, "region"));
  ck_assert_str_eq(storage->spec.credentials->name, "minio-credentials");
  ck_assert_str_eq(storage->spec.credentials->namespace_name, "minio");
  ck_assert(!storage->spec.namespace_prefix);
  ck_assert_ptr_null(storage->spec.allowed_namespaces);

  const struct bo_backup_schedule *schedule = set.manifests[1].schedule;
  ck_assert_str_eq(schedule->spec.schedule, "0 0 * * *");
  ck_assert_str_eq(schedule->spec.concurrency_policy, "Replace");
  ck_assert_int_eq(schedule->spec.successful_runs_history_limit.value, 14);
  ck_assert_int_eq(schedule->spec.failed_runs_history_limit.value, 2);
  const struct bo_backup_run_spec *spec = &schedule->spec.run_template.spec;
  ck_assert_str_eq(spec->retain_policy, "Delete");
  ck_assert_str_eq(spec->storage.path, "/backups/mysql-{{ now | date \"2006.01.02-15:04:05\" }}.sql");
  ck_assert_ptr_null(spec->compression);
  ck_assert_ptr_null(spec->encryption);
  ck_assert_int_eq(spec->backup->deadline_seconds.value, 300);
  ck_assert_str_eq(spec->backup->container, "mysql");
  ck_assert_uint_eq(spec->backup->command.count, 2);
  ck_assert_str_eq(spec->backup->command.items[1], "-c");
  ck_assert_ptr_null(spec->backup->command.items[2]);
  ck_assert_str_eq(spec->restore->args.items[0],
                   "mysql -h \"${HOSTNAME}\" -u \"${USERNAME}\" \"-p${PASSWORD}\" \"${DATABASE}\"");
  ck_assert_ptr_nonnull(strstr(spec->pod_template->spec_json, "\"secretKeyRef\":{\"name\":\"mysql-credentials\""));
}
END_TEST

START_TEST(examples_are_without_problems) {
  DIR *folder = opendir("examples/manifests");
  ck_assert_ptr_nonnull(folder);
  unsigned files = 0;
  for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    if (strstr(entry->d_name, ".yaml") == NULL) continue;
    BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
    struct bo_error error = BO_ERROR_INIT;
    char path[300];
    (void)snprintf(path, sizeof(path), "examples/manifests/%s", entry->d_name);
    int result = parse_file(path, &set, &error);
    BO_CLEANUP_FREE char *problems = problems_of(&set);
    ck_assert_msg(result == BO_OK && set.problem_count == 0, "%s", problems);
    ck_assert_uint_ge(set.manifest_count, 1);
    files++;
  }
  (void)closedir(folder);
  ck_assert_uint_ge(files, 6);
}
END_TEST

#define RUN_HEAD "apiVersion: backup-operator.io/v1\nkind: BackupRun\nmetadata: {name: r, namespace: ns}\nspec:\n"
#define RUN_STORAGE "  storage: {name: s, path: /a}\n"
#define RUN_BACKUP "  backup: {command: [x]}\n"

START_TEST(defaults_are_filled_in) {
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_msg(parse(RUN_HEAD "  storage: {name: s}\n" RUN_BACKUP, &set, &error) == BO_OK, "%s", error.text);
  const struct bo_backup_run_spec *spec = &set.manifests[0].run->spec;
  ck_assert_str_eq(spec->storage.path, BO_DEFAULT_PATH);
  ck_assert_str_eq(spec->retain_policy, "Retain");
  ck_assert(spec->backoff_limit.is_set);
  ck_assert_int_eq(spec->backoff_limit.value, 2);
  ck_assert_int_eq(spec->pod_start_deadline_seconds.value, 600);
  ck_assert(!spec->backup->deadline_seconds.is_set);
  ck_assert_ptr_null(spec->restore);
  ck_assert_ptr_null(spec->pod_template);
}
END_TEST

START_TEST(level_zero_and_no_level_differ) {
  static const struct {
    const char *compression;
    bool is_set;
    int64_t level;
  } cases[] = {{"{}", false, 0}, {"{level: 0}", true, 0}, {"{level: -2}", true, -2}, {"{level: null}", false, 0}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
    struct bo_error error = BO_ERROR_INIT;
    char text[512];
    (void)snprintf(text, sizeof(text), RUN_HEAD RUN_STORAGE RUN_BACKUP "  compression: %s\n", cases[i].compression);
    ck_assert_int_eq(parse(text, &set, &error), BO_OK);
    const struct bo_run_compression *compression = set.manifests[0].run->spec.compression;
    ck_assert_str_eq(compression->algorithm, "gzip");
    ck_assert(compression->level.is_set == cases[i].is_set);
    ck_assert_int_eq(compression->level.value, cases[i].level);
  }
}
END_TEST

START_TEST(keys_are_rendered_once_over_the_run) {
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(parse(RUN_HEAD "  storage: {name: s}\n" RUN_BACKUP, &set, &error), BO_OK);
  ck_assert_msg(bo_backup_run_key(set.manifests[0].run, 1795543827, &key, &error) == BO_OK, "%s", error.text);
  ck_assert_str_eq(bo_buffer_text(&key), "ns/r-20261124-181027.backup");

  struct bo_backup_run run = *set.manifests[0].run;
  run.meta.namespace_name = NULL;
  bo_buffer_clear(&key);
  ck_assert_int_eq(bo_backup_run_key(&run, 0, &key, &error), BO_OK);
  ck_assert_str_eq(bo_buffer_text(&key), "default/r-19700101-000000.backup");
}
END_TEST

START_TEST(secrets_are_decoded) {
  static const char text[] =
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: Opaque\n"
      "data:\n  one: b25l\n  two: dHc=\n  four: Zm91cg==\n  none: ''\n  nul: YQBi\n  lines: |\n    b2\n    5l\n"
      "stringData: {two: over, text: 'gr\xC3\xBC\xC3\x9F'}\n";
  static const struct {
    const char *key, *bytes;
    size_t size;
  } cases[] = {{"one", "one", 3},
               {"two", "over", 4},
               {"four", "four", 4},
               {"none", "", 0},
               {"nul", "a\0b", 3},
               {"lines", "one", 3},
               {"text", "gr\xC3\xBC\xC3\x9F", 6}};
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_msg(parse(text, &set, &error) == BO_OK, "%s", error.text);
  const struct bo_secret_object *secret = set.manifests[0].secret;
  ck_assert_uint_eq(secret->count, sizeof(cases) / sizeof(cases[0]));
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const struct bo_secret *entry = bo_secret_object_get(secret, cases[i].key);
    ck_assert_ptr_nonnull(entry);
    ck_assert_uint_eq(entry->size, cases[i].size);
    ck_assert_mem_eq(entry->bytes, cases[i].bytes, cases[i].size + 1);
  }
  ck_assert_ptr_null(bo_secret_object_get(secret, "three"));
}
END_TEST

START_TEST(documents_lists_and_strangers) {
  static const char text[] =
      "# nothing\n---\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---\n"
      "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n"
      "- {apiVersion: v1, kind: Secret, metadata: {name: a, namespace: other}}\n...\n---\n"
      "{\"apiVersion\": \"v1\", \"kind\": \"Secret\",\n\t\"metadata\": {\"name\": \"json\"}}\n";
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_msg(parse(text, &set, &error) == BO_OK, "%s", error.text);
  BO_CLEANUP_FREE char *problems = problems_of(&set);
  ck_assert_str_eq(problems, "test.yaml:5:7: warning: .kind: \"ConfigMap\" is no kind known here: ignored\n");
  ck_assert_uint_eq(set.manifest_count, 3);
  ck_assert_ptr_eq(bo_manifest_find(&set, BO_MANIFEST_SECRET, "default", "a"), &set.manifests[0]);
  ck_assert_ptr_eq(bo_manifest_find(&set, BO_MANIFEST_SECRET, "other", "a"), &set.manifests[1]);
  ck_assert_ptr_eq(bo_manifest_find(&set, BO_MANIFEST_SECRET, NULL, "json"), &set.manifests[2]);
  ck_assert_ptr_null(bo_manifest_find(&set, BO_MANIFEST_RUN, NULL, "json"));
}
END_TEST

START_TEST(json_is_read_too) {
  static const char json[] =
      "{\"apiVersion\":\"backup-operator.io/v1\",\"kind\":\"BackupRun\",\"metadata\":{\"name\":\"r\"},"
      "\"spec\":{\"storage\":{\"name\":\"s\",\"path\":\"/\\ud83d\\ude00\\u00fc\"},\"backup\":{\"command\":[\"a\\/b\"]},"
      "\"future\":1},\"status\":{\"sizeInBytes\":5497558138880}}";
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set person;
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set server;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_msg(parse(json, &person, &error) == BO_OK, "%s", error.text);
  ck_assert_uint_eq(person.problem_count, 1); /* the unknown field */
  ck_assert_msg(bo_manifest_from_json(json, strlen(json), "api", &server, &error) == BO_OK, "%s", error.text);
  ck_assert_uint_eq(server.problem_count, 0);
  ck_assert_str_eq(server.manifests[0].run->spec.storage.path, "/\xF0\x9F\x98\x80\xC3\xBC");
  ck_assert_str_eq(server.manifests[0].run->spec.backup->command.items[0], "a/b");
  ck_assert_int_eq(server.manifests[0].run->status.size_in_bytes.value, INT64_C(5497558138880));
}
END_TEST

/* ---- each rule, with its place ------------------------------------------------------------------------------ */

static const struct {
  const char *text;
  const char *problems; /* each must be among them, in this order, separated by '|' */
} rules[] = {
    {RUN_HEAD RUN_BACKUP, "4:1: error: .spec.storage: is required: where the object is"},
    {RUN_HEAD "  storage: {path: /a}\n" RUN_BACKUP, "5:3: error: .spec.storage.name: is required"},
    {RUN_HEAD "  storage: {name: S}\n" RUN_BACKUP, "5:19: error: .spec.storage.name: \"S\" must be 1 to 253"},
    {RUN_HEAD "  storage: {name: s, path: a}\n" RUN_BACKUP, "5:28: error: .spec.storage.path: "},
    {RUN_HEAD "  storage: {name: s, path: /a/}\n" RUN_BACKUP, "5:28: error: .spec.storage.path: "},
    {RUN_HEAD "  storage: {name: s, path: /a//b}\n" RUN_BACKUP, "5:28: error: .spec.storage.path: "},
    {RUN_HEAD "  storage: {name: s, path: /a/../b}\n" RUN_BACKUP, "5:28: error: .spec.storage.path: "},
    {RUN_HEAD "  storage: {name: s, path: '/{{ .metadata.name'}\n" RUN_BACKUP,
     "5:28: error: .spec.storage.path: template:1:"},
    {RUN_HEAD "  storage: {name: s, path: '/{{ .metadata.nome }}'}\n" RUN_BACKUP, "5:28: error: .spec.storage.path: "},
    {RUN_HEAD "  storage: {name: s, path: ''}\n" RUN_BACKUP, "5:28: error: .spec.storage.path: \"\" must not be empty"},
    {RUN_HEAD "  storage: {name: s}\n  restore: {command: [x]}\n",
     "5:12: error: .spec.storage.path: is required without backup"},
    {RUN_HEAD RUN_STORAGE, "warning: .spec: has neither backup nor restore"},
    {RUN_HEAD RUN_STORAGE "  backup: {}\n", "6:11: error: .spec.backup.command: is required"},
    {RUN_HEAD RUN_STORAGE "  backup: {command: x}\n",
     "6:21: error: .spec.backup.command: must be a list of strings, not a string"},
    {RUN_HEAD RUN_STORAGE "  backup: {command: [a, 1]}\n",
     "6:25: error: .spec.backup.command[1]: must be a string, not a whole number: put it in quotes"},
    {RUN_HEAD RUN_STORAGE "  backup: {command: [x], deadlineSeconds: 0}\n",
     "6:43: error: .spec.backup.deadlineSeconds: must be between 1 and 2147483647, not 0"},
    {RUN_HEAD RUN_STORAGE "  backup: {command: [x], deadlineSeconds: '5'}\n", "not a string: remove the quotes"},
    {RUN_HEAD RUN_STORAGE "  backup: {command: [x], deadlineSeconds: 1.5}\n", "must be a whole number"},
    {RUN_HEAD RUN_STORAGE "  backup: {command: [x], deadlineSeconds: 99999999999999999999}\n",
     "must be a whole number"},
    {RUN_HEAD RUN_STORAGE "  backup: {command: [x], deadlineSeconds: 9223372036854775807}\n", "must be between 1 and"},
    {RUN_HEAD RUN_STORAGE "  backup: {command: [x], verifyFirst: true}\n",
     "6:26: warning: .spec.backup.verifyFirst: there is no such field"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  restore: {command: [x], verifyFirst: 'yes'}\n",
     ".spec.restore.verifyFirst: must be true or false, not a string"},
    {RUN_HEAD RUN_STORAGE "  backup: {command: [x], container: c}\n",
     "6:37: error: .spec.backup.container: there is no container \"c\" in this run: .spec.template is missing"},
    {RUN_HEAD RUN_STORAGE "  backup: {command: [x], container: c}\n  template: {spec: {containers: [{name: d}]}}\n",
     "6:37: error: .spec.backup.container: there is no container \"c\" in .spec.template.spec.containers"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  template: {spec: {}}\n",
     "7:20: error: .spec.template.spec.containers: must be a list with at least one container"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  template: {}\n", "7:3: error: .spec.template.spec: is required: a PodSpec"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  compression: {level: 10}\n",
     "7:24: error: .spec.compression.level: must be between -2 and 9 for gzip"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  compression: {algorithm: ../x}\n",
     "7:28: error: .spec.compression.algorithm: \"../x\" must be a plugin's name"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  encryption: {}\n", "7:15: error: .spec.encryption.recipients: is required"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  encryption: {recipients: []}\n", ".spec.encryption.recipients: is required"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  encryption: {recipients: [nobody]}\n",
     "7:29: error: .spec.encryption.recipients[0]: must be an age recipient"},
    {RUN_HEAD RUN_STORAGE "  restore: {command: [x]}\n  encryption: {}\n", ".spec.encryption: needs recipients"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  encryption: {recipients: [age1x], decryptionKey: {name: k}}\n",
     "7:37: error: .spec.encryption.decryptionKey.key: is required"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  retainPolicy: delete\n",
     "7:17: error: .spec.retainPolicy: must be one of Delete|Retain, not \"delete\""},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  backoffLimit: -1\n", "7:17: error: .spec.backoffLimit: must be between 0"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  podStartDeadlineSeconds: 0\n",
     ".spec.podStartDeadlineSeconds: must be between 1"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  encyption: {recipients: [age1x]}\n",
     "7:3: warning: .spec.encyption: there is no such field, it has no effect: is \"encryption\" meant?"},
    {RUN_HEAD RUN_STORAGE RUN_BACKUP "  'odd\\key.x': 1\n",
     "7:3: warning: .spec[\"odd\\key.x\"]: there is no such field"},
    {"apiVersion: backup-operator.io/v1\nkind: BackupRun\nspec: {storage: {name: s}, backup: {command: [x]}}\n",
     "1:1: error: .metadata: is required"},
    {"apiVersion: backup-operator.io/v1\nkind: BackupRun\nmetadata: {generateName: a-}\nspec: {storage: {name: s}, "
     "backup: {command: [x]}}\n",
     "3:1: error: .metadata.name: is required"},
    {"apiVersion: backup-operator.io/v1\nkind: BackupStorage\nmetadata: {name: s}\n", "error: .spec: is required"},
    {"apiVersion: backup-operator.io/v1\nkind: BackupStorage\nmetadata: {name: s, namespace: ns}\nspec: {type: file}\n",
     "3:32: warning: .metadata.namespace: has no effect"},
    {"apiVersion: backup-operator.io/v1\nkind: BackupStorage\nmetadata: {name: s}\nspec:\n  parameters:\n    insecure: "
     "true\n    port: 9000\n    x: {}\n",
     "6:15: error: .spec.parameters.insecure: must be a string, not a truth value (as are yes, no, on, off, y, n): put "
     "it in "
     "quotes|7:11: error: .spec.parameters.port: must be a string, not a whole number: put it in "
     "quotes|8:8: error: .spec.parameters.x: must be a string, not a map"},
    {"apiVersion: backup-operator.io/v1\nkind: BackupStorage\nmetadata: {name: s}\nspec: {type: S3, credentials: "
     "{name: "
     "c}}\n",
     "4:14: error: .spec.type: \"S3\" must be a plugin's name|error: .spec.credentials.namespace: is required"},
    {"apiVersion: backup-operator.io/v1\nkind: BackupStorage\nmetadata: {name: s}\nspec: {allowedNamespaces: "
     "{matchExpressions: [{key: a, operator: In}, {key: b, operator: Exists, values: [c]}, {operator: Like}]}}\n",
     "matchExpressions[0].values: must not be empty|matchExpressions[1].values: must be "
     "absent|matchExpressions[2].key: is "
     "required|matchExpressions[2].operator: must be one of"},
    {"apiVersion: backup-operator.io/v1\nkind: BackupSchedule\nmetadata: {name: s}\nspec: {schedule: '', "
     "concurrencyPolicy: Never, failedRunsHistoryLimit: 0, template: {spec: {storage: {name: s, path: b}, backup: "
     "{command: []}}}}\n",
     ".spec.schedule: \"\" must not be empty|.spec.concurrencyPolicy: must be one of|.spec.failedRunsHistoryLimit: "
     "must be "
     "between 1|.spec.template.spec.backup.command: is required"},
    {"apiVersion: backup-operator.io/v1\nkind: BackupSchedule\nmetadata: {name: s}\nspec: {schedule: '@daily', "
     "template: {spec: {storage: {name: s, path: b}, backup: {command: [x]}}}}\n",
     "4:71: error: .spec.template.spec.storage.path: "},
    {"apiVersion: backup-operator.io/v1\nkind: BackupSchedule\nmetadata: {name: "
     "a2345678901234567890123456789012345678901234567890123}\nspec: {schedule: x}\n",
     "3:18: error: .metadata.name: must be at most 52 characters long, not 53|.spec.template: is required"},
    {"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: 'b25l!'}\n",
     "4:11: error: .data: the entry \"a\" is not base64"},
    {"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: 1}\n",
     "4:17: error: .stringData.a: must be a string, not a whole number: put it in quotes"},
    {"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n",
     "5:1: error: the Secret \"s\" is here twice, first in line 1"},
    {"apiVersion: backup-operator.io/v2\nkind: BackupRun\n",
     "1:13: error: .apiVersion: must be backup-operator.io/v1 for a BackupRun, not \"backup-operator.io/v2\""},
    {"apiVersion: backup-operator.io/v1\nkind: Backuprun\n",
     "2:7: error: .kind: \"Backuprun\" is no kind known here. Is this meant: BackupRun"},
    {"kind: BackupRun\n", "1:1: error: .apiVersion: is required"},
    {"apiVersion: v1\n", "1:1: error: .kind: is required"},
    {"- a\n", "1:1: error: a manifest is a map, not a list"},
    {"apiVersion: v1\nkind: List\nitems: {}\n", "3:8: error: .items: must be a list"},
    {"apiVersion: v1\nkind: Secret\nmetadata: {name: s, creationTimestamp: yesterday}\n",
     "3:40: error: .metadata.creationTimestamp: \"yesterday\" must be a time like"},
};

START_TEST(each_rule_tells_its_place) {
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  struct bo_error error = BO_ERROR_INIT;
  int result = parse(rules[_i].text, &set, &error);
  BO_CLEANUP_FREE char *problems = problems_of(&set);
  BO_CLEANUP_FREE char *wanted = strdup(rules[_i].problems);
  bool is_warning = strstr(wanted, "warning: ") != NULL;
  ck_assert_msg((result == BO_OK) == is_warning, "%s\n%s", rules[_i].text, problems);
  if (!is_warning) ck_assert_int_eq(error.error_class, BO_CLASS_CONFIG);
  const char *from = problems;
  char *save = NULL;
  for (const char *part = strtok_r(wanted, "|", &save); part != NULL; part = strtok_r(NULL, "|", &save)) {
    if (strncmp(part, "Retain", 6) == 0) continue; /* the '|' of the choices themselves */
    from = strstr(from, part);
    ck_assert_msg(from != NULL, "%s\nwanted: %s\nfound: %s", rules[_i].text, part, problems);
  }
}
END_TEST

START_TEST(all_problems_at_once_in_the_order_of_lines) {
  static const char text[] =
      "apiVersion: backup-operator.io/v1\nkind: BackupRun\nmetadata: {name: r}\nspec:\n"
      "  retainPolicy: Never\n  backup: {command: [x], container: c}\n  restore: {command: [1]}\n"
      "  storage: {name: S}\n---\napiVersion: v1\nkind: Secret\nmetadata: {nam: s}\n";
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(parse(text, &set, &error), BO_ERROR);
  ck_assert_uint_eq(set.error_count, 5);
  ck_assert_uint_eq(set.problem_count, 6);
  for (size_t i = 1; i < set.problem_count; i++)
    ck_assert_uint_le(set.problems[i - 1].line, set.problems[i].line);
  ck_assert_ptr_nonnull(strstr(error.text, "test.yaml:5:17: error: .spec.retainPolicy"));
  ck_assert_ptr_nonnull(strstr(error.text, "(and 4 more)"));
  ck_assert(!set.manifests[0].valid);
  ck_assert_str_eq(set.manifests[0].meta->name, "r");
  ck_assert_ptr_null(set.manifests[1].meta->name);
}
END_TEST

START_TEST(problems_do_not_quote_secrets) {
  static const char *const texts[] = {
      RUN_HEAD RUN_STORAGE RUN_BACKUP "  encryption: {recipients: [AGE-SECRET-KEY-1CANARY]}\n",
      RUN_HEAD RUN_STORAGE RUN_BACKUP "  encryption: {recipients: ['-----BEGIN PRIVATE KEY----- CANARY']}\n",
      RUN_HEAD RUN_STORAGE RUN_BACKUP "  encryption: {recipients: ['CANARY']}\n",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: CANARY!}\n",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: CANARY\n",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: {b: CANARY}}\n",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: [CANARY]}\nstringDatum: CANARY\n",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: \"CANARY}\n",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  a: !!binary CANARY\n",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  a: b: CANARY\n",
  };
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
    struct bo_error error = BO_ERROR_INIT;
    ck_assert_int_eq(parse(texts[i], &set, &error), BO_ERROR);
    BO_CLEANUP_FREE char *problems = problems_of(&set);
    ck_assert_ptr_null(strstr(problems, "CANARY"));
    ck_assert_ptr_null(strstr(error.text, "CANARY"));
  }
}
END_TEST

/* ---- there and back ----------------------------------------------------------------------------------------- */

static void check_round_trip(const struct bo_manifest *manifest) {
  BO_CLEANUP_BUFFER struct bo_buffer first = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer second = BO_BUFFER_INIT;
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set again = {.source = NULL};
  struct bo_error error = BO_ERROR_INIT;
  int result = bo_manifest_to_json(manifest, &first, &error);
  if (manifest->kind == BO_MANIFEST_SECRET) {
    ck_assert_int_eq(error.error_class, BO_CLASS_UNSUPPORTED);
    return;
  }
  ck_assert_int_eq(result, BO_OK);
  ck_assert_msg(bo_manifest_from_json(first.bytes, first.size, "json", &again, &error) == BO_OK, "%s", error.text);
  ck_assert_int_eq(bo_manifest_to_json(&again.manifests[0], &second, &error), BO_OK);
  ck_assert_str_eq(first.bytes, second.bytes);
}

START_TEST(what_is_encoded_is_decoded_alike) {
  static const char *const files[] = {"tests/unit/api/introduction.yaml", "tests/unit/api/full.yaml",
                                      "examples/manifests/mysql.yaml", "examples/manifests/postgres.yaml",
                                      "examples/manifests/files.yaml"};
  for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
    BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
    struct bo_error error = BO_ERROR_INIT;
    int result = parse_file(files[i], &set, &error);
    BO_CLEANUP_FREE char *problems = problems_of(&set);
    ck_assert_msg(result == BO_OK && set.problem_count == 0, "%s", problems);
    for (size_t j = 0; j < set.manifest_count; j++)
      check_round_trip(&set.manifests[j]);
  }
}
END_TEST

/* full.yaml sets every field there is: as JSON it must be the same, member by member. */
START_TEST(nothing_is_lost) {
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  BO_CLEANUP_BUFFER struct bo_buffer wanted = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer found = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_msg(parse_file("tests/unit/api/full.yaml", &set, &error) == BO_OK, "%s", error.text);
  ck_assert_int_eq(bo_read_file("tests/unit/api/full.json", 1 << 20, &wanted, &error), BO_OK);
  for (size_t i = 0; i < set.manifest_count; i++) {
    ck_assert_int_eq(bo_manifest_to_json(&set.manifests[i], &found, &error), BO_OK);
    ck_assert(bo_buffer_append_text(&found, "\n"));
  }
  ck_assert_str_eq(found.bytes, wanted.bytes);
}
END_TEST

START_TEST(a_status_alone_is_encoded) {
  struct bo_condition conditions[] = {{.type = "Ready", .status = "True", .last_transition_time = {true, 1795543827}}};
  struct bo_run_outcome backup = {.bytes_plain = {true, INT64_MAX}, .message = "a \"quoted\" \n line"};
  struct bo_backup_run_status status = {
      .state = "BackupSuccessful", .conditions = {conditions, 1}, .backup = &backup, .attempts = {true, 0}};
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_backup_run_status_to_json(&status, &out, &error), BO_OK);
  ck_assert_str_eq(out.bytes,
                   "{\"state\":\"BackupSuccessful\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\","
                   "\"lastTransitionTime\":\"2026-11-24T18:10:27Z\"}],\"attempts\":0,\"backup\":{\"message\":\"a "
                   "\\\"quoted\\\" \\n line\",\"bytesPlain\":9223372036854775807}}");
}
END_TEST

START_TEST(a_pod_template_is_what_a_platform_takes) {
  struct bo_pod_template pod = {.spec_json = "{\"containers\":[]}"};
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_pod_template_to_json(&pod, &out, &error), BO_OK);
  ck_assert_str_eq(out.bytes, "{\"spec\":{\"containers\":[]}}");
  bo_buffer_clear(&out);
  ck_assert_int_eq(bo_pod_template_to_json(NULL, &out, &error), BO_OK);
  ck_assert_str_eq(out.bytes, "{}");
}
END_TEST

/* ---- the reference pages ------------------------------------------------------------------------------------ */

/* Whether the page has the name in code marks, alone or at the end of a path: `level`, `compression.level`. */
static bool names(const char *page, const char *name) {
  char alone[80];
  char in_path[80];
  (void)snprintf(alone, sizeof(alone), "`%s`", name);
  (void)snprintf(in_path, sizeof(in_path), ".%s`", name);
  return strstr(page, alone) != NULL || strstr(page, in_path) != NULL;
}

static void check_page(const char *page, const struct bo_fields *fields) {
  for (size_t i = 0; i < fields->count; i++) {
    const struct bo_field *field = &fields->list[i];
    bool is_heading = strcmp(field->name, "spec") == 0 || strcmp(field->name, "status") == 0;
    if (field->type == BO_FIELD_CONSTANT || field->type == BO_FIELD_IGNORED) continue;
    if (field->fields == &bo_object_meta_fields) continue; /* Kubernetes' own */
    ck_assert_msg(is_heading || names(page, field->name), "the field %s is missing", field->name);
    if (field->fields != NULL) check_page(page, field->fields);
    for (const char *choice = field->choices; choice != NULL && *choice != '\0';) {
      char word[80];
      size_t length = strcspn(choice, "|");
      (void)snprintf(word, sizeof(word), "%.*s", (int)length, choice);
      ck_assert_msg(names(page, word), "%s: the choice %s is missing", field->name, word);
      choice += length + (choice[length] == '|');
    }
  }
}

START_TEST(reference_pages_name_every_field) {
  static const struct {
    const char *file;
    const struct bo_fields *fields;
  } pages[] = {{"docs/reference/backuprun.md", &bo_backup_run_fields},
               {"docs/reference/backupstorage.md", &bo_backup_storage_fields},
               {"docs/reference/backupschedule.md", &bo_backup_schedule_fields}};
  BO_CLEANUP_BUFFER struct bo_buffer run_page = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_read_file(pages[0].file, 1 << 20, &run_page, &error), BO_OK);
  for (size_t i = 0; i < 3; i++) {
    BO_CLEANUP_BUFFER struct bo_buffer page = BO_BUFFER_INIT;
    ck_assert_int_eq(bo_read_file(pages[i].file, 1 << 20, &page, &error), BO_OK);
    /* A schedule's page refers to the run's for the template. */
    if (i == 2) ck_assert(bo_buffer_append(&page, run_page.bytes, run_page.size));
    check_page(page.bytes, pages[i].fields);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("manifests");
  TCase *tcase = tcase_create("manifests");
  tcase_set_timeout(tcase, 60);
  tcase_add_test(tcase, introduction_is_understood);
  tcase_add_test(tcase, examples_are_without_problems);
  tcase_add_test(tcase, defaults_are_filled_in);
  tcase_add_test(tcase, level_zero_and_no_level_differ);
  tcase_add_test(tcase, keys_are_rendered_once_over_the_run);
  tcase_add_test(tcase, secrets_are_decoded);
  tcase_add_test(tcase, documents_lists_and_strangers);
  tcase_add_test(tcase, json_is_read_too);
  tcase_add_loop_test(tcase, each_rule_tells_its_place, 0, (int)(sizeof(rules) / sizeof(rules[0])));
  tcase_add_test(tcase, all_problems_at_once_in_the_order_of_lines);
  tcase_add_test(tcase, problems_do_not_quote_secrets);
  tcase_add_test(tcase, what_is_encoded_is_decoded_alike);
  tcase_add_test(tcase, nothing_is_lost);
  tcase_add_test(tcase, a_status_alone_is_encoded);
  tcase_add_test(tcase, a_pod_template_is_what_a_platform_takes);
  tcase_add_test(tcase, reference_pages_name_every_field);
  suite_add_tcase(suite, tcase);
  return unit_main(suite);
}
