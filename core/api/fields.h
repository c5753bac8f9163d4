/*
 * core/api/fields.h - one table for each struct: how its fields are named, typed, defaulted and bounded. From the same
 * table come decoding, the report of unknown fields, and encoding, and the tests hold the reference pages against it.
 *
 * A field that is absent, or null, gets its default. Lists and strings lie in the decoder's arena.
 */
#ifndef BO_API_FIELDS_H
#define BO_API_FIELDS_H

#include "core/api/api.h"
#include "core/api/node.h"

enum bo_field_type {
  BO_FIELD_STRING,          /* const char *; NULL when absent */
  BO_FIELD_INTEGER,         /* struct bo_optional */
  BO_FIELD_TIME,            /* struct bo_optional, seconds since 1970; RFC 3339 outside */
  BO_FIELD_BOOL,            /* bool; absent is false */
  BO_FIELD_STRINGS,         /* struct bo_strings */
  BO_FIELD_STRING_MAP,      /* struct bo_string_map */
  BO_FIELD_JSON,            /* const char *: a value kept as JSON and not judged; NULL when absent */
  BO_FIELD_STRUCT,          /* a struct in place, with its defaults even when absent */
  BO_FIELD_OPTIONAL_STRUCT, /* a pointer to a struct; NULL when absent */
  BO_FIELD_STRUCTS,         /* a list of structs: {items, count} */
  BO_FIELD_CONSTANT,        /* nothing in memory: default_value is what is written */
  BO_FIELD_IGNORED          /* known, of no use here, not written */
};

#define BO_FIELD_REQUIRED 0x1u
#define BO_FIELD_SENSITIVE 0x2u /* its value is never quoted in a message */

struct bo_decoder;
struct bo_fields;

/* NULL when the text will do, else what it must be: "must be ...". Static. */
typedef const char *bo_field_rule(const char *text);

struct bo_field {
  const char *name;
  enum bo_field_type type;
  uint32_t flags;
  size_t offset;
  const struct bo_fields *fields; /* of the struct, or of each item */
  const char *default_value;      /* STRING, INTEGER, CONSTANT */
  int64_t minimum;                /* INTEGER; both 0: no bounds */
  int64_t maximum;
  const char *choices; /* STRING: "a|b|c" */
  bo_field_rule *rule; /* STRING, and each of STRINGS */
  const char *help;    /* what it is, for the message that it is missing */
};

struct bo_fields {
  size_t size; /* of the struct */
  const struct bo_field *list;
  size_t count;
  /* Rules that concern several fields; may be NULL. `value` is what could be decoded of `node`, a map. */
  void (*check)(struct bo_decoder *decoder, const struct bo_node *node, void *value);
};

/* The entries of a table: the field's name, the struct (`in`) and its member. Most check that the member has the type
 * that its field's type means. Names of types and members take no parentheses: NOLINTBEGIN(bugprone-macro-parentheses)
 */
#define BO_MEMBER(in, member, wanted) _Generic(((in *)0)->member, wanted : offsetof(in, member))
#define BO_STRING(field, in, member, ...) \
  { .name = field, .type = BO_FIELD_STRING, .offset = BO_MEMBER(in, member, const char *), __VA_ARGS__ }
#define BO_INTEGER(field, in, member, ...) \
  { .name = field, .type = BO_FIELD_INTEGER, .offset = BO_MEMBER(in, member, struct bo_optional), __VA_ARGS__ }
#define BO_TIME(field, in, member) \
  { .name = field, .type = BO_FIELD_TIME, .offset = BO_MEMBER(in, member, struct bo_optional) }
#define BO_BOOL(field, in, member) \
  { .name = field, .type = BO_FIELD_BOOL, .offset = BO_MEMBER(in, member, bool) }
#define BO_STRINGS(field, in, member, ...) \
  { .name = field, .type = BO_FIELD_STRINGS, .offset = BO_MEMBER(in, member, struct bo_strings), __VA_ARGS__ }
#define BO_STRING_MAP(field, in, member) \
  { .name = field, .type = BO_FIELD_STRING_MAP, .offset = BO_MEMBER(in, member, struct bo_string_map) }
#define BO_JSON(field, in, member, ...) \
  { .name = field, .type = BO_FIELD_JSON, .offset = BO_MEMBER(in, member, const char *), __VA_ARGS__ }
#define BO_STRUCT(field, in, member, table, ...) \
  { .name = field, .type = BO_FIELD_STRUCT, .offset = offsetof(in, member), .fields = &(table), __VA_ARGS__ }
#define BO_OPTIONAL_STRUCT(field, in, member, table) \
  { .name = field, .type = BO_FIELD_OPTIONAL_STRUCT, .offset = offsetof(in, member), .fields = &(table) }
#define BO_STRUCTS(field, in, member, table) \
  { .name = field, .type = BO_FIELD_STRUCTS, .offset = offsetof(in, member), .fields = &(table) }
#define BO_CONSTANT(field, text) \
  { .name = field, .type = BO_FIELD_CONSTANT, .default_value = text }
#define BO_IGNORED(field) \
  { .name = field, .type = BO_FIELD_IGNORED }
/* NOLINTEND(bugprone-macro-parentheses) */

#define BO_FIELDS(of, table, rule_of_all) \
  { sizeof(of), table, sizeof(table) / sizeof((table)[0]), rule_of_all }

/* ---- decoding ----------------------------------------------------------------------------------------------- */

struct bo_decoder {
  struct bo_manifest_set *set;    /* where memory comes from and problems go to */
  struct bo_buffer path;          /* of the value that is being decoded: ".spec.storage" */
  const struct bo_node *document; /* the place of what has none of its own */
  bool is_manifest;               /* written by a person: unknown fields are reported, path templates tried */
  bool failed;                    /* an error, not just a warning, was found */
};

/* Fills `value` from a map. Every problem is recorded; what could not be decoded has its default. */
void bo_decode(struct bo_decoder *decoder, const struct bo_fields *fields, const struct bo_node *node, void *value);

/* Records a problem at `node` (NULL: at the nearest place known). `below` is added to the current path: ".name". */
void bo_decoder_problem(struct bo_decoder *decoder, const struct bo_node *node, enum bo_severity severity,
                        const char *below, const char *format, ...) BO_PRINTF(5, 6);

/* The value for a message: quoted, cut, without control characters. In the set's arena. */
const char *bo_decoder_quote(struct bo_decoder *decoder, const char *text);

/* The tables: of the kinds, and of what several of them have. */
extern const struct bo_fields bo_backup_storage_fields;
extern const struct bo_fields bo_backup_schedule_fields;
extern const struct bo_fields bo_backup_run_fields;
extern const struct bo_fields bo_backup_run_spec_fields;
extern const struct bo_fields bo_object_meta_fields;
extern const struct bo_fields bo_template_meta_fields;
extern const struct bo_fields bo_condition_fields;

/* Decodes a Secret, whose entries are bytes. */
void bo_decode_secret(struct bo_decoder *decoder, const struct bo_node *node, struct bo_secret_object *secret);

/* ---- rules that several tables use ---- */

bo_field_rule bo_rule_subdomain;   /* RFC 1123 subdomain: names of most objects */
bo_field_rule bo_rule_label;       /* RFC 1123 label: names of namespaces and containers */
bo_field_rule bo_rule_plugin_name; /* [a-z0-9-]{1,32} */
bo_field_rule bo_rule_not_empty;

/* metadata.name of an object that lives in its kind's table, with the kind's own limit. */
void bo_check_name(struct bo_decoder *decoder, const struct bo_node *object, const struct bo_object_meta *meta,
                   size_t longest);

/* Tries the path template of a run whose spec is `spec`, with `run` as its data: is what it makes a key? Only for
 * manifests that have no other error. */
void bo_check_path(struct bo_decoder *decoder, const struct bo_node *spec, const struct bo_backup_run *run,
                   const char *below);

/* ---- encoding ----------------------------------------------------------------------------------------------- */

/* Appends `value` as JSON in one line. */
int bo_encode(const struct bo_fields *fields, const void *value, struct bo_buffer *out, struct bo_error *error);

#endif
