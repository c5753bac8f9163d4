/* sprig's conversions between types, and what tells types apart. */
#include "core/template/internal.h"

FUNCTION(fn_atoi) {
  int64_t number = 0;
  return value_int(number_parse_int(args[0].text, 10, &number) ? number : 0);
}

FUNCTION(fn_int) {
  return value_int(number_to_int64(args[0]));
}

FUNCTION(fn_int64) {
  return value_int64(number_to_int64(args[0]));
}

FUNCTION(fn_float64) {
  return value_float(number_to_double(args[0]));
}

/* An octal number, such as a file mode. */
FUNCTION(fn_to_decimal) {
  int64_t number = 0;
  return value_int64(number_parse_int(print_text(render, args[0]), 8, &number) ? number : 0);
}

FUNCTION(fn_to_string) {
  return value_text(print_text(render, args[0]));
}

static struct value name_value(const char *name) {
  return value_text((struct text){name, strlen(name)});
}

FUNCTION(fn_type_of) {
  return name_value(value_type_name(args[0]));
}

FUNCTION(fn_kind_of) {
  return name_value(value_kind_name(args[0]));
}

FUNCTION(fn_type_is) {
  return value_bool(text_is(args[0].text, value_type_name(args[1])));
}

/* A pointer's type is like that which it points to. */
FUNCTION(fn_type_is_like) {
  const char *name = value_type_name(args[1]);
  return value_bool(text_is(args[0].text, name) || (name[0] == '*' && text_is(args[0].text, name + 1)));
}

FUNCTION(fn_kind_is) {
  return value_bool(text_is(args[0].text, value_kind_name(args[1])));
}

const struct function functions_convert[] = {{"atoi", "s", fn_atoi},
                                             {"float64", "a", fn_float64},
                                             {"int", "a", fn_int},
                                             {"int64", "a", fn_int64},
                                             {"kindIs", "sa", fn_kind_is},
                                             {"kindOf", "a", fn_kind_of},
                                             {"toDecimal", "a", fn_to_decimal},
                                             {"toString", "a", fn_to_string},
                                             {"typeIs", "sa", fn_type_is},
                                             {"typeIsLike", "sa", fn_type_is_like},
                                             {"typeOf", "a", fn_type_of},
                                             {NULL, NULL, NULL}};
