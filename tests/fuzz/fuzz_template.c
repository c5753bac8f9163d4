/* Templates: whatever the template and its data, rendering ends within its limits and gives the same a second time, and
 * a path that is accepted is a key that cannot leave its prefix. The input is the template and, behind a NUL, the data.
 */
#include <stdlib.h>

#include "core/base/text.h"
#include "core/template/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const struct bo_buffer *rendered) {
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  if (bo_template_path(bo_buffer_text(rendered), rendered->size, &key, &error) != BO_OK) return;
  if (key.size == 0 || key.size > BO_TEMPLATE_KEY_MAX || strlen(key.bytes) != key.size) abort();
  if (key.bytes[0] == '/' || key.bytes[key.size - 1] == '/' || !bo_is_utf8(key.bytes, key.size)) abort();
  for (const char *name = key.bytes; name != NULL; name = strchr(name, '/')) {
    name += *name == '/';
    if (strcmp(name, "..") == 0 || strncmp(name, "../", 3) == 0 || strcmp(name, ".") == 0 ||
        strncmp(name, "./", 2) == 0 || *name == '/')
      abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct bo_template_limits limits = {.memory_bytes = 1 << 22, .output_bytes = 1 << 16, .steps = 20000};
  const struct timespec now = {.tv_sec = 1795507745, .tv_nsec = 987654321};
  BO_CLEANUP_BUFFER struct bo_buffer input = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer first = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer second = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT, again = BO_ERROR_INIT;
  if (!bo_buffer_append(&input, data, size)) abort();
  const char *template = bo_buffer_text(&input);
  const char *json = strlen(template) < size ? template + strlen(template) + 1 : NULL;
  int result = bo_template_render(template, json, now, &limits, &first, &error);
  if (bo_template_render(template, json, now, &limits, &second, &again) != result) abort();
  if (first.size != second.size || strcmp(error.text, again.text) != 0) abort();
  if (first.size > 0 && memcmp(first.bytes, second.bytes, first.size) != 0) abort();
  if (result == BO_OK) check_path(&first);
  if (result != BO_OK && strncmp(error.text, "template:", 9) != 0) abort();
  return 0;
}
