/* sprig's functions on values of any type: defaults, choices, copies, JSON, and fail. */
#include "core/template/internal.h"

FUNCTION(fn_default) {
  return count < 2 || value_is_empty(args[1]) ? args[0] : args[1];
}

FUNCTION(fn_empty) {
  return value_bool(value_is_empty(args[0]));
}

FUNCTION(fn_coalesce) {
  for (size_t i = 0; i < count; i++)
    if (!value_is_empty(args[i])) return args[i];
  return value_nil;
}

FUNCTION(fn_all) {
  for (size_t i = 0; i < count; i++)
    if (value_is_empty(args[i])) return value_bool(false);
  return value_bool(true);
}

FUNCTION(fn_any) {
  for (size_t i = 0; i < count; i++)
    if (!value_is_empty(args[i])) return value_bool(true);
  return value_bool(false);
}

FUNCTION(fn_ternary) {
  return args[2].boolean ? args[0] : args[1];
}

FUNCTION(fn_deep_copy) {
  return value_deep_copy(render, args[0]);
}

FUNCTION(fn_deep_equal) {
  return value_bool(value_deep_equal(render, args[0], args[1]));
}

FUNCTION(fn_fail) {
  render_fail(render, "%.*s", args[0].text.size > 900 ? 900 : (int)args[0].text.size, args[0].text.bytes);
}

FUNCTION(fn_from_json) {
  struct value value;
  return json_parse(render, args[0].text, false, &value) == NULL ? value : value_nil;
}

FUNCTION(fn_must_from_json) {
  struct value value;
  const char *wrong = json_parse(render, args[0].text, false, &value);
  if (wrong != NULL) render_fail(render, "mustFromJson: %s", wrong);
  return value;
}

static struct value to_json(struct render *render, struct value value, unsigned flags) {
  struct builder builder = BUILDER(render);
  json_print(&builder, value, flags);
  return value_text(build_done(&builder));
}

FUNCTION(fn_to_json) {
  return to_json(render, args[0], JSON_ESCAPE_HTML);
}

FUNCTION(fn_to_pretty_json) {
  return to_json(render, args[0], JSON_ESCAPE_HTML | JSON_INDENT);
}

FUNCTION(fn_to_raw_json) {
  return to_json(render, args[0], 0);
}

const struct function functions_data[] = {{"all", "a*", fn_all},
                                          {"any", "a*", fn_any},
                                          {"coalesce", "a*", fn_coalesce},
                                          {"deepCopy", "a", fn_deep_copy},
                                          {"deepEqual", "aa", fn_deep_equal},
                                          {"default", "aa*", fn_default},
                                          {"empty", "a", fn_empty},
                                          {"fail", "s", fn_fail},
                                          {"fromJson", "s", fn_from_json},
                                          {"mustDeepCopy", "a", fn_deep_copy},
                                          {"mustFromJson", "s", fn_must_from_json},
                                          {"mustToJson", "a", fn_to_json},
                                          {"mustToPrettyJson", "a", fn_to_pretty_json},
                                          {"mustToRawJson", "a", fn_to_raw_json},
                                          {"ternary", "aab", fn_ternary},
                                          {"toJson", "a", fn_to_json},
                                          {"toPrettyJson", "a", fn_to_pretty_json},
                                          {"toRawJson", "a", fn_to_raw_json},
                                          {NULL, NULL, NULL}};
