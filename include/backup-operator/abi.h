/*
 * backup-operator/abi.h - what every plugin shares with its host, whatever its kind.
 *
 * A plugin is one shared object, `<kind>-<name>.so`, that exports one symbol, `bo_plugin_init`. The host calls it
 * once, hands in its services and gets a descriptor back. Nothing else is linked: a plugin has no undefined symbol
 * of the host, so it loads under any host that speaks this header.
 *
 * Versions. Every table that crosses the line begins with its own size in bytes, then the ABI's major and minor
 * number. A reader copies min(size, what it knows) and takes the rest as zero. The same major is required. While the
 * major is 0 the minor must be equal too, and anything may change. From 1 on fields are only ever appended.
 *
 * Strings are UTF-8 and end in NUL. Sizes are in bytes. Times have their unit in their name.
 * Memory: whoever allocates frees. Nothing that the host passes in may be kept after the call returns, unless the
 * function's comment says so.
 *
 * Threads: one instance (what an `open` returned, with all that was opened from it) is called by one thread at a
 * time; it need not always be the same one. Only functions whose comment says "any thread" may be called while
 * another call is running. A plugin may own threads between open and close: they block all signals and are joined
 * in close. There are no globals that change and no thread-locals: two instances may run at once.
 */
#ifndef BACKUP_OPERATOR_ABI_H
#define BACKUP_OPERATOR_ABI_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BO_ABI_MAJOR 0
#define BO_ABI_MINOR 1

/* Begins every table. `size` is sizeof the whole table as its author knew it. */
struct bo_header {
  uint32_t size;
  uint16_t abi_major;
  uint16_t abi_minor;
};

#define BO_HEADER(type) \
  { (uint32_t)sizeof(type), BO_ABI_MAJOR, BO_ABI_MINOR }

#if defined(__GNUC__)
#define BO_EXPORT __attribute__((visibility("default")))
#define BO_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define BO_EXPORT
#define BO_PRINTF(text, first)
#endif

/* ---- results and errors ------------------------------------------------------------------------------------- */

/* What a function returns. A plugin reports a passing fault as BO_RETRY and leaves repeating it to the host. */
enum bo_result {
  BO_OK = 0,
  BO_RETRY = 1,      /* failed; the same call may succeed later */
  BO_ERROR = 2,      /* failed; a repeat is pointless or unsafe */
  BO_AGAIN = 3,      /* transform: output is full or there is more of it; call again */
  BO_NEED_INPUT = 4, /* transform: all input is consumed, and with BO_FLUSH all of it has come out */
  BO_DONE = 5        /* transform: answer to BO_END: the stream is whole and all of its output has been given */
};

/* What kind of thing went wrong: the host decides by it, people read the text. */
enum bo_error_class {
  BO_CLASS_NONE = 0,
  BO_CLASS_CONFIG = 1,       /* a parameter or secret is missing or malformed */
  BO_CLASS_AUTH = 2,         /* not permitted, or credentials refused */
  BO_CLASS_NOT_FOUND = 3,    /* the object, bucket, folder, workload is not there */
  BO_CLASS_EXISTS = 4,       /* something is there already */
  BO_CLASS_CONFLICT = 5,     /* it changed meanwhile (if-match) */
  BO_CLASS_CORRUPT = 6,      /* the data are not what they must be: cut, altered, not authentic */
  BO_CLASS_NO_SPACE = 7,     /* the target is full, or a quota is used up */
  BO_CLASS_NO_MEMORY = 8,    /* out of memory, or a stated budget would be passed */
  BO_CLASS_IO = 9,           /* a local read or write failed */
  BO_CLASS_NETWORK = 10,     /* a connection failed, was reset or timed out */
  BO_CLASS_TIMEOUT = 11,     /* a deadline passed */
  BO_CLASS_CANCELLED = 12,   /* the host asked to stop */
  BO_CLASS_UNDECIDED = 13,   /* it cannot be told whether the thing happened; the text says what may exist */
  BO_CLASS_COMMAND = 14,     /* the user's command failed */
  BO_CLASS_PROTOCOL = 15,    /* the other side broke its protocol */
  BO_CLASS_UNSUPPORTED = 16, /* asked for something this plugin does not do */
  BO_CLASS_INTERNAL = 17     /* a defect in the program itself */
};

/* An error as a value. The caller owns it and sets `size`; the callee fills the rest on failure, through
 * bo_error_set. `text` says what failed, why, and what to do about it; it never holds a secret. */
struct bo_error {
  uint32_t size;
  int32_t error_class;    /* enum bo_error_class */
  int32_t code;           /* an errno value where one fits, else 0 */
  char provider_code[64]; /* the backend's own code, such as "NoSuchBucket"; may be empty */
  char text[1024];
};

#define BO_ERROR_INIT                               \
  {                                                 \
    (uint32_t)sizeof(struct bo_error), 0, 0, {0}, { \
      0                                             \
    }                                               \
  }

/* Fills `error` (may be NULL), cutting the text if it is too long. Returns BO_ERROR, so that it can end a function. */
static inline int bo_error_vset(struct bo_error *error, int error_class, int code, const char *format, va_list args)
    BO_PRINTF(4, 0);
static inline int bo_error_vset(struct bo_error *error, int error_class, int code, const char *format, va_list args) {
  if (error != NULL) {
    error->error_class = error_class;
    error->code = code;
    error->provider_code[0] = '\0';
    if (vsnprintf(error->text, sizeof(error->text), format, args) < 0) error->text[0] = '\0';
  }
  return BO_ERROR;
}

static inline int bo_error_set(struct bo_error *error, int error_class, int code, const char *format, ...)
    BO_PRINTF(4, 5);
static inline int bo_error_set(struct bo_error *error, int error_class, int code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)bo_error_vset(error, error_class, code, format, args);
  va_end(args);
  return BO_ERROR;
}

#ifdef __clang_analyzer__
/* The analyzer does not look into variadic functions, and would take a failure's result for unknown. */
#define bo_error_set(...) ((void)(bo_error_set)(__VA_ARGS__), BO_ERROR)
#endif

/* ---- the host's services ------------------------------------------------------------------------------------ */

enum bo_log_level { BO_LOG_DEBUG = 0, BO_LOG_INFO = 1, BO_LOG_WARNING = 2, BO_LOG_ERROR = 3 };

/* Every function may be called from any thread, also from the plugin's own. The table that an `open` gets belongs to
 * that instance and lives until its close; the one that bo_plugin_init gets lives as long as the plugin is loaded. */
struct bo_host {
  struct bo_header header;
  uint64_t features; /* BO_FEATURE_ bits that this host offers */
  void *context;     /* first argument of each function below */

  /* Memory, as malloc, realloc and free. NULL when there is no more: a plugin fails with BO_CLASS_NO_MEMORY then. */
  void *(*alloc)(void *context, size_t size);
  void *(*realloc)(void *context, void *memory, size_t size);
  void (*free)(void *context, void *memory);

  /* One line, without a newline and without secrets. */
  void (*log)(void *context, int level, const char *text);

  /* Non-zero once the instance should stop what it does and fail with BO_CLASS_CANCELLED. */
  int (*cancelled)(void *context);

  /* Sleeps; returns 0 after the whole time, non-zero at once when cancelled. */
  int (*sleep_ms)(void *context, uint32_t milliseconds);

  /* A clock that never jumps, in nanoseconds since an arbitrary start. */
  uint64_t (*monotonic_ns)(void *context);

  /* Fills with bytes fit for keys. Returns 0, or non-zero when there is no randomness: fail then. */
  int (*random)(void *context, void *bytes, size_t size);
};

/* For the first line of bo_plugin_init: does the host speak this header's ABI? BO_OK, or BO_ERROR that says what was
 * wanted and what was found. */
static inline int bo_host_check(const struct bo_host *host, struct bo_error *error) {
  if (host == NULL || host->header.size < sizeof(struct bo_host) || host->header.abi_major != BO_ABI_MAJOR ||
      (BO_ABI_MAJOR == 0 && host->header.abi_minor != BO_ABI_MINOR))
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0,
                        "the plugin speaks ABI %d.%d with a host's table of at least %u bytes, but the host offers "
                        "ABI %u.%u with %u: use a plugin and a host of the same release",
                        BO_ABI_MAJOR, BO_ABI_MINOR, (unsigned)sizeof(struct bo_host),
                        host == NULL ? 0U : (unsigned)host->header.abi_major,
                        host == NULL ? 0U : (unsigned)host->header.abi_minor, host == NULL ? 0U : host->header.size);
  return BO_OK;
}

/* Features a host may offer and a plugin may require. None so far: a plugin that requires a bit its host does not
 * offer is refused with a message that names it. */
#define BO_HOST_FEATURES UINT64_C(0)

/* ---- configuration ------------------------------------------------------------------------------------------ */

enum bo_param_type {
  BO_TYPE_STRING = 1,
  BO_TYPE_BOOL = 2,    /* 1, t, T, TRUE, true, True and their opposites, as Go's strconv.ParseBool */
  BO_TYPE_INTEGER = 3, /* decimal, within [minimum, maximum] */
  BO_TYPE_SIZE = 4,    /* bytes: 4096, 64KiB, 16MiB, 5GiB, also k, M, G as powers of 1000 */
  BO_TYPE_SECONDS = 5, /* 90, 90s, 15m, 2h */
  BO_TYPE_ENUM = 6     /* one of `choices` */
};

#define BO_PARAM_REQUIRED 0x1u
#define BO_PARAM_SECRET 0x2u   /* comes from the secrets, never from the plain parameters; redacted everywhere */
#define BO_PARAM_REPEATED 0x4u /* may be given several times; only with BO_PARAM_SECRET or BO_TYPE_STRING */

/* One line of a plugin's configuration table. From it come parsing, error messages, help, docs and redaction. */
struct bo_param {
  const char *key;           /* [A-Za-z][A-Za-z0-9]* */
  int32_t type;              /* enum bo_param_type */
  uint32_t flags;            /* BO_PARAM_ bits */
  const char *default_value; /* as text, NULL for none */
  int64_t minimum;           /* INTEGER, SIZE, SECONDS; both 0: no bounds. STRING: bounds of the length */
  int64_t maximum;
  const char *choices;     /* ENUM: "a|b|c" */
  const char *description; /* one or two sentences for people */
};

/* A parsed value; which member counts follows from the parameter's type. */
struct bo_value {
  int32_t is_set; /* given by the user or by a default */
  int32_t reserved;
  int64_t integer;    /* INTEGER, SIZE, SECONDS; BOOL: 0 or 1; ENUM: position in `choices` */
  const char *string; /* the text for every type; for STRING the value. NULL when not set. REPEATED: the first */
};

/* A secret by name. Its bytes may hold NUL; one NUL, not counted in `size`, always follows. */
struct bo_secret {
  const char *name;
  const unsigned char *bytes;
  size_t size;
};

/* A name and a value, for repeated parameters and for an object's metadata. */
struct bo_pair {
  const char *name;
  const char *value;
};

/* What an `open` is given. It lives until the open returns: a plugin copies what it keeps, and cleanses copies of
 * secrets in close. */
struct bo_config {
  struct bo_header header;
  const struct bo_value *values; /* one for each line of the plugin's table, in its order */
  uint32_t value_count;
  uint32_t secret_count;
  const struct bo_secret *secrets; /* every secret that was given, in order; a name may occur more than once */
  const struct bo_pair *repeated;  /* every value of REPEATED plain parameters, in order */
  uint32_t repeated_count;
  uint32_t reserved;
};

/* ---- the descriptor ----------------------------------------------------------------------------------------- */

enum bo_kind { BO_KIND_STORAGE = 1, BO_KIND_COMPRESS = 2, BO_KIND_CRYPT = 3, BO_KIND_PLATFORM = 4 };

/* What a plugin is. It and all it points to are constant and live as long as the plugin is loaded. */
struct bo_plugin {
  struct bo_header header;
  uint64_t required_features; /* BO_FEATURE_ bits without which the plugin cannot work */
  int32_t kind;               /* enum bo_kind; the file is named <kind>-<name>.so */
  uint32_t capabilities;      /* the kind's BO_CAN_ bits */
  const char *name;           /* [a-z0-9-]{1,32} */
  const char *version;        /* the plugin's own */
  const char *license;        /* SPDX expression */
  const char *origin;         /* who makes it, where to get help */
  const char *description;    /* one line */
  uint32_t threads;           /* the most threads of its own that one instance runs; 0 for none */
  uint32_t param_count;
  uint32_t param_size; /* sizeof(struct bo_param) as the plugin knew it */
  uint32_t reserved;
  const struct bo_param *params;
  const void *operations; /* the kind's table, which begins with a struct bo_header */
};

/* The one exported symbol. `host` lives as long as the plugin. On failure returns NULL and fills `error`.
 * It must not start threads, open files or read the environment. */
#define BO_PLUGIN_INIT_SYMBOL "bo_plugin_init"
typedef const struct bo_plugin *bo_plugin_init_function(const struct bo_host *host, struct bo_error *error);

BO_EXPORT const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error);

#ifdef __cplusplus
}
#endif
#endif
