/* The functions of text/template itself. */
#include "core/template/internal.h"

/* Never called: the executor evaluates these two, argument by argument. */
FUNCTION(fn_lazy) {
  return count > 0 ? args[count - 1] : value_missing;
}

bool function_is_lazy(const struct function *function, bool *stops_at) {
  *stops_at = strcmp(function->name, "or") == 0;
  return function->call == fn_lazy;
}

FUNCTION(fn_not) {
  return value_bool(!value_is_true(args[0]));
}

/* ---- comparison: only of the same basic kind; integers of all types are one kind */

static bool is_basic(struct value value) {
  return value.kind == VALUE_BOOL || value.kind == VALUE_INT || value.kind == VALUE_FLOAT ||
         value.kind == VALUE_STRING || value.kind == VALUE_COMPLEX;
}

_Noreturn static void fail_compare(struct render *render, struct value a, struct value b) {
  render_fail(render, "a %s and a %s cannot be compared; convert one of them", value_type_name(a), value_type_name(b));
}

static bool equal(struct render *render, struct value a, struct value b) {
  if (value_is_nil(a) || value_is_nil(b)) return value_is_nil(a) && value_is_nil(b);
  if (a.kind != b.kind || a.kind == VALUE_LIST || a.kind == VALUE_MAP) fail_compare(render, a, b);
  if (a.kind == VALUE_INT) b.type = a.type;
  return value_deep_equal(render, a, b);
}

FUNCTION(fn_eq) {
  if (count < 2) render_fail(render, "eq has nothing to compare with");
  for (size_t i = 1; i < count; i++)
    if (equal(render, args[0], args[i])) return value_bool(true);
  return value_bool(false);
}

FUNCTION(fn_ne) {
  return value_bool(!equal(render, args[0], args[1]));
}

static bool less(struct render *render, struct value a, struct value b) {
  if (a.kind != b.kind || !is_basic(a)) fail_compare(render, a, b);
  switch (a.kind) {
    case VALUE_INT: return a.integer < b.integer;
    case VALUE_FLOAT: return a.number < b.number;
    case VALUE_STRING: return text_compare(a.text, b.text) < 0;
    default: render_fail(render, "a %s has no order", value_type_name(a));
  }
}

FUNCTION(fn_lt) {
  return value_bool(less(render, args[0], args[1]));
}

FUNCTION(fn_le) {
  return value_bool(less(render, args[0], args[1]) || equal(render, args[0], args[1]));
}

FUNCTION(fn_gt) {
  return value_bool(!less(render, args[0], args[1]) && !equal(render, args[0], args[1]));
}

FUNCTION(fn_ge) {
  return value_bool(!less(render, args[0], args[1]));
}

/* ---- index and len */

static size_t position(struct render *render, struct value index, size_t length) {
  if (index.kind != VALUE_INT)
    render_fail(render, "a list's index must be an integer, not a %s", value_type_name(index));
  if (index.integer < 0 || (uint64_t)index.integer >= length)
    render_fail(render, "the index %lld is out of range: there are %zu items", (long long)index.integer, length);
  return (size_t)index.integer;
}

static struct value index_once(struct render *render, struct value value, struct value index) {
  switch (value.kind) {
    case VALUE_LIST: return value.list->items[position(render, index, value.list->count)];
    case VALUE_STRING: {
      unsigned char byte = (unsigned char)value.text.bytes[position(render, index, value.text.size)];
      return (struct value){.kind = VALUE_INT, .type = TYPE_UINT8, .integer = byte};
    }
    case VALUE_MAP: {
      if (index.kind != VALUE_STRING) render_fail(render, "a map's index must be a string");
      const struct value *found = map_find(value.map, index.text);
      return found != NULL ? *found : value.type == TYPE_STRINGS ? value_text(TEXT("")) : value_nil;
    }
    default: render_fail(render, "a %s cannot be indexed", value_is_nil(value) ? "nil value" : value_type_name(value));
  }
}

FUNCTION(fn_index) {
  struct value value = args[0];
  if (value_is_nil(value)) render_fail(render, "a nil value cannot be indexed");
  for (size_t i = 1; i < count; i++)
    value = index_once(render, value, args[i]);
  return value;
}

FUNCTION(fn_len) {
  switch (args[0].kind) {
    case VALUE_STRING: return value_int((int64_t)args[0].text.size);
    case VALUE_LIST: return value_int((int64_t)args[0].list->count);
    case VALUE_MAP: return value_int((int64_t)args[0].map->count);
    default: render_fail(render, "a %s has no length", value_is_nil(args[0]) ? "nil value" : value_type_name(args[0]));
  }
}

FUNCTION(fn_call) {
  render_fail(render, "a %s is no function that could be called", value_type_name(args[0]));
}

/* ---- printing and escaping */

FUNCTION(fn_print) {
  return value_text(print_operands(render, args, count));
}

FUNCTION(fn_println) {
  struct builder builder = BUILDER(render);
  for (size_t i = 0; i < count; i++) {
    if (i > 0) build_string(&builder, " ");
    print_value(&builder, args[i]);
  }
  build_string(&builder, "\n");
  return value_text(build_done(&builder));
}

FUNCTION(fn_printf) {
  return value_text(print_format(render, args[0].text, args + 1, count - 1));
}

/* The arguments of an escape, printed as an action prints them. */
static struct text escape_operands(struct render *render, const struct value *args, size_t count) {
  struct value *copies = render_alloc(render, count, sizeof(*copies));
  for (size_t i = 0; i < count; i++)
    copies[i] = value_is_nil(args[i]) ? value_text(TEXT("<no value>")) : args[i];
  return print_operands(render, copies, count);
}

FUNCTION(fn_html) {
  struct text text = escape_operands(render, args, count);
  struct builder builder = BUILDER(render);
  for (size_t i = 0; i < text.size; i++) {
    switch (text.bytes[i]) {
      case '&': build_string(&builder, "&amp;"); break;
      case '<': build_string(&builder, "&lt;"); break;
      case '>': build_string(&builder, "&gt;"); break;
      case '"': build_string(&builder, "&#34;"); break;
      case '\'': build_string(&builder, "&#39;"); break;
      case '\0': build_string(&builder, "\xEF\xBF\xBD"); break;
      default: build_bytes(&builder, text.bytes + i, 1);
    }
  }
  return value_text(build_done(&builder));
}

FUNCTION(fn_js) {
  struct text text = escape_operands(render, args, count);
  struct builder builder = BUILDER(render);
  for (size_t at = 0; at < text.size;) {
    size_t start = at;
    uint32_t rune = rune_next(text, &at);
    if (rune == '\\' || rune == '\'' || rune == '"')
      build_printf(&builder, "\\%c", (char)rune);
    else if (rune < 0x20 || rune == '<' || rune == '>' || rune == '&' || rune == '=' ||
             (rune >= 0x80 && !rune_is_print(render, rune)))
      build_printf(&builder, "\\u%04X", (unsigned)rune);
    else
      build_bytes(&builder, text.bytes + start, at - start);
  }
  return value_text(build_done(&builder));
}

FUNCTION(fn_urlquery) {
  struct text text = escape_operands(render, args, count);
  struct builder builder = BUILDER(render);
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.bytes[i];
    bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '_' ||
                 c == '.' || c == '~';
    if (plain || c == ' ')
      build_bytes(&builder, plain ? text.bytes + i : "+", 1);
    else
      build_printf(&builder, "%%%02X", c);
  }
  return value_text(build_done(&builder));
}

const struct function functions_builtin[] = {
    {"and", "vv*", fn_lazy},    {"or", "vv*", fn_lazy},        {"not", "v", fn_not},
    {"eq", "vv*", fn_eq},       {"ne", "vv", fn_ne},           {"lt", "vv", fn_lt},
    {"le", "vv", fn_le},        {"gt", "vv", fn_gt},           {"ge", "vv", fn_ge},
    {"index", "vv*", fn_index}, {"len", "v", fn_len},          {"call", "vv*", fn_call},
    {"print", "a*", fn_print},  {"println", "a*", fn_println}, {"printf", "sa*", fn_printf},
    {"html", "a*", fn_html},    {"js", "a*", fn_js},           {"urlquery", "a*", fn_urlquery},
    {NULL, NULL, NULL}};
