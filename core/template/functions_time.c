/* sprig's functions on dates, and the methods of Go's time.Time, time.Duration, time.Month and time.Weekday. The clock
 * is the render's, local time is UTC. */
#include "core/base/clock.h"
#include "core/template/internal.h"
#include "core/template/zone.h"

#define SECOND_NS INT64_C(1000000000)
/* Beyond this many seconds from 1970 a date is refused, so that sums cannot overflow: some 36 million years. */
#define SECONDS_MAX (INT64_C(1) << 50)

static struct moment checked(struct render *render, struct moment moment) {
  if (moment.seconds > SECONDS_MAX || moment.seconds < -SECONDS_MAX) render_fail(render, "the time is out of range");
  return moment;
}

static struct moment add(struct render *render, struct moment moment, int64_t nanoseconds) {
  int64_t sum = moment.nanoseconds + nanoseconds % SECOND_NS;
  moment.seconds += nanoseconds / SECOND_NS + (sum < 0 ? -1 : sum >= SECOND_NS ? 1 : 0);
  moment.nanoseconds = (int32_t)((sum + SECOND_NS) % SECOND_NS);
  return checked(render, moment);
}

/* Go's Sub: at most what a duration holds. */
static int64_t difference(struct moment a, struct moment b) {
  int64_t result = 0;
  if (__builtin_mul_overflow(a.seconds - b.seconds, SECOND_NS, &result) ||
      __builtin_add_overflow(result, (int64_t)a.nanoseconds - b.nanoseconds, &result))
    return a.seconds < b.seconds ? INT64_MIN : INT64_MAX;
  return result;
}

static int compare(struct moment a, struct moment b) {
  if (a.seconds != b.seconds) return a.seconds < b.seconds ? -1 : 1;
  return (a.nanoseconds > b.nanoseconds) - (a.nanoseconds < b.nanoseconds);
}

static struct moment in_utc(struct moment moment) {
  moment.offset_seconds = 0;
  moment.zone = "UTC";
  return moment;
}

/* A zone that is not known counts as UTC, as with sprig; a machine without a time zone database is an error. */
static struct moment in_zone(struct render *render, struct moment moment, struct text name) {
  struct bo_error error = BO_ERROR_INIT;
  struct bo_zone *zone = NULL;
  struct bo_zone_offset offset = {0, false, "UTC"};
  if (bo_zone_open(text_string(render, name), &zone, &error) == BO_OK) {
    bo_zone_at(zone, moment.seconds, &offset);
    bo_zone_close(zone);
  } else if (error.error_class != BO_CLASS_NOT_FOUND) {
    render_fail(render, "%s", error.text);
  }
  moment.offset_seconds = offset.seconds;
  moment.zone = text_copy(render, offset.abbreviation, strlen(offset.abbreviation)).bytes;
  return moment;
}

/* A time, or a number of seconds since 1970; everything else is now. */
static struct moment moment_of(struct render *render, struct value value) {
  bool seconds = value.kind == VALUE_INT && (value.type == TYPE_PLAIN || value.type == TYPE_INT64);
  if (seconds) return checked(render, (struct moment){.seconds = value.integer, .zone = "UTC"});
  return value.kind == VALUE_TIME ? *value.time : render->now;
}

static struct value format(struct render *render, struct text layout, struct moment moment) {
  struct builder builder = BUILDER(render);
  layout_format(&builder, layout, moment);
  return value_text(build_done(&builder));
}

static struct value duration_text(struct render *render, int64_t nanoseconds) {
  struct builder builder = BUILDER(render);
  duration_print(&builder, nanoseconds);
  return value_text(build_done(&builder));
}

/* ---- sprig */

FUNCTION(fn_now) {
  return value_time(render, render->now);
}

FUNCTION(fn_date) {
  return format(render, args[0].text, in_utc(moment_of(render, args[1])));
}

FUNCTION(fn_date_in_zone) {
  return format(render, args[0].text, in_zone(render, moment_of(render, args[1]), args[2].text));
}

FUNCTION(fn_html_date) {
  return format(render, TEXT("2006-01-02"), in_utc(moment_of(render, args[0])));
}

FUNCTION(fn_html_date_in_zone) {
  return format(render, TEXT("2006-01-02"), in_zone(render, moment_of(render, args[0]), args[1].text));
}

FUNCTION(fn_date_modify) {
  int64_t duration = 0;
  if (!duration_parse(args[0].text, &duration)) return args[1];
  return value_time(render, add(render, *args[1].time, duration));
}

FUNCTION(fn_must_date_modify) {
  int64_t duration = 0;
  if (!duration_parse(args[0].text, &duration))
    render_fail(render, "mustDateModify: not a duration such as \"-1.5h\" or \"2h45m\"");
  return value_time(render, add(render, *args[1].time, duration));
}

FUNCTION(fn_to_date) {
  struct moment moment;
  return value_time(render, layout_parse(render, args[0].text, args[1].text, &moment) == NULL ? moment : moment_zero);
}

FUNCTION(fn_must_to_date) {
  struct moment moment;
  const char *wrong = layout_parse(render, args[0].text, args[1].text, &moment);
  if (wrong != NULL) render_fail(render, "mustToDate: no time of that layout: %s", wrong);
  return value_time(render, moment);
}

FUNCTION(fn_unix_epoch) {
  struct builder builder = BUILDER(render);
  build_printf(&builder, "%lld", (long long)args[0].time->seconds);
  return value_text(build_done(&builder));
}

/* Since then, to the second. */
FUNCTION(fn_ago) {
  int64_t passed = difference(render->now, moment_of(render, args[0]));
  int64_t rest = passed % SECOND_NS, whole = passed - rest;
  int64_t step = rest >= SECOND_NS / 2 ? SECOND_NS : rest <= -SECOND_NS / 2 ? -SECOND_NS : 0;
  if (__builtin_add_overflow(whole, step, &whole)) whole = passed;
  return duration_text(render, whole);
}

/* Of a number of seconds, given as text or int64. */
FUNCTION(fn_duration) {
  int64_t seconds = 0;
  if (args[0].kind == VALUE_STRING && !number_parse_int(args[0].text, 10, &seconds)) seconds = 0;
  if (args[0].kind == VALUE_INT && args[0].type == TYPE_INT64) seconds = args[0].integer;
  return duration_text(render, (int64_t)((uint64_t)seconds * (uint64_t)SECOND_NS));
}

/* The largest unit that is passed, in whole numbers: "2h", "3mo". */
FUNCTION(fn_duration_round) {
  static const struct {
    const char *unit;
    uint64_t seconds;
  } units[] = {{"y", 365 * 86400}, {"mo", 30 * 86400}, {"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
  int64_t duration = 0;
  if (args[0].kind == VALUE_STRING && !duration_parse(args[0].text, &duration)) duration = 0;
  if (args[0].kind == VALUE_INT && args[0].type == TYPE_INT64) duration = args[0].integer;
  if (args[0].kind == VALUE_TIME) duration = difference(render->now, *args[0].time);
  uint64_t size = duration < 0 ? 0 - (uint64_t)duration : (uint64_t)duration;
  struct builder builder = BUILDER(render);
  for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && builder.size == 0; i++) {
    uint64_t unit = units[i].seconds * (uint64_t)SECOND_NS;
    if (size > unit) build_printf(&builder, "%llu%s", (unsigned long long)(size / unit), units[i].unit);
  }
  return value_text(builder.size == 0 ? TEXT("0s") : build_done(&builder));
}

const struct function functions_time[] = {{"ago", "a", fn_ago},
                                          {"date", "sa", fn_date},
                                          {"dateInZone", "sas", fn_date_in_zone},
                                          {"dateModify", "st", fn_date_modify},
                                          {"date_in_zone", "sas", fn_date_in_zone},
                                          {"date_modify", "st", fn_date_modify},
                                          {"duration", "a", fn_duration},
                                          {"durationRound", "a", fn_duration_round},
                                          {"htmlDate", "a", fn_html_date},
                                          {"htmlDateInZone", "as", fn_html_date_in_zone},
                                          {"mustDateModify", "st", fn_must_date_modify},
                                          {"mustToDate", "ss", fn_must_to_date},
                                          {"must_date_modify", "st", fn_must_date_modify},
                                          {"now", "", fn_now},
                                          {"toDate", "ss", fn_to_date},
                                          {"unixEpoch", "t", fn_unix_epoch},
                                          {NULL, NULL, NULL}};

/* ---- methods; the first argument is the value itself */

FUNCTION(at_year) {
  return value_int(moment_civil(*args[0].time).year);
}

FUNCTION(at_month) {
  return (struct value){.kind = VALUE_INT, .type = TYPE_MONTH, .integer = moment_civil(*args[0].time).month};
}

FUNCTION(at_weekday) {
  return (struct value){.kind = VALUE_INT, .type = TYPE_WEEKDAY, .integer = moment_civil(*args[0].time).weekday};
}

FUNCTION(at_day) {
  return value_int(moment_civil(*args[0].time).day);
}

FUNCTION(at_year_day) {
  return value_int(moment_civil(*args[0].time).year_day);
}

FUNCTION(at_hour) {
  return value_int(moment_civil(*args[0].time).hour);
}

FUNCTION(at_minute) {
  return value_int(moment_civil(*args[0].time).minute);
}

FUNCTION(at_second) {
  return value_int(moment_civil(*args[0].time).second);
}

FUNCTION(at_nanosecond) {
  return value_int(args[0].time->nanoseconds);
}

/* Since 1970 in units of which a second has `per_second`. */
static struct value unix_in(struct value time, int64_t per_second) {
  uint64_t whole = (uint64_t)time.time->seconds * (uint64_t)per_second;
  return value_int64((int64_t)(whole + (uint64_t)(time.time->nanoseconds / (SECOND_NS / per_second))));
}

FUNCTION(at_unix) {
  return value_int64(args[0].time->seconds);
}

FUNCTION(at_unix_milli) {
  return unix_in(args[0], 1000);
}

FUNCTION(at_unix_micro) {
  return unix_in(args[0], 1000000);
}

FUNCTION(at_unix_nano) {
  return unix_in(args[0], SECOND_NS);
}

FUNCTION(at_format) {
  return format(render, args[1].text, *args[0].time);
}

/* UTC and Local are the same here. */
FUNCTION(at_utc) {
  return value_time(render, in_utc(*args[0].time));
}

FUNCTION(at_add) {
  return value_time(render, add(render, *args[0].time, args[1].integer));
}

/* Years, months and days on the calendar; 31 January and a month is 3 March, or 2 March in a leap year. */
FUNCTION(at_add_date) {
  struct moment moment = *args[0].time;
  for (size_t i = 1; i < 4; i++)
    if (args[i].integer > SECONDS_MAX / 86400 / 366 || args[i].integer < -SECONDS_MAX / 86400 / 366)
      render_fail(render, "AddDate: %lld is out of range", (long long)args[i].integer);
  struct civil civil = moment_civil(moment);
  int64_t months = (civil.year + args[1].integer) * 12 + civil.month - 1 + args[2].integer;
  int64_t month = (months % 12 + 12) % 12;
  int64_t days = bo_days_from_civil((months - month) / 12, (int)month + 1, 1) + civil.day - 1 + args[3].integer;
  int64_t second = civil.hour * 3600 + civil.minute * 60 + civil.second;
  moment.seconds = days * 86400 + second - moment.offset_seconds;
  return value_time(render, checked(render, moment));
}

FUNCTION(at_sub) {
  int64_t duration = difference(*args[0].time, *args[1].time);
  return (struct value){.kind = VALUE_INT, .type = TYPE_DURATION, .integer = duration};
}

FUNCTION(at_before) {
  return value_bool(compare(*args[0].time, *args[1].time) < 0);
}

FUNCTION(at_after) {
  return value_bool(compare(*args[0].time, *args[1].time) > 0);
}

FUNCTION(at_equal) {
  return value_bool(compare(*args[0].time, *args[1].time) == 0);
}

FUNCTION(at_compare) {
  return value_int(compare(*args[0].time, *args[1].time));
}

FUNCTION(at_is_zero) {
  return value_bool(compare(*args[0].time, moment_zero) == 0);
}

FUNCTION(at_string) {
  return value_text(print_text(render, args[0]));
}

const struct function methods_time[] = {{"Add", "ti", at_add},
                                        {"AddDate", "tiii", at_add_date},
                                        {"After", "tt", at_after},
                                        {"Before", "tt", at_before},
                                        {"Compare", "tt", at_compare},
                                        {"Day", "t", at_day},
                                        {"Equal", "tt", at_equal},
                                        {"Format", "ts", at_format},
                                        {"Hour", "t", at_hour},
                                        {"IsZero", "t", at_is_zero},
                                        {"Local", "t", at_utc},
                                        {"Minute", "t", at_minute},
                                        {"Month", "t", at_month},
                                        {"Nanosecond", "t", at_nanosecond},
                                        {"Second", "t", at_second},
                                        {"String", "t", at_string},
                                        {"Sub", "tt", at_sub},
                                        {"UTC", "t", at_utc},
                                        {"Unix", "t", at_unix},
                                        {"UnixMicro", "t", at_unix_micro},
                                        {"UnixMilli", "t", at_unix_milli},
                                        {"UnixNano", "t", at_unix_nano},
                                        {"Weekday", "t", at_weekday},
                                        {"Year", "t", at_year},
                                        {"YearDay", "t", at_year_day},
                                        {NULL, NULL, NULL}};

FUNCTION(for_hours) {
  return value_float((double)args[0].integer / 3600e9);
}

FUNCTION(for_minutes) {
  return value_float((double)args[0].integer / 60e9);
}

FUNCTION(for_seconds) {
  return value_float((double)args[0].integer / 1e9);
}

FUNCTION(for_milliseconds) {
  return value_int64(args[0].integer / 1000000);
}

const struct function methods_duration[] = {{"Hours", "i", for_hours},     {"Milliseconds", "i", for_milliseconds},
                                            {"Minutes", "i", for_minutes}, {"Seconds", "i", for_seconds},
                                            {"String", "i", at_string},    {NULL, NULL, NULL}};

const struct function methods_name[] = {{"String", "i", at_string}, {NULL, NULL, NULL}};
