/* tests/unit/api/support.h - manifests from text and files, and the problems found in them. */
#ifndef BO_TESTS_API_SUPPORT_H
#define BO_TESTS_API_SUPPORT_H

#include "core/api/api.h"
#include "core/base/io.h"
#include "tests/support/unit.h"

/* Tests are started in the project's folder. */
static inline int parse_file(const char *path, struct bo_manifest_set *set, struct bo_error *error) {
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  ck_assert_msg(bo_read_file(path, BO_MANIFEST_MAX_BYTES, &text, error) == BO_OK, "%s", error->text);
  return bo_manifest_parse(text.bytes, text.size, path, set, error);
}

static inline int parse(const char *text, struct bo_manifest_set *set, struct bo_error *error) {
  return bo_manifest_parse(text, strlen(text), "test.yaml", set, error);
}

/* All problems, a line each. The caller frees. */
static inline char *problems_of(const struct bo_manifest_set *set) {
  struct bo_buffer all = BO_BUFFER_INIT;
  for (size_t i = 0; i < set->problem_count; i++) {
    ck_assert(bo_problem_append(set, &set->problems[i], &all));
    ck_assert(bo_buffer_append_text(&all, "\n"));
  }
  ck_assert(bo_buffer_append_text(&all, ""));
  return bo_buffer_take(&all);
}

#endif
