/* Manifests: whatever the input, reading ends, in bounded memory; and what is found valid survives being written as
 * JSON and read again. */
#include "core/api/api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads an object that was written as `json` and writes it again. False where its numbers do not fit JSON: in fields of
 * ours those are refused, not rounded. */
static bool again(const struct bo_buffer *json, struct bo_buffer *out) {
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  struct bo_error error = BO_ERROR_INIT;
  if (bo_manifest_from_json(bo_buffer_text(json), json->size, "json", &set, &error) == BO_OK)
    return bo_manifest_to_json(&set.manifests[0], out, &error) == BO_OK;
  if (strstr(error.text, "whole number") == NULL && strstr(error.text, "4 MiB") == NULL) abort();
  return false;
}

/* The first text may hold numbers, in what is kept unread, that JSON's doubles round: from then on nothing changes. */
static void check_round_trip(const struct bo_manifest *manifest) {
  BO_CLEANUP_BUFFER struct bo_buffer first = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer second = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer third = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  int result = bo_manifest_to_json(manifest, &first, &error);
  if (result != BO_OK) abort();
  if (!again(&first, &second) || !again(&second, &third)) return;
  if (strcmp(bo_buffer_text(&second), bo_buffer_text(&third)) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  struct bo_error error = BO_ERROR_INIT;
  int result = bo_manifest_parse(data, size, "fuzz", &set, &error);
  if ((result == BO_OK) != (set.error_count == 0)) abort();
  for (size_t i = 0; i < set.manifest_count; i++)
    if (set.manifests[i].valid && set.manifests[i].secret == NULL) check_round_trip(&set.manifests[i]);
  return 0;
}
