/*
 * core/api/api.h - the resources of the API group backup-operator.io/v1, and the Secret they refer to: manifests in,
 * plain structs out, and the structs back as JSON.
 *
 * docs/reference/ describes every field. Conventions: a string that was not given is NULL; a number that was not given
 * has is_set false (so that level 0 and no level differ) unless it has a default; a list that was not given has count
 * 0; a block that was not given is NULL where it is a pointer. Times are seconds since 1970-01-01T00:00:00Z.
 *
 * Everything that a set holds lives until bo_manifest_set_free, which overwrites it. Nothing here is shared between
 * threads: one set, one thread.
 */
#ifndef BO_API_API_H
#define BO_API_API_H

#include <backup-operator/abi.h>

#include "core/base/arena.h"
#include "core/base/buffer.h"
#include "core/base/error.h"

#define BO_API_VERSION "backup-operator.io/v1"

/* A larger manifest is refused unread. */
#define BO_MANIFEST_MAX_BYTES ((size_t)4 * 1024 * 1024)
#define BO_MANIFEST_MAX_OBJECTS 4096u /* in one file */
#define BO_MANIFEST_MAX_PROBLEMS 100u /* further ones are counted only */

#define BO_DEFAULT_PATH "/{{ .metadata.namespace }}/{{ .metadata.name }}-{{ now | date \"20060102-150405\" }}.backup"

/* ---- parts that several kinds have -------------------------------------------------------------------------- */

struct bo_optional {
  bool is_set;
  int64_t value;
};

struct bo_strings {
  const char **items; /* NULL behind the last, also when count is 0 and items is not NULL */
  size_t count;
};

struct bo_string_map {
  struct bo_pair *items;
  size_t count;
};

/* ObjectMeta of the Kubernetes API, as far as it matters here. */
struct bo_object_meta {
  const char *name;
  const char *namespace_name; /* NULL when not given */
  const char *uid;
  const char *resource_version;
  struct bo_optional generation;
  struct bo_optional creation_time;
  struct bo_optional deletion_time;
  struct bo_string_map labels;
  struct bo_string_map annotations;
  struct bo_strings finalizers;
  const char *owner_references_json;
};

struct bo_condition {
  const char *type;
  const char *status; /* True, False, Unknown */
  const char *reason;
  const char *message;
  struct bo_optional observed_generation;
  struct bo_optional last_transition_time;
};

struct bo_conditions {
  struct bo_condition *items;
  size_t count;
};

/* ---- BackupStorage ------------------------------------------------------------------------------------------ */

struct bo_selector_requirement {
  const char *key;
  const char *op; /* In, NotIn, Exists, DoesNotExist */
  struct bo_strings values;
};

/* A LabelSelector of the Kubernetes API. */
struct bo_selector {
  struct bo_string_map match_labels;
  struct {
    struct bo_selector_requirement *items;
    size_t count;
  } match_expressions;
};

/* A secret; where it has a namespace of its own, the whole of it. */
struct bo_secret_reference {
  const char *name;
  const char *namespace_name;
};

struct bo_backup_storage_spec {
  const char *type;
  struct bo_string_map parameters;
  struct bo_secret_reference *credentials;
  struct bo_selector *allowed_namespaces; /* NULL: all */
  bool namespace_prefix;
};

struct bo_backup_storage_status {
  struct bo_conditions conditions;
  struct bo_optional observed_generation;
  struct bo_optional schedules;
  struct bo_optional runs;
  struct bo_optional size_in_bytes;
  const char *size;
};

struct bo_backup_storage {
  struct bo_object_meta meta;
  struct bo_backup_storage_spec spec;
  struct bo_backup_storage_status status;
};

/* ---- BackupRun ---------------------------------------------------------------------------------------------- */

struct bo_run_storage {
  const char *name;
  const char *path; /* a template, unless it has no "{{" */
};

struct bo_run_compression {
  const char *algorithm;
  struct bo_optional level; /* not set: the plugin's own default */
};

struct bo_key_reference {
  const char *name;
  const char *key;
  const char *namespace_name; /* NULL: the run's own */
};

struct bo_run_encryption {
  struct bo_strings recipients;
  struct bo_key_reference *decryption_key;
};

/* What is executed is command, then args. At least one of them is not empty. */
struct bo_run_command {
  const char *container; /* NULL: the template's first */
  struct bo_strings command;
  struct bo_strings args;
  struct bo_optional deadline_seconds; /* not set: none */
  bool verify_first;                   /* restore only */
};

struct bo_template_meta {
  struct bo_string_map labels;
  struct bo_string_map annotations;
};

struct bo_pod_template {
  struct bo_template_meta meta;
  const char *spec_json; /* a PodSpec, as given */
};

struct bo_backup_run_spec {
  struct bo_run_storage storage;
  struct bo_run_compression *compression; /* NULL: stored as it comes */
  struct bo_run_encryption *encryption;   /* NULL: stored in the clear */
  struct bo_run_command *backup;          /* NULL: the object exists already */
  struct bo_run_command *restore;
  struct bo_pod_template *pod_template;
  const char *retain_policy; /* Delete, Retain */
  struct bo_optional backoff_limit;
  struct bo_optional pod_start_deadline_seconds;
};

struct bo_run_attempt {
  const char *token; /* of the put that is under way: what discard needs */
  struct bo_optional started;
};

/* How a backup, a restore or a verification went. */
struct bo_run_outcome {
  struct bo_optional start_time;
  struct bo_optional completion_time;
  const char *reason;
  const char *message;
  struct bo_optional bytes_plain;  /* what the command printed or was given */
  struct bo_optional bytes_stored; /* what the storage holds */
  const char *sha256_plain;
  const char *sha256_stored;
  const char *etag;
};

struct bo_backup_run_status {
  const char *state;
  struct bo_conditions conditions;
  struct bo_optional observed_generation;
  const char *path; /* rendered */
  const char *pod_name;
  struct bo_optional size_in_bytes;
  const char *size;
  struct bo_optional attempts;
  struct bo_run_attempt *attempt;
  struct bo_run_outcome *backup;
  struct bo_run_outcome *restore;
  struct bo_run_outcome *verify;
};

struct bo_backup_run {
  struct bo_object_meta meta;
  struct bo_backup_run_spec spec;
  struct bo_backup_run_status status;
};

/* ---- BackupSchedule ----------------------------------------------------------------------------------------- */

struct bo_run_template {
  struct bo_template_meta meta;
  struct bo_backup_run_spec spec;
};

struct bo_backup_schedule_spec {
  const char *schedule;
  const char *time_zone; /* NULL: UTC */
  struct bo_optional starting_deadline_seconds;
  const char *concurrency_policy; /* Allow, Forbid, Replace */
  bool suspend;
  struct bo_optional successful_runs_history_limit;
  struct bo_optional failed_runs_history_limit;
  struct bo_run_template run_template;
};

struct bo_backup_schedule_status {
  struct bo_conditions conditions;
  struct bo_optional observed_generation;
  struct bo_optional total;
  struct bo_optional successful;
  struct bo_optional failed;
  struct bo_optional in_progress;
  struct bo_strings active; /* names of runs */
  struct bo_optional last_schedule_time;
  struct bo_optional last_successful_time;
  struct bo_optional next_schedule_time;
};

struct bo_backup_schedule {
  struct bo_object_meta meta;
  struct bo_backup_schedule_spec spec;
  struct bo_backup_schedule_status status;
};

/* ---- Secret (core/v1) --------------------------------------------------------------------------------------- */

/* `data` decoded, with `stringData` over it. */
struct bo_secret_object {
  struct bo_object_meta meta;
  struct bo_secret *entries;
  size_t count;
};

/* ---- manifests ---------------------------------------------------------------------------------------------- */

enum bo_severity { BO_SEVERITY_WARNING = 1, BO_SEVERITY_ERROR = 2 };

/* Never quotes a secret. `path` is "" where a whole document, or the file, is meant. */
struct bo_problem {
  enum bo_severity severity;
  unsigned line;    /* from 1; 0: nowhere in particular */
  unsigned column;  /* from 1; 0: the whole line */
  const char *path; /* ".spec.storage.path" */
  const char *text;
};

enum bo_manifest_kind {
  BO_MANIFEST_STORAGE = 1,
  BO_MANIFEST_SCHEDULE = 2,
  BO_MANIFEST_RUN = 3,
  BO_MANIFEST_SECRET = 4
};

struct bo_manifest {
  enum bo_manifest_kind kind;
  unsigned line;
  bool valid; /* without errors. Of an invalid one just `meta` may be used, and there the name may be NULL */
  const struct bo_object_meta *meta;
  struct bo_backup_storage *storage; /* the one of `kind` is set, the others are NULL */
  struct bo_backup_schedule *schedule;
  struct bo_backup_run *run;
  struct bo_secret_object *secret;
};

struct bo_manifest_set {
  const char *source; /* the file's name, for messages */
  struct bo_manifest *manifests;
  size_t manifest_count;
  struct bo_problem *problems; /* by line */
  size_t problem_count;
  size_t error_count; /* also of the problems that did not find room */
  struct bo_arena arena;
};

#define BO_CLEANUP_MANIFEST_SET BO_CLEANUP(bo_manifest_set_free)

/* Reads all documents of a YAML or JSON text (`kind: List` too) and finds all of their problems. BO_OK when there are
 * no errors (there may be warnings); else BO_ERROR (BO_CLASS_CONFIG) and `error` tells the first one. In both cases
 * `set` holds what could be read, and is freed by the caller. Of an unknown kind there is a warning.
 * Secrets: the set is overwritten when it is freed, and libyaml's buffers when the text was read, but not what libyaml
 * frees on its way while a long scalar grows; `bytes` is the caller's to overwrite. */
int bo_manifest_parse(const void *bytes, size_t size, const char *source, struct bo_manifest_set *set,
                      struct bo_error *error);

/* The same for one object in JSON that comes from an API server or a record: no places, and unknown fields are not
 * reported, since a newer server may know more. In what is kept as JSON, whole numbers from 2^53 on are rounded, as
 * doubles are; in fields with a type they are refused. */
int bo_manifest_from_json(const char *json, size_t size, const char *source, struct bo_manifest_set *set,
                          struct bo_error *error);

/* Overwrites and frees. Idempotent; a zeroed set is empty. */
void bo_manifest_set_free(struct bo_manifest_set *set);

/* The object of that kind and name; a namespace that is NULL or absent is "default", and a BackupStorage has none.
 * NULL when there is none. */
const struct bo_manifest *bo_manifest_find(const struct bo_manifest_set *set, enum bo_manifest_kind kind,
                                           const char *namespace_name, const char *name);

/* "run.yaml:12:5: error: .spec.storage.path: ...", without a newline. */
bool bo_problem_append(const struct bo_manifest_set *set, const struct bo_problem *problem, struct bo_buffer *out);

/* "BackupRun" and so on; static. */
const char *bo_manifest_kind_name(enum bo_manifest_kind kind);

/* The value under `key`, NULL when there is none. */
const char *bo_string_map_get(const struct bo_string_map *map, const char *key);
/* The entry `key` of a secret, NULL when there is none. */
const struct bo_secret *bo_secret_object_get(const struct bo_secret_object *secret, const char *key);

/* Appends the key of the run's object: .spec.storage.path rendered over the run as JSON, with `now` (the slot's time of
 * a scheduled run, else its creation), without the leading slash. To be done once: it ends in .status.path, with the
 * slash. Errors are BO_CLASS_CONFIG and name line and column in the template. */
int bo_backup_run_key(const struct bo_backup_run *run, int64_t now_unix_seconds, struct bo_buffer *key,
                      struct bo_error *error);

/* ---- encoding: one line of JSON, appended. What is not set is left out; defaults are written. ---------------- */

int bo_backup_run_to_json(const struct bo_backup_run *run, struct bo_buffer *out, struct bo_error *error);
int bo_backup_storage_to_json(const struct bo_backup_storage *storage, struct bo_buffer *out, struct bo_error *error);
int bo_backup_schedule_to_json(const struct bo_backup_schedule *schedule, struct bo_buffer *out,
                               struct bo_error *error);
/* Whichever it is. A Secret is never written (BO_CLASS_UNSUPPORTED). */
int bo_manifest_to_json(const struct bo_manifest *manifest, struct bo_buffer *out, struct bo_error *error);
/* Just the status, for a patch: {"state":...}. */
int bo_backup_run_status_to_json(const struct bo_backup_run_status *status, struct bo_buffer *out,
                                 struct bo_error *error);
int bo_backup_storage_status_to_json(const struct bo_backup_storage_status *status, struct bo_buffer *out,
                                     struct bo_error *error);
int bo_backup_schedule_status_to_json(const struct bo_backup_schedule_status *status, struct bo_buffer *out,
                                      struct bo_error *error);
/* {"metadata":{...},"spec":PodSpec}, what a platform starts a workload from; "{}" for NULL. */
int bo_pod_template_to_json(const struct bo_pod_template *pod_template, struct bo_buffer *out, struct bo_error *error);

#endif
