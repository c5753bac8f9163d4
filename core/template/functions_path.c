/* The functions of Go's package path; sprig's os... ones are the same on a Unix system. */
#include "core/template/internal.h"

static size_t last_slash(struct text text) {
  for (size_t i = text.size; i > 0; i--)
    if (text.bytes[i - 1] == '/') return i - 1;
  return SIZE_MAX;
}

static bool is_absolute(struct text path) {
  return path.size > 0 && path.bytes[0] == '/';
}

/* The shortest path that means the same, by the text alone: no "." and no empty name, and ".." only at the start. */
static struct text clean(struct render *render, struct text path) {
  struct builder builder = BUILDER(render);
  bool absolute = is_absolute(path);
  size_t fixed = absolute ? 1 : 0; /* what ".." cannot take back */
  if (absolute) build_string(&builder, "/");
  for (size_t at = 0; at < path.size;) {
    size_t end = text_find(path, TEXT("/"), at);
    if (end == SIZE_MAX) end = path.size;
    struct text name = text_part(path, at, end);
    at = end + 1;
    if (name.size == 0 || text_is(name, ".")) continue;
    bool up = text_is(name, "..");
    if (up && builder.size > fixed) {
      size_t slash = last_slash(build_done(&builder));
      builder.size = slash == SIZE_MAX || slash < fixed ? fixed : slash;
      continue;
    }
    if (up && absolute) continue;
    if (builder.size > (absolute ? 1u : 0u)) build_string(&builder, "/");
    build_text(&builder, name);
    if (up) fixed = builder.size;
  }
  return builder.size == 0 ? TEXT(".") : build_done(&builder);
}

FUNCTION(fn_clean) {
  return value_text(clean(render, args[0].text));
}

FUNCTION(fn_base) {
  struct text path = args[0].text;
  if (path.size == 0) return value_text(TEXT("."));
  while (path.size > 0 && path.bytes[path.size - 1] == '/')
    path.size--;
  size_t slash = last_slash(path);
  if (path.size == 0) return value_text(TEXT("/"));
  return value_text(slash == SIZE_MAX ? path : text_part(path, slash + 1, path.size));
}

FUNCTION(fn_dir) {
  size_t slash = last_slash(args[0].text);
  return value_text(clean(render, text_part(args[0].text, 0, slash == SIZE_MAX ? 0 : slash + 1)));
}

FUNCTION(fn_ext) {
  struct text path = args[0].text;
  for (size_t i = path.size; i > 0 && path.bytes[i - 1] != '/'; i--)
    if (path.bytes[i - 1] == '.') return value_text(text_part(path, i - 1, path.size));
  return value_text(TEXT(""));
}

FUNCTION(fn_is_abs) {
  return value_bool(is_absolute(args[0].text));
}

const struct function functions_path[] = {
    {"base", "s", fn_base},    {"clean", "s", fn_clean},    {"dir", "s", fn_dir},       {"ext", "s", fn_ext},
    {"isAbs", "s", fn_is_abs}, {"osBase", "s", fn_base},    {"osClean", "s", fn_clean}, {"osDir", "s", fn_dir},
    {"osExt", "s", fn_ext},    {"osIsAbs", "s", fn_is_abs}, {NULL, NULL, NULL}};
