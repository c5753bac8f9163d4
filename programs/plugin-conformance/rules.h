/*
 * rules.h - what a rule is, and what its function may use.
 *
 * A rule is one row: the sentence that must hold, why, how to mend a plugin that breaks it, and a function that finds
 * out. --list, --explain, docs/conformance.md and every report come from these rows. The function runs in a process of
 * its own (child.h), so it may crash, hang or be ended at once: conf_broken() gives the verdict and never returns. A
 * function that returns says that the rule holds.
 *
 * Rules call the plugin's own tables, below the checked wrappers of core/plugin, which would hide its mistakes.
 */
#ifndef BO_CONFORMANCE_RULES_H
#define BO_CONFORMANCE_RULES_H

#include <backup-operator/plugin.h>
#include <limits.h>

#include "core/plugin/config.h"
#include "core/plugin/loader.h"

#define CONF_KIND(kind) (1U << (kind))
#define CONF_TRANSFORM (CONF_KIND(BO_KIND_COMPRESS) | CONF_KIND(BO_KIND_CRYPT))
#define CONF_CRYPT CONF_KIND(BO_KIND_CRYPT)
#define CONF_STORAGE CONF_KIND(BO_KIND_STORAGE)
#define CONF_PLATFORM CONF_KIND(BO_KIND_PLATFORM)
#define CONF_ANY (CONF_TRANSFORM | CONF_STORAGE | CONF_PLATFORM)

#define CONF_PAIRS_MAX 64

/* What the user gave to make the plugin run. Every rule reads the secrets' files anew. */
struct conf_settings {
  const char *file;                             /* the plugin */
  struct bo_pair parameters[CONF_PAIRS_MAX];    /* {tmp} in a value becomes the rule's own fresh folder */
  struct bo_pair secrets[CONF_PAIRS_MAX];       /* name and file */
  struct bo_pair wrong[CONF_PAIRS_MAX];         /* parameters with which the place must be found missing */
  struct bo_pair wrong_secrets[CONF_PAIRS_MAX]; /* name and file: a well-formed key that does not fit */
  size_t parameter_count, secret_count, wrong_count, wrong_secret_count;
  const char *template_file; /* platforms: the workload's template, JSON */
};

/* One rule's run, in its child. */
struct conf {
  const struct conf_rule *rule;
  const struct conf_settings *settings;
  struct bo_loaded_plugin *plugin; /* NULL in rules that look at the file alone (static) */
  char folder[PATH_MAX];           /* fresh, empty, removed afterwards */
  char prefix[64];                 /* of every key that this rule makes */
};

struct conf_rule {
  const char *id;
  unsigned kinds;    /* CONF_ bits */
  bool alone;        /* looks at the file, before anything of it runs: gets no loaded plugin */
  bool slow;         /* left out with --quick */
  const char *after; /* a rule without which this one says nothing new: not tried when that is broken. May be NULL */
  const char *sentence;
  const char *why;
  const char *mend;
  void (*run)(struct conf *conf);
};

/* Every rule, in the order of reports; ends with a row without an id. */
const struct conf_rule *conf_rules(void);
const struct conf_rule *conf_rule_find(const char *id);
/* The name of the profile that an id belongs to ("storage"). */
const char *conf_profile(const char *id);

/* The rows of each file rules_*.c, ended by a row without an id. */
extern const struct conf_rule conf_static_rules[];
extern const struct conf_rule conf_life_rules[];
extern const struct conf_rule conf_transform_rules[];
extern const struct conf_rule conf_storage_rules[];
extern const struct conf_rule conf_object_rules[];
extern const struct conf_rule conf_platform_rules[];
extern const struct conf_rule conf_fault_rules[];
extern const struct conf_rule conf_secret_rules[];
extern const struct conf_rule conf_abi_rules[];

/* ---- verdicts, in the child; they end its process ---- */

_Noreturn void conf_broken(const char *format, ...) BO_PRINTF(1, 2);
/* It cannot be tried here, and the text says what it would need. */
_Noreturn void conf_skip(const char *format, ...) BO_PRINTF(1, 2);

#define CONF_HOLDS(condition, ...)              \
  do {                                          \
    if (!(condition)) conf_broken(__VA_ARGS__); \
  } while (0)

/* Notes which function of the plugin runs, for the report of a crash or a hang; NULL when it is back. Any thread. */
void conf_at(const char *function);

/* Calls a function of the plugin that fills `error`, which is cleared before. */
#define CONF_CALL(function, call, error)       \
  __extension__({                              \
    *(error) = (struct bo_error)BO_ERROR_INIT; \
    conf_at(function);                         \
    int result_ = (call);                      \
    conf_at(NULL);                             \
    result_;                                   \
  })

/* The same for bo_plugin_init, whose answer is a descriptor. */
#define CONF_CALL_INIT(call)                 \
  __extension__({                            \
    conf_at("bo_plugin_init");               \
    const struct bo_plugin *given_ = (call); \
    conf_at(NULL);                           \
    given_;                                  \
  })

/* ---- things that rules need ---- */

/* The configuration that the user gave, in which the secret `canary` stands beside (NULL: none). `wrong` replaces a
 * parameter, `wrong_secret` (a name and a file) a secret; both may be NULL. */
void conf_config(const struct conf *conf, const struct bo_pair *wrong, const struct bo_pair *wrong_secret,
                 const struct bo_secret *canary, struct bo_parsed_config *config);

/* Bytes that look like noise, the same for the same seed. */
void conf_noise(void *bytes, size_t size, uint64_t seed);
/* Text with repetitions, as a dump has them. */
void conf_text(void *bytes, size_t size);

/* What this process has now, as the kernel and malloc say. */
unsigned conf_count_descriptors(void);
unsigned conf_count_threads(void);
size_t conf_heap_bytes(void); /* 0 where it cannot be told (sanitizers) */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONF_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CONF_SANITIZED 1
#endif
#endif
#ifndef CONF_SANITIZED
#define CONF_SANITIZED 0
#endif

#if defined(__SANITIZE_THREAD__)
#define CONF_THREAD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CONF_THREAD_SANITIZED 1
#endif
#endif
#ifndef CONF_THREAD_SANITIZED
#define CONF_THREAD_SANITIZED 0
#endif

#endif
