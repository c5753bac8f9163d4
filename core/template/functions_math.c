/* sprig's arithmetic: on 64-bit integers that wrap as Go's do, and on decimal fractions (the ...f functions). */
#include <math.h>
#include <stdlib.h>

#include "core/template/internal.h"

static int64_t wrap(uint64_t value) {
  return (int64_t)value;
}

FUNCTION(fn_add) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; i++)
    sum += (uint64_t)number_to_int64(args[i]);
  return value_int64(wrap(sum));
}

FUNCTION(fn_add1) {
  return value_int64(wrap((uint64_t)number_to_int64(args[0]) + 1));
}

FUNCTION(fn_sub) {
  return value_int64(wrap((uint64_t)number_to_int64(args[0]) - (uint64_t)number_to_int64(args[1])));
}

FUNCTION(fn_mul) {
  uint64_t product = (uint64_t)number_to_int64(args[0]);
  for (size_t i = 1; i < count; i++)
    product *= (uint64_t)number_to_int64(args[i]);
  return value_int64(wrap(product));
}

FUNCTION(fn_div) {
  int64_t a = number_to_int64(args[0]), b = number_to_int64(args[1]);
  if (b == 0) render_fail(render, "div: division by zero");
  return value_int64(b == -1 ? wrap(0 - (uint64_t)a) : a / b);
}

FUNCTION(fn_mod) {
  int64_t a = number_to_int64(args[0]), b = number_to_int64(args[1]);
  if (b == 0) render_fail(render, "mod: division by zero");
  return value_int64(b == -1 ? 0 : a % b);
}

FUNCTION(fn_max) {
  int64_t most = number_to_int64(args[0]);
  for (size_t i = 1; i < count; i++)
    most = number_to_int64(args[i]) > most ? number_to_int64(args[i]) : most;
  return value_int64(most);
}

FUNCTION(fn_min) {
  int64_t least = number_to_int64(args[0]);
  for (size_t i = 1; i < count; i++)
    least = number_to_int64(args[i]) < least ? number_to_int64(args[i]) : least;
  return value_int64(least);
}

/* ---- fractions. Sums of decimals are to be exact (0.1 + 0.2 is 0.3): each operand is taken as the decimal that its
 * shortest text says, in long double, which leaves enough bits for the rounding at the end. */

static long double decimal(struct render *render, struct value value) {
  char text[NUMBER_TEXT_MAX];
  double number = number_to_double(value);
  if (isnan(number) || isinf(number)) render_fail(render, "a calculation with something that is no number");
  number_format(number, 'e', text);
  return strtold(text, NULL);
}

FUNCTION(fn_addf) {
  long double sum = 0;
  for (size_t i = 0; i < count; i++)
    sum += decimal(render, args[i]);
  return value_float((double)sum);
}

FUNCTION(fn_add1f) {
  return value_float((double)(decimal(render, args[0]) + 1));
}

FUNCTION(fn_subf) {
  long double difference = decimal(render, args[0]);
  for (size_t i = 1; i < count; i++)
    difference -= decimal(render, args[i]);
  return value_float((double)difference);
}

FUNCTION(fn_mulf) {
  long double product = decimal(render, args[0]);
  for (size_t i = 1; i < count; i++)
    product *= decimal(render, args[i]);
  return value_float((double)product);
}

/* A quotient has 16 decimal places. */
FUNCTION(fn_divf) {
  long double quotient = decimal(render, args[0]);
  for (size_t i = 1; i < count; i++) {
    long double divisor = decimal(render, args[i]);
    if (divisor == 0) render_fail(render, "divf: division by zero");
    quotient /= divisor;
    if (fabsl(quotient) < 1) quotient = roundl(quotient * 1e16L) / 1e16L;
  }
  return value_float((double)quotient);
}

FUNCTION(fn_maxf) {
  double most = number_to_double(args[0]);
  for (size_t i = 1; i < count; i++)
    most = fmax(most, number_to_double(args[i]));
  return value_float(most);
}

FUNCTION(fn_minf) {
  double least = number_to_double(args[0]);
  for (size_t i = 1; i < count; i++)
    least = fmin(least, number_to_double(args[i]));
  return value_float(least);
}

FUNCTION(fn_ceil) {
  return value_float(ceil(number_to_double(args[0])));
}

FUNCTION(fn_floor) {
  return value_float(floor(number_to_double(args[0])));
}

/* round NUMBER PLACES [FROM WHERE ON UP, .5]. The fraction of a negative number is negative, so it goes down. */
FUNCTION(fn_round) {
  double threshold = count > 2 ? args[2].number : 0.5, whole = 0;
  double power = pow(10, (double)args[1].integer);
  double digits = power * number_to_double(args[0]);
  double rounded = modf(digits, &whole) >= threshold ? ceil(digits) : floor(digits);
  return value_float(rounded / power);
}

/* ---- ranges */

static struct list *until_step(struct render *render, int64_t start, int64_t stop, int64_t step) {
  struct list *list = list_new(render, 0);
  if ((stop < start && step >= 0) || (stop >= start && step <= 0)) return list;
  for (int64_t i = start; stop < start ? i > stop : i < stop;) {
    list_add(render, list, value_int(i));
    render_charge(render, 1);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return list;
}

FUNCTION(fn_until) {
  return value_list(until_step(render, 0, args[0].integer, args[0].integer < 0 ? -1 : 1), TYPE_INTS);
}

FUNCTION(fn_until_step) {
  return value_list(until_step(render, args[0].integer, args[1].integer, args[2].integer), TYPE_INTS);
}

/* seq LAST, seq FIRST LAST, seq FIRST STEP LAST, as the command does: text, and the last is part of it. */
FUNCTION(fn_seq) {
  if (count < 1 || count > 3) return value_text(TEXT(""));
  int64_t first = count == 1 ? 1 : args[0].integer, last = args[count - 1].integer;
  int64_t direction = last < first ? -1 : 1, end = 0;
  int64_t step = count == 3 ? args[1].integer : direction;
  if (__builtin_add_overflow(last, direction, &end)) render_fail(render, "seq: the end is out of range");
  if (direction < 0 && step > 0) return value_text(TEXT(""));
  const struct list *list = until_step(render, first, end, step);
  struct builder builder = BUILDER(render);
  for (size_t i = 0; i < list->count; i++)
    build_printf(&builder, i == 0 ? "%lld" : " %lld", (long long)list->items[i].integer);
  return value_text(build_done(&builder));
}

const struct function functions_math[] = {{"add", "a*", fn_add},       {"add1", "a", fn_add1},
                                          {"add1f", "a", fn_add1f},    {"addf", "a*", fn_addf},
                                          {"biggest", "aa*", fn_max},  {"ceil", "a", fn_ceil},
                                          {"div", "aa", fn_div},       {"divf", "aa*", fn_divf},
                                          {"floor", "a", fn_floor},    {"max", "aa*", fn_max},
                                          {"maxf", "aa*", fn_maxf},    {"min", "aa*", fn_min},
                                          {"minf", "aa*", fn_minf},    {"mod", "aa", fn_mod},
                                          {"mul", "aa*", fn_mul},      {"mulf", "aa*", fn_mulf},
                                          {"round", "aif*", fn_round}, {"seq", "i*", fn_seq},
                                          {"sub", "aa", fn_sub},       {"subf", "aa*", fn_subf},
                                          {"until", "i", fn_until},    {"untilStep", "iii", fn_until_step},
                                          {NULL, NULL, NULL}};
