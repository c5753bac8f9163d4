/* Documents to objects: which kind each is, and every problem of a file at once, in the order of its lines. */
#include "core/api/fields.h"
#include "core/api/yaml.h"
#include "core/base/text.h"

static const struct {
  const char *kind;
  const char *api_version;
  enum bo_manifest_kind number;
} kinds[] = {
    {"BackupStorage", BO_API_VERSION, BO_MANIFEST_STORAGE},
    {"BackupSchedule", BO_API_VERSION, BO_MANIFEST_SCHEDULE},
    {"BackupRun", BO_API_VERSION, BO_MANIFEST_RUN},
    {"Secret", "v1", BO_MANIFEST_SECRET},
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

/* What is handed from document to document. */
struct reading {
  struct bo_manifest_set *set;
  bool is_manifest;
};

const char *bo_manifest_kind_name(enum bo_manifest_kind kind) {
  for (size_t i = 0; i < KIND_COUNT; i++)
    if (kinds[i].number == kind) return kinds[i].kind;
  return "unknown";
}

/* ---- one object --------------------------------------------------------------------------------------------- */

static void decode_object(struct bo_decoder *decoder, const struct bo_node *node, struct bo_manifest *manifest) {
  struct bo_arena *arena = &decoder->set->arena;
  switch (manifest->kind) {
    case BO_MANIFEST_STORAGE:
      manifest->storage = bo_arena_alloc(arena, sizeof(*manifest->storage));
      if (manifest->storage == NULL) return;
      manifest->meta = &manifest->storage->meta;
      bo_decode(decoder, &bo_backup_storage_fields, node, manifest->storage);
      break;
    case BO_MANIFEST_SCHEDULE:
      manifest->schedule = bo_arena_alloc(arena, sizeof(*manifest->schedule));
      if (manifest->schedule == NULL) return;
      manifest->meta = &manifest->schedule->meta;
      bo_decode(decoder, &bo_backup_schedule_fields, node, manifest->schedule);
      break;
    case BO_MANIFEST_RUN:
      manifest->run = bo_arena_alloc(arena, sizeof(*manifest->run));
      if (manifest->run == NULL) return;
      manifest->meta = &manifest->run->meta;
      bo_decode(decoder, &bo_backup_run_fields, node, manifest->run);
      break;
    case BO_MANIFEST_SECRET:
      manifest->secret = bo_arena_alloc(arena, sizeof(*manifest->secret));
      if (manifest->secret == NULL) return;
      manifest->meta = &manifest->secret->meta;
      bo_decode_secret(decoder, node, manifest->secret);
      break;
  }
}

static bool same_namespace(const struct bo_manifest *manifest, const char *namespace_name) {
  const char *own = manifest->meta->namespace_name;
  if (manifest->kind == BO_MANIFEST_STORAGE) return true;
  return strcmp(own == NULL ? "default" : own, namespace_name == NULL ? "default" : namespace_name) == 0;
}

const struct bo_manifest *bo_manifest_find(const struct bo_manifest_set *set, enum bo_manifest_kind kind,
                                           const char *namespace_name, const char *name) {
  for (size_t i = 0; i < set->manifest_count; i++) {
    const struct bo_manifest *manifest = &set->manifests[i];
    bool same = manifest->kind == kind && manifest->meta->name != NULL && strcmp(manifest->meta->name, name) == 0;
    if (same && same_namespace(manifest, namespace_name)) return manifest;
  }
  return NULL;
}

static void add_manifest(struct reading *reading, struct bo_decoder *decoder, const struct bo_node *node,
                         enum bo_manifest_kind kind) {
  struct bo_manifest_set *set = reading->set;
  struct bo_manifest manifest = {.kind = kind, .line = node->line};
  decode_object(decoder, node, &manifest);
  if (set->arena.failed) return;
  const struct bo_manifest *twin =
      manifest.meta->name == NULL ? NULL
                                  : bo_manifest_find(set, kind, manifest.meta->namespace_name, manifest.meta->name);
  if (twin != NULL)
    bo_decoder_problem(decoder, node, BO_SEVERITY_ERROR, "", "the %s %s is here twice, first in line %u",
                       bo_manifest_kind_name(kind), bo_decoder_quote(decoder, manifest.meta->name), twin->line);
  if (set->manifest_count >= BO_MANIFEST_MAX_OBJECTS) {
    bo_decoder_problem(decoder, node, BO_SEVERITY_ERROR, "", "more than %u objects: split the file",
                       BO_MANIFEST_MAX_OBJECTS);
    return;
  }
  manifest.valid = !decoder->failed;
  struct bo_manifest *grown = reallocarray(set->manifests, set->manifest_count + 1, sizeof(*grown));
  if (grown == NULL) {
    set->arena.failed = true;
    return;
  }
  set->manifests = grown;
  grown[set->manifest_count++] = manifest;
}

/* ---- one document ------------------------------------------------------------------------------------------- */

static const char *text_of(const struct bo_node *node, const char *key) {
  const struct bo_node *member = bo_node_get(node, key);
  return member != NULL && member->type == BO_NODE_STRING ? member->text : NULL;
}

static void read_document(struct reading *reading, const struct bo_node *node, bool inside_list);

static void read_list(struct reading *reading, struct bo_decoder *decoder, const struct bo_node *node) {
  const struct bo_node *items = bo_node_get(node, "items");
  if (items == NULL) return;
  if (items->type != BO_NODE_LIST) {
    bo_decoder_problem(decoder, items, BO_SEVERITY_ERROR, ".items", "must be a list, not %s", bo_node_type_name(items));
    return;
  }
  for (const struct bo_node *item = items->first; item != NULL; item = item->next)
    read_document(reading, item, true);
}

static void read_kind(struct reading *reading, struct bo_decoder *decoder, const struct bo_node *node, const char *kind,
                      const char *api_version) {
  const char *nearest = NULL;
  for (size_t i = 0; i < KIND_COUNT; i++) {
    if (strcmp(kind, kinds[i].kind) == 0 && strcmp(api_version, kinds[i].api_version) == 0) {
      add_manifest(reading, decoder, node, kinds[i].number);
      return;
    }
    if (strcmp(kind, kinds[i].kind) == 0) {
      bo_decoder_problem(decoder, bo_node_get(node, "apiVersion"), BO_SEVERITY_ERROR, ".apiVersion",
                         "must be %s for a %s, not %s", kinds[i].api_version, kind,
                         bo_decoder_quote(decoder, api_version));
      return;
    }
    if (strcasecmp(kind, kinds[i].kind) == 0 || bo_edit_distance(kind, kinds[i].kind) <= 2) nearest = kinds[i].kind;
  }
  bool ours = strncmp(api_version, "backup-operator.io/", strlen("backup-operator.io/")) == 0;
  bo_decoder_problem(decoder, bo_node_get(node, "kind"), ours ? BO_SEVERITY_ERROR : BO_SEVERITY_WARNING, ".kind",
                     "%s is no kind known here%s%s%s", bo_decoder_quote(decoder, kind), ours ? "" : ": ignored",
                     nearest == NULL ? "" : ". Is this meant: ", nearest == NULL ? "" : nearest);
}

static void read_document(struct reading *reading, const struct bo_node *node, bool inside_list) {
  struct bo_decoder decoder = {
      .set = reading->set, .path = BO_BUFFER_INIT, .document = node, .is_manifest = reading->is_manifest};
  const char *kind = text_of(node, "kind");
  const char *api_version = text_of(node, "apiVersion");
  if (node->type != BO_NODE_MAP) {
    bo_decoder_problem(&decoder, node, BO_SEVERITY_ERROR, "", "a manifest is a map, not %s", bo_node_type_name(node));
  } else if (kind == NULL || api_version == NULL) {
    bo_decoder_problem(&decoder, node, BO_SEVERITY_ERROR, kind == NULL ? ".kind" : ".apiVersion",
                       kind == NULL ? "is required, a string: what kind of object this is"
                                    : "is required, a string, such as " BO_API_VERSION);
  } else if (strcmp(kind, "List") == 0 && strcmp(api_version, "v1") == 0 && !inside_list) {
    read_list(reading, &decoder, node);
  } else {
    read_kind(reading, &decoder, node, kind, api_version);
  }
  bo_buffer_free(&decoder.path);
}

/* ---- a whole text ------------------------------------------------------------------------------------------- */

static void add_error(struct bo_manifest_set *set, unsigned line, unsigned column, const char *text) {
  struct bo_node place = {.line = line, .column = column};
  struct bo_decoder decoder = {.set = set, .path = BO_BUFFER_INIT, .document = &place};
  bo_decoder_problem(&decoder, &place, BO_SEVERITY_ERROR, "", "%s", text);
}

/* cJSON ends a string at this escape, silently. */
static bool has_nul_escape(const char *json, size_t size) {
  for (size_t i = 0; i + 1 < size; i++) {
    if (json[i] != '\\') continue;
    if (size - i >= 6 && memcmp(json + i, "\\u0000", 6) == 0) return true;
    i++;
  }
  return false;
}

static int read_json(struct reading *reading, const char *json, size_t size, struct bo_error *error) {
  struct bo_node_source source = {.arena = &reading->set->arena, .nodes_left = BO_NODE_MAX_COUNT};
  struct bo_node *root = NULL;
  const char *end = NULL;
  if (!bo_is_utf8(json, size) || memchr(json, '\0', size) != NULL || has_nul_escape(json, size))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "this is not JSON in UTF-8 without NUL characters");
  cJSON *tree = cJSON_ParseWithLengthOpts(json, size, &end, false);
  while (tree != NULL && end < json + size && strchr(" \t\r\n", *end) != NULL)
    end++;
  int result = tree != NULL && end == json + size ? bo_node_from_cjson(&source, tree, &root, error)
                                                  : bo_error_set(error, BO_CLASS_CONFIG, 0, "this is not valid JSON");
  cJSON_Delete(tree);
  if (result == BO_OK && root != NULL) read_document(reading, root, false);
  return result;
}

static int read_yaml(struct reading *reading, const char *bytes, size_t size, struct bo_error *error) {
  struct bo_yaml_reader reader;
  int result = bo_yaml_open(&reader, &reading->set->arena, bytes, size, error);
  while (result == BO_OK) {
    struct bo_node *root = NULL;
    result = bo_yaml_next(&reader, &root, error);
    if (result == BO_OK && root != NULL) read_document(reading, root, false);
  }
  unsigned line = reader.source.line;
  unsigned column = reader.source.column;
  bo_yaml_close(&reader);
  if (result == BO_DONE) return BO_OK;
  /* YAML 1.1 has no surrogate pairs, JSON does: text that is JSON is read as such, without places. */
  bool may_be_json = size > 0 && bytes[0] == '{' && reading->set->manifest_count == 0;
  if (may_be_json && read_json(reading, bytes, size, NULL) == BO_OK) return BO_OK;
  if (error->error_class != BO_CLASS_NO_MEMORY) add_error(reading->set, line, column, error->text);
  return result;
}

/* Stable, and the list is short. */
static void sort_problems(struct bo_manifest_set *set) {
  for (size_t i = 1; i < set->problem_count; i++) {
    struct bo_problem moved = set->problems[i];
    size_t j = i;
    for (; j > 0; j--) {
      const struct bo_problem *before = &set->problems[j - 1];
      if (before->line < moved.line || (before->line == moved.line && before->column <= moved.column)) break;
      set->problems[j] = *before;
    }
    set->problems[j] = moved;
  }
}

bool bo_problem_append(const struct bo_manifest_set *set, const struct bo_problem *problem, struct bo_buffer *out) {
  (void)bo_buffer_append_text(out, set->source);
  if (problem->line > 0) (void)bo_buffer_printf(out, ":%u", problem->line);
  if (problem->column > 0) (void)bo_buffer_printf(out, ":%u", problem->column);
  (void)bo_buffer_printf(out, ": %s: ", problem->severity == BO_SEVERITY_ERROR ? "error" : "warning");
  if (*problem->path != '\0') (void)bo_buffer_printf(out, "%s: ", problem->path);
  return bo_buffer_append_text(out, problem->text) && !out->failed;
}

/* The first error of the set, as the function's own. */
static int finish(struct bo_manifest_set *set, struct bo_error *error) {
  if (set->arena.failed) return bo_error_no_memory(error);
  sort_problems(set);
  if (set->error_count == 0) return BO_OK;
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  for (size_t i = 0; i < set->problem_count && text.size == 0; i++)
    if (set->problems[i].severity == BO_SEVERITY_ERROR) (void)bo_problem_append(set, &set->problems[i], &text);
  if (set->error_count > 1) (void)bo_buffer_printf(&text, " (and %zu more)", set->error_count - 1);
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s", bo_buffer_text(&text));
}

static int begin(struct bo_manifest_set *set, const char *source, size_t size, struct bo_error *error) {
  memset(set, 0, sizeof(*set));
  set->source = bo_arena_copy(&set->arena, source, strlen(source));
  if (set->source == NULL) return bo_error_no_memory(error);
  if (size <= BO_MANIFEST_MAX_BYTES) return BO_OK;
  add_error(set, 0, 0, "larger than 4 MiB: this is no manifest, or it should be split");
  return finish(set, error);
}

int bo_manifest_parse(const void *bytes, size_t size, const char *source, struct bo_manifest_set *set,
                      struct bo_error *error) {
  struct reading reading = {.set = set, .is_manifest = true};
  struct bo_error own = BO_ERROR_INIT;
  int result = begin(set, source, size, error);
  if (result != BO_OK) return result;
  result = read_yaml(&reading, bytes, size, &own);
  return result != BO_OK && own.error_class == BO_CLASS_NO_MEMORY ? bo_error_no_memory(error) : finish(set, error);
}

int bo_manifest_from_json(const char *json, size_t size, const char *source, struct bo_manifest_set *set,
                          struct bo_error *error) {
  struct reading reading = {.set = set, .is_manifest = false};
  struct bo_error own = BO_ERROR_INIT;
  int result = begin(set, source, size, error);
  if (result != BO_OK) return result;
  result = read_json(&reading, json, size, &own);
  if (result != BO_OK && own.error_class == BO_CLASS_NO_MEMORY) return bo_error_no_memory(error);
  if (result != BO_OK) add_error(set, 0, 0, own.text);
  return finish(set, error);
}

void bo_manifest_set_free(struct bo_manifest_set *set) {
  bo_arena_free(&set->arena);
  free(set->manifests);
  free(set->problems);
  memset(set, 0, sizeof(*set));
}
