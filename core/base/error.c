#include "core/base/error.h"

#include <errno.h>

static const char *const class_names[] = {
    [BO_CLASS_NONE] = "none",
    [BO_CLASS_CONFIG] = "config",
    [BO_CLASS_AUTH] = "auth",
    [BO_CLASS_NOT_FOUND] = "not-found",
    [BO_CLASS_EXISTS] = "exists",
    [BO_CLASS_CONFLICT] = "conflict",
    [BO_CLASS_CORRUPT] = "corrupt",
    [BO_CLASS_NO_SPACE] = "no-space",
    [BO_CLASS_NO_MEMORY] = "no-memory",
    [BO_CLASS_IO] = "io",
    [BO_CLASS_NETWORK] = "network",
    [BO_CLASS_TIMEOUT] = "timeout",
    [BO_CLASS_CANCELLED] = "cancelled",
    [BO_CLASS_UNDECIDED] = "undecided",
    [BO_CLASS_COMMAND] = "command",
    [BO_CLASS_PROTOCOL] = "protocol",
    [BO_CLASS_UNSUPPORTED] = "unsupported",
    [BO_CLASS_INTERNAL] = "internal",
};

const char *bo_error_class_name(int error_class) {
  if (error_class < 0 || (size_t)error_class >= sizeof(class_names) / sizeof(class_names[0])) return "unknown";
  return class_names[error_class];
}

int bo_error_class_of_errno(int code) {
  switch (code) {
    case ENOENT:
    case ENOTDIR: return BO_CLASS_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY: return BO_CLASS_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS: return BO_CLASS_AUTH;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return BO_CLASS_NO_SPACE;
    case ENOMEM: return BO_CLASS_NO_MEMORY;
    case ETIMEDOUT: return BO_CLASS_TIMEOUT;
    case ECANCELED: return BO_CLASS_CANCELLED;
    case ENAMETOOLONG:
    case EINVAL:
    case ELOOP: return BO_CLASS_CONFIG;
    default: return BO_CLASS_IO;
  }
}

int(bo_error_errno)(struct bo_error *error, int code, const char *format, ...) {
  char what[sizeof(error->text)];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(what, sizeof(what), format, args);
  va_end(args);
  char reason[128];
  /* The GNU strerror_r: it returns the text, which need not be in the buffer. */
  const char *text = strerror_r(code, reason, sizeof(reason));
  return bo_error_set(error, bo_error_class_of_errno(code), code, "%s: %s", what, text);
}

void bo_error_prefix(struct bo_error *error, const char *format, ...) {
  if (error == NULL) return;
  char prefix[256];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(prefix, sizeof(prefix), format, args);
  va_end(args);
  char old[sizeof(error->text)];
  memcpy(old, error->text, sizeof(old));
  old[sizeof(old) - 1] = '\0';
  (void)snprintf(error->text, sizeof(error->text), "%s: %.*s", prefix, (int)(sizeof(old) - sizeof(prefix) - 3), old);
}

int bo_error_no_memory(struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_NO_MEMORY, ENOMEM, "out of memory");
}
