/*
 * core/template/template.h - Go's text/template with the functions of sprig, for path templates: rendering a template
 * over JSON data, and the rule that makes an object's key of the result.
 *
 * What a template can reach is its data, the time it is given and the time zone database of the machine. There is no
 * environment, network, other file or randomness, so the same input gives the same text for ever; a function of
 * sprig's that would need one of these is refused when the template is parsed. The language and the functions follow
 * the documentation of Go's text/template, fmt and time (Go 1.24) and of sprig 3.3, oddities included: a field that is
 * not there prints `<no value>`.
 *
 * Threads: any number of calls at once; between calls nothing is kept but the C library's tables of characters.
 */
#ifndef BO_TEMPLATE_H
#define BO_TEMPLATE_H

#include <time.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

/* What one rendering may use; more is an error. A zero field stands for its default. */
struct bo_template_limits {
  size_t memory_bytes; /* all memory together, kept until the end of the call: 16 MiB */
  size_t output_bytes; /* length of the text: 1 MiB */
  uint64_t steps;      /* nodes executed, list items visited, blocks of 64 bytes handed to functions: 1,000,000 */
  unsigned depth;      /* blocks, brackets, calls of templates and values within each other: 200, at most 1,000 */
};

/*
 * Appends the rendered text to `out`; on failure `out` is as it was. `data_json` is what `.` stands for: whole numbers
 * are int64, others float64. NULL is no data at all: naming a field is an error then, where with "{}" it is
 * `<no value>`. `now` is what the function `now` returns, UTC, and the clock of every other function. `limits` may be
 * NULL.
 *
 * Errors: BO_CLASS_CONFIG with "template:LINE:COLUMN: what, why", both counted from 1, the column in characters;
 * BO_CLASS_NO_MEMORY when the machine has none.
 */
int bo_template_render(const char *text, const char *data_json, struct timespec now,
                       const struct bo_template_limits *limits, struct bo_buffer *out, struct bo_error *error);

/* The longest key that S3 and its kin take, in bytes. */
#define BO_TEMPLATE_KEY_MAX 1024

/*
 * Appends the key that a rendered path stands for: surrounding white space goes, the rest must be one or more of
 * "/name" and becomes the key without its leading slash. Names that are empty, "." or "..", control characters,
 * invalid UTF-8, `<no value>` (a field that was not there) and more than BO_TEMPLATE_KEY_MAX bytes are errors of
 * BO_CLASS_CONFIG, so a key cannot leave the prefix that a storage puts before it.
 */
int bo_template_path(const char *rendered, size_t size, struct bo_buffer *key, struct bo_error *error);

#endif
