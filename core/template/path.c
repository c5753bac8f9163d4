/* The rule that makes an object's key of a rendered path. */
#include "core/base/text.h"
#include "core/template/internal.h"

static int refuse(struct bo_error *error, const char *why) {
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "the path cannot be an object's name: %s", why);
}

/* C0, DEL, and C1 in UTF-8. */
static bool has_control(struct text path) {
  for (size_t at = 0; at < path.size;) {
    uint32_t rune = rune_next(path, &at);
    if (rune < 0x20 || (rune >= 0x7F && rune < 0xA0)) return true;
  }
  return false;
}

static const char *wrong_with_names(struct text path) {
  for (size_t at = 1; at <= path.size;) {
    size_t end = text_find(path, TEXT("/"), at);
    if (end == SIZE_MAX) end = path.size;
    struct text name = text_part(path, at, end);
    if (name.size == 0) return "there is an empty name in it; write single slashes and none at the end";
    if (text_is(name, ".") || text_is(name, "..")) return "\".\" and \"..\" are not allowed in it";
    at = end + 1;
  }
  return NULL;
}

int bo_template_path(const char *rendered, size_t size, struct bo_buffer *key, struct bo_error *error) {
  struct text path = text_trim_space((struct text){rendered, size});
  if (path.size == 0) return refuse(error, "it is empty");
  if (!bo_is_utf8(path.bytes, path.size)) return refuse(error, "it is not valid UTF-8 (was a character cut in two?)");
  if (has_control(path)) return refuse(error, "there is a control character in it, such as a newline");
  if (path.bytes[0] != '/') return refuse(error, "it must begin with a slash");
  const char *why = wrong_with_names(path);
  if (why != NULL) return refuse(error, why);
  if (text_find(path, TEXT("<no value>"), 0) != SIZE_MAX)
    return refuse(error, "a field that its template names is not set; give it a value with `default`");
  if (path.size - 1 > BO_TEMPLATE_KEY_MAX)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the path is too long for an object's name: %zu bytes, at most %d",
                        path.size - 1, BO_TEMPLATE_KEY_MAX);
  return bo_buffer_append(key, path.bytes + 1, path.size - 1) ? BO_OK : bo_error_no_memory(error);
}
