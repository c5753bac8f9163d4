/* What follows every call of a plugin, whatever its kind: the trace line, and a result that can be relied on. */
#include "core/base/text.h"
#include "core/plugin/checked_internal.h"

static const char *result_name(int result) {
  static const char *const names[] = {"ok", "retry", "error", "again", "need input", "done"};
  return result >= BO_OK && result <= BO_DONE ? names[result] : "nonsense";
}

const char *bo_checked_detail(char detail[BO_DETAIL_MAX], const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)vsnprintf(detail, BO_DETAIL_MAX, format, args);
  va_end(args);
  return detail;
}

int bo_checked_broke(struct bo_plugin_host *host, atomic_bool *broken, struct bo_error *error, const char *format,
                     ...) {
  char text[600];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  atomic_store(broken, true);
  return bo_error_set(error, BO_CLASS_INTERNAL, 0, "the plugin %s broke its contract: %s", host->source, text);
}

int bo_checked_refuse(const struct bo_plugin_host *host, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_INTERNAL, 0, "the plugin %s broke its contract before and is not called again",
                      host->source);
}

static bool is_control(char character) {
  return (unsigned char)character < 0x20 || character == 0x7f;
}

bool bo_checked_is_plain(const char *text, size_t room) {
  size_t length = strnlen(text, room);
  if (length == room || !bo_is_utf8(text, length)) return false;
  for (size_t i = 0; i < length; i++)
    if (is_control(text[i])) return false;
  return true;
}

/* Foreign text, cut where the plugin did not end it: it must not be able to forge a line of its own, to steer a
 * terminal, or to make JSON invalid. */
static void clean(char *text, size_t room) {
  BO_CLEANUP_BUFFER struct bo_buffer safe = BO_BUFFER_INIT;
  (void)bo_append_printable(&safe, text, strnlen(text, room - 1));
  size_t length = safe.size < room - 1 ? safe.size : room - 1;
  while (length < safe.size && length > 0 && ((unsigned char)safe.bytes[length] & 0xC0) == 0x80)
    length--; /* not within a character */
  for (size_t i = 0; i < length; i++)
    text[i] = is_control(safe.bytes[i]) ? ' ' : safe.bytes[i];
  text[length] = '\0';
}

int bo_checked_result(struct bo_plugin_host *host, atomic_bool *broken, const char *function, const char *detail,
                      int result, unsigned allowed, struct bo_error *error) {
  bool failed = result == BO_RETRY || result == BO_ERROR;
  if (failed) {
    error->size = sizeof(*error);
    clean(error->text, sizeof(error->text));
    clean(error->provider_code, sizeof(error->provider_code));
  }
  bo_log_printf(host->log, BO_LOG_DEBUG, host->source, "%s(%s) = %s%s%s", function, detail, result_name(result),
                failed ? ": " : "", failed ? error->text : "");
  if (result < 0 || result > BO_DONE || (allowed & (1U << (unsigned)result)) == 0)
    return bo_checked_broke(host, broken, error, "%s() answered %d", function, result);
  if (!failed) return result;
  int error_class = error->error_class;
  if (error->text[0] == '\0')
    (void)bo_error_set(error, BO_CLASS_INTERNAL, error->code, "%s: %s() failed without saying why", host->source,
                       function);
  bool known = error_class > BO_CLASS_NONE && error_class <= BO_CLASS_INTERNAL;
  error->error_class = known ? error_class : BO_CLASS_INTERNAL;
  return result;
}
