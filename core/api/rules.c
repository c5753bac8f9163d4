/* Rules for single strings that several kinds share. Names follow RFC 1123, as the Kubernetes API has them. */
#include "core/api/fields.h"

static bool is_lower_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* [a-z0-9]([-a-z0-9]*[a-z0-9])? of `length` bytes. */
static bool is_label(const char *text, size_t length) {
  if (length == 0 || !is_lower_alphanumeric(text[0]) || !is_lower_alphanumeric(text[length - 1])) return false;
  for (size_t i = 0; i < length; i++)
    if (!is_lower_alphanumeric(text[i]) && text[i] != '-') return false;
  return true;
}

const char *bo_rule_label(const char *text) {
  size_t length = strlen(text);
  return length <= 63 && is_label(text, length)
             ? NULL
             : "must be 1 to 63 lower-case letters, digits and '-', with a letter or digit at both ends";
}

const char *bo_rule_subdomain(const char *text) {
  static const char *const wrong =
      "must be 1 to 253 lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each part";
  if (strlen(text) > 253) return wrong;
  for (;;) {
    size_t length = strcspn(text, ".");
    if (!is_label(text, length)) return wrong;
    if (text[length] == '\0') return NULL;
    text += length + 1;
  }
}

const char *bo_rule_plugin_name(const char *text) {
  size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
  return length > 0 && length <= 32 && text[length] == '\0'
             ? NULL
             : "must be a plugin's name: 1 to 32 lower-case letters, digits and '-'";
}

const char *bo_rule_not_empty(const char *text) {
  return *text != '\0' ? NULL : "must not be empty";
}

void bo_check_name(struct bo_decoder *decoder, const struct bo_node *object, const struct bo_object_meta *meta,
                   size_t longest) {
  if (meta->name == NULL || strlen(meta->name) <= longest) return;
  bo_decoder_problem(decoder, bo_node_get(bo_node_get(object, "metadata"), "name"), BO_SEVERITY_ERROR, ".metadata.name",
                     "must be at most %zu characters long, not %zu", longest, strlen(meta->name));
}
