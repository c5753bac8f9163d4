/*
 * Go's time layouts: a pattern is the reference time, Mon Jan 2 15:04:05 MST 2006, written as the time is to be
 * written. One table says which pieces of it mean something; formatting and parsing both go through it.
 */
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/template/internal.h"

const struct moment moment_zero = {.seconds = INT64_C(-62135596800), .zone = "UTC"};

const char *const month_names[12] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
const char *const weekday_names[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

enum piece {
  PIECE_NONE,
  PIECE_YEAR,
  PIECE_YEAR_2,
  PIECE_MONTH,
  PIECE_MONTH_2,
  PIECE_MONTH_NAME,
  PIECE_MONTH_SHORT,
  PIECE_WEEKDAY_NAME,
  PIECE_WEEKDAY_SHORT,
  PIECE_DAY,
  PIECE_DAY_2,
  PIECE_DAY_SPACE,
  PIECE_YEAR_DAY_3,
  PIECE_YEAR_DAY_SPACE,
  PIECE_HOUR_24,
  PIECE_HOUR,
  PIECE_HOUR_2,
  PIECE_MINUTE,
  PIECE_MINUTE_2,
  PIECE_SECOND,
  PIECE_SECOND_2,
  PIECE_PM,
  PIECE_PM_LOWER,
  PIECE_ZONE,
  PIECE_OFFSET,         /* -0700 and its forms; "Z" ones by `is_z` */
  PIECE_FRACTION_ZEROS, /* .000 */
  PIECE_FRACTION_NINES  /* .999 */
};

struct chunk {
  enum piece piece;
  size_t start, end; /* in the layout */
};

/* Longer ones before those they begin with. */
static const struct {
  const char *text;
  enum piece piece;
} pieces[] = {
    {"January", PIECE_MONTH_NAME},
    {"Jan", PIECE_MONTH_SHORT},
    {"Monday", PIECE_WEEKDAY_NAME},
    {"Mon", PIECE_WEEKDAY_SHORT},
    {"MST", PIECE_ZONE},
    {"002", PIECE_YEAR_DAY_3},
    {"01", PIECE_MONTH_2},
    {"02", PIECE_DAY_2},
    {"03", PIECE_HOUR_2},
    {"04", PIECE_MINUTE_2},
    {"05", PIECE_SECOND_2},
    {"06", PIECE_YEAR_2},
    {"15", PIECE_HOUR_24},
    {"1", PIECE_MONTH},
    {"2006", PIECE_YEAR},
    {"2", PIECE_DAY},
    {"__2", PIECE_YEAR_DAY_SPACE},
    {"_2", PIECE_DAY_SPACE},
    {"3", PIECE_HOUR},
    {"4", PIECE_MINUTE},
    {"5", PIECE_SECOND},
    {"PM", PIECE_PM},
    {"pm", PIECE_PM_LOWER},
    {"-07:00:00", PIECE_OFFSET},
    {"-070000", PIECE_OFFSET},
    {"-07:00", PIECE_OFFSET},
    {"-0700", PIECE_OFFSET},
    {"-07", PIECE_OFFSET},
    {"Z07:00:00", PIECE_OFFSET},
    {"Z070000", PIECE_OFFSET},
    {"Z07:00", PIECE_OFFSET},
    {"Z0700", PIECE_OFFSET},
    {"Z07", PIECE_OFFSET},
};

static bool is_digit(struct text text, size_t at) {
  return at < text.size && text.bytes[at] >= '0' && text.bytes[at] <= '9';
}

static bool has_prefix(struct text text, size_t at, const char *prefix) {
  size_t size = strlen(prefix);
  return text.size - at >= size && memcmp(text.bytes + at, prefix, size) == 0;
}

/* A point or comma with zeros or nines behind it, and no other digit after those. */
static enum piece fraction_at(struct text layout, size_t at, size_t *end) {
  if ((layout.bytes[at] != '.' && layout.bytes[at] != ',') || at + 1 >= layout.size) return PIECE_NONE;
  char digit = layout.bytes[at + 1];
  if (digit != '0' && digit != '9') return PIECE_NONE;
  *end = at + 1;
  while (*end < layout.size && layout.bytes[*end] == digit)
    ++*end;
  return is_digit(layout, *end) ? PIECE_NONE : digit == '0' ? PIECE_FRACTION_ZEROS : PIECE_FRACTION_NINES;
}

static enum piece piece_at(struct text layout, size_t at, size_t *end) {
  for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
    if (!has_prefix(layout, at, pieces[i].text)) continue;
    *end = at + strlen(pieces[i].text);
    bool name = pieces[i].piece == PIECE_MONTH_SHORT || pieces[i].piece == PIECE_WEEKDAY_SHORT;
    bool part_of_word = name && *end < layout.size && layout.bytes[*end] >= 'a' && layout.bytes[*end] <= 'z';
    /* "_2006" is an underscore and the year. */
    bool year = pieces[i].piece == PIECE_DAY_SPACE && has_prefix(layout, at, "_2006");
    if (!part_of_word && !year) return pieces[i].piece;
  }
  return fraction_at(layout, at, end);
}

/* The first piece at or after `from`; at the layout's end one of no piece. */
static struct chunk next_chunk(struct text layout, size_t from) {
  struct chunk chunk = {PIECE_NONE, from, from};
  for (; chunk.start < layout.size; chunk.start++) {
    chunk.piece = piece_at(layout, chunk.start, &chunk.end);
    if (chunk.piece != PIECE_NONE) return chunk;
  }
  chunk.end = chunk.start;
  return chunk;
}

struct civil moment_civil(struct moment moment) {
  struct civil civil;
  int64_t local = moment.seconds + moment.offset_seconds;
  int64_t second = (local % 86400 + 86400) % 86400;
  int64_t days = (local - second) / 86400;
  bo_civil_from_days(days, &civil.year, &civil.month, &civil.day);
  civil.year_day = (int)(days - bo_days_from_civil(civil.year, 1, 1)) + 1;
  civil.weekday = (int)(((days + 4) % 7 + 7) % 7);
  civil.hour = (int)(second / 3600);
  civil.minute = (int)(second / 60 % 60);
  civil.second = (int)(second % 60);
  return civil;
}

/* ---- formatting */

/* `layout` is the piece as written: "-07:00", "Z0700"; its length says which parts there are. */
static void format_offset(struct builder *builder, struct text layout, int32_t offset) {
  if (layout.bytes[0] == 'Z' && offset == 0) {
    build_string(builder, "Z");
    return;
  }
  int32_t size = offset < 0 ? -offset : offset;
  const char *colon = memchr(layout.bytes, ':', layout.size) != NULL ? ":" : "";
  build_printf(builder, "%c%02d", offset < 0 ? '-' : '+', (int)(size / 3600));
  if (layout.size > 3) build_printf(builder, "%s%02d", colon, (int)(size / 60 % 60));
  if (layout.size > 6) build_printf(builder, "%s%02d", colon, (int)(size % 60));
}

static void format_fraction(struct builder *builder, struct text layout, int32_t nanoseconds, bool keep_zeros) {
  char digits[10];
  (void)snprintf(digits, sizeof(digits), "%09d", (int)nanoseconds);
  size_t wanted = layout.size - 1, size = wanted < 9 ? wanted : 9;
  while (!keep_zeros && size > 0 && digits[size - 1] == '0')
    size--;
  if (!keep_zeros && size == 0) return;
  build_bytes(builder, layout.bytes, 1);
  build_bytes(builder, digits, size);
  if (keep_zeros && wanted > 9) build_repeat(builder, '0', wanted - 9);
}

static void format_zone(struct builder *builder, struct moment moment) {
  if (moment.zone[0] != '\0') {
    build_string(builder, moment.zone);
    return;
  }
  int32_t minutes = (moment.offset_seconds < 0 ? -moment.offset_seconds : moment.offset_seconds) / 60;
  build_printf(builder, "%c%02d%02d", moment.offset_seconds < 0 ? '-' : '+', (int)(minutes / 60), (int)(minutes % 60));
}

static void format_piece(struct builder *builder, enum piece piece, struct text layout, struct moment moment) {
  struct civil civil = moment_civil(moment);
  int hour = civil.hour % 12 == 0 ? 12 : civil.hour % 12;
  int sign = civil.year < 0 ? 1 : 0;
  switch (piece) {
    case PIECE_NONE: break;
    case PIECE_YEAR: build_printf(builder, "%0*lld", 4 + sign, (long long)civil.year); break;
    case PIECE_YEAR_2: build_printf(builder, "%02d", (int)((civil.year < 0 ? 0 : civil.year) % 100)); break;
    case PIECE_MONTH: build_printf(builder, "%d", civil.month); break;
    case PIECE_MONTH_2: build_printf(builder, "%02d", civil.month); break;
    case PIECE_MONTH_NAME: build_string(builder, month_names[civil.month - 1]); break;
    case PIECE_MONTH_SHORT: build_bytes(builder, month_names[civil.month - 1], 3); break;
    case PIECE_WEEKDAY_NAME: build_string(builder, weekday_names[civil.weekday]); break;
    case PIECE_WEEKDAY_SHORT: build_bytes(builder, weekday_names[civil.weekday], 3); break;
    case PIECE_DAY: build_printf(builder, "%d", civil.day); break;
    case PIECE_DAY_2: build_printf(builder, "%02d", civil.day); break;
    case PIECE_DAY_SPACE: build_printf(builder, "%2d", civil.day); break;
    case PIECE_YEAR_DAY_3: build_printf(builder, "%03d", civil.year_day); break;
    case PIECE_YEAR_DAY_SPACE: build_printf(builder, "%3d", civil.year_day); break;
    case PIECE_HOUR_24: build_printf(builder, "%02d", civil.hour); break;
    case PIECE_HOUR: build_printf(builder, "%d", hour); break;
    case PIECE_HOUR_2: build_printf(builder, "%02d", hour); break;
    case PIECE_MINUTE: build_printf(builder, "%d", civil.minute); break;
    case PIECE_MINUTE_2: build_printf(builder, "%02d", civil.minute); break;
    case PIECE_SECOND: build_printf(builder, "%d", civil.second); break;
    case PIECE_SECOND_2: build_printf(builder, "%02d", civil.second); break;
    case PIECE_PM: build_string(builder, civil.hour >= 12 ? "PM" : "AM"); break;
    case PIECE_PM_LOWER: build_string(builder, civil.hour >= 12 ? "pm" : "am"); break;
    case PIECE_ZONE: format_zone(builder, moment); break;
    case PIECE_OFFSET: format_offset(builder, layout, moment.offset_seconds); break;
    case PIECE_FRACTION_ZEROS: format_fraction(builder, layout, moment.nanoseconds, true); break;
    case PIECE_FRACTION_NINES: format_fraction(builder, layout, moment.nanoseconds, false); break;
  }
}

void layout_format(struct builder *builder, struct text layout, struct moment moment) {
  for (size_t at = 0; at < layout.size;) {
    struct chunk chunk = next_chunk(layout, at);
    build_text(builder, text_part(layout, at, chunk.start));
    format_piece(builder, chunk.piece, text_part(layout, chunk.start, chunk.end), moment);
    at = chunk.end;
  }
}

/* ---- parsing */

struct parsed {
  struct render *render;
  struct text text;
  size_t at;
  struct text layout;
  int year, month, day, year_day; /* month, day, year_day: 0 when not given */
  int hour, minute, second, nanoseconds;
  int pm;      /* -1: not given */
  bool is_utc; /* by a Z */
  bool has_offset;
  int32_t offset_seconds;
  const char *zone; /* NULL: not given */
};

/* Between `least` and `most` digits. */
static bool parse_digits(struct parsed *parsed, size_t least, size_t most, int *number) {
  size_t count = 0;
  *number = 0;
  for (; count < most && is_digit(parsed->text, parsed->at); count++)
    *number = *number * 10 + (parsed->text.bytes[parsed->at++] - '0');
  return count >= least;
}

static bool parse_ranged(struct parsed *parsed, size_t least, int minimum, int maximum, int *number) {
  return parse_digits(parsed, least, 2, number) && *number >= minimum && *number <= maximum;
}

/* A name of the table, in any case; `length` 0 for all of it. */
static bool parse_name(struct parsed *parsed, const char *const *names, int count, size_t length, int *index) {
  for (int i = 0; i < count; i++) {
    size_t size = length > 0 ? length : strlen(names[i]);
    if (parsed->text.size - parsed->at < size || strncasecmp(parsed->text.bytes + parsed->at, names[i], size) != 0)
      continue;
    parsed->at += size;
    *index = i;
    return true;
  }
  return false;
}

static bool parse_pm(struct parsed *parsed, const char *am, const char *pm) {
  bool is_pm = has_prefix(parsed->text, parsed->at, pm);
  if (!is_pm && !has_prefix(parsed->text, parsed->at, am)) return false;
  parsed->pm = is_pm;
  parsed->at += 2;
  return true;
}

static bool parse_fraction(struct parsed *parsed, size_t digits) {
  int value = 0;
  size_t start = ++parsed->at;
  if (!parse_digits(parsed, digits, digits > 9 ? 9 : digits, &value)) return false;
  for (size_t count = parsed->at - start; count < 9; count++)
    value *= 10;
  parsed->nanoseconds = value;
  return true;
}

static size_t count_digits(const struct parsed *parsed, size_t from) {
  size_t end = from;
  while (is_digit(parsed->text, end))
    end++;
  return end - from;
}

/* A fraction may follow the seconds even where the layout has none. */
static bool parse_seconds(struct parsed *parsed, size_t least, const struct chunk *chunk) {
  if (!parse_ranged(parsed, least, 0, 59, &parsed->second)) return false;
  char mark = parsed->at < parsed->text.size ? parsed->text.bytes[parsed->at] : '\0';
  if ((mark != '.' && mark != ',') || !is_digit(parsed->text, parsed->at + 1)) return true;
  struct chunk following = next_chunk(parsed->layout, chunk->end);
  if (following.piece == PIECE_FRACTION_ZEROS || following.piece == PIECE_FRACTION_NINES) return true;
  size_t digits = count_digits(parsed, parsed->at + 1);
  bool ok = parse_fraction(parsed, digits > 9 ? 9 : digits);
  parsed->at += digits > 9 ? digits - 9 : 0;
  return ok;
}

static bool parse_offset(struct parsed *parsed, struct text layout) {
  if (layout.bytes[0] == 'Z' && has_prefix(parsed->text, parsed->at, "Z")) {
    parsed->at++;
    parsed->is_utc = true;
    return true;
  }
  bool colons = memchr(layout.bytes, ':', layout.size) != NULL;
  int parts[3] = {0, 0, 0};
  char sign = parsed->at < parsed->text.size ? parsed->text.bytes[parsed->at] : '\0';
  if (sign != '+' && sign != '-') return false;
  parsed->at++;
  int count = layout.size > 6 ? 3 : layout.size > 3 ? 2 : 1;
  for (int i = 0; i < count; i++) {
    if (i > 0 && colons && !has_prefix(parsed->text, parsed->at++, ":")) return false;
    if (!parse_ranged(parsed, 2, 0, i == 0 ? 24 : 60, &parts[i])) return false;
  }
  parsed->offset_seconds = (parts[0] * 3600 + parts[1] * 60 + parts[2]) * (sign == '-' ? -1 : 1);
  parsed->has_offset = true;
  return true;
}

/* A sign and up to 23 hours: the name of a zone that has none. */
static bool parse_signed_hours(struct parsed *parsed, int *hours) {
  char sign = parsed->at < parsed->text.size ? parsed->text.bytes[parsed->at] : '\0';
  if (sign != '+' && sign != '-') return false;
  parsed->at++;
  if (!parse_digits(parsed, 1, 9, hours) || *hours > 23) return false;
  *hours = sign == '-' ? -*hours : *hours;
  return true;
}

/* An abbreviation: three capitals, or four or five of which the last is a T; GMT may have hours behind it. Which offset
 * a name stands for is not known, so it is taken for UTC's. */
static bool parse_zone(struct parsed *parsed) {
  size_t start = parsed->at, end = start;
  int hours = 0;
  while (end < parsed->text.size && parsed->text.bytes[end] >= 'A' && parsed->text.bytes[end] <= 'Z')
    end++;
  size_t size = end - start;
  if (size == 0) {
    if (!parse_signed_hours(parsed, &hours)) return false;
  } else {
    if (has_prefix(parsed->text, start, "UTC") || has_prefix(parsed->text, start, "GMT")) size = 3;
    if (size < 3 || size > 5 || (size > 3 && parsed->text.bytes[end - 1] != 'T')) return false;
    parsed->at = start + size;
    struct parsed before = *parsed;
    if (size == 3 && has_prefix(parsed->text, start, "GMT") && parse_signed_hours(parsed, &hours)) {
      parsed->offset_seconds = parsed->has_offset ? parsed->offset_seconds : hours * 3600;
    } else {
      *parsed = before;
    }
  }
  parsed->zone = text_string(parsed->render, text_part(parsed->text, start, parsed->at));
  return true;
}

static bool parse_year_day(struct parsed *parsed, bool spaces) {
  size_t skipped = 0;
  while (spaces && skipped < 2 && has_prefix(parsed->text, parsed->at, " ")) {
    parsed->at++;
    skipped++;
  }
  return parse_digits(parsed, spaces ? 1 : 3, 3, &parsed->year_day) && parsed->year_day > 0;
}

static bool parse_piece(struct parsed *parsed, const struct chunk *chunk) {
  struct text layout = text_part(parsed->layout, chunk->start, chunk->end);
  int ignored = 0;
  bool ok = true;
  switch (chunk->piece) {
    case PIECE_NONE: return true;
    case PIECE_YEAR: return parse_digits(parsed, 4, 4, &parsed->year);
    case PIECE_YEAR_2:
      ok = parse_digits(parsed, 2, 2, &parsed->year);
      parsed->year += parsed->year >= 69 ? 1900 : 2000;
      return ok;
    case PIECE_MONTH: return parse_ranged(parsed, 1, 1, 12, &parsed->month);
    case PIECE_MONTH_2: return parse_ranged(parsed, 2, 1, 12, &parsed->month);
    case PIECE_MONTH_NAME:
    case PIECE_MONTH_SHORT:
      ok = parse_name(parsed, month_names, 12, chunk->piece == PIECE_MONTH_SHORT ? 3 : 0, &parsed->month);
      parsed->month++;
      return ok;
    case PIECE_WEEKDAY_NAME: return parse_name(parsed, weekday_names, 7, 0, &ignored);
    case PIECE_WEEKDAY_SHORT: return parse_name(parsed, weekday_names, 7, 3, &ignored);
    case PIECE_DAY_SPACE:
      if (has_prefix(parsed->text, parsed->at, " ")) parsed->at++;
      return parse_ranged(parsed, 1, 1, 31, &parsed->day);
    case PIECE_DAY: return parse_ranged(parsed, 1, 1, 31, &parsed->day);
    case PIECE_DAY_2: return parse_ranged(parsed, 2, 1, 31, &parsed->day);
    case PIECE_YEAR_DAY_3: return parse_year_day(parsed, false);
    case PIECE_YEAR_DAY_SPACE: return parse_year_day(parsed, true);
    case PIECE_HOUR_24: return parse_ranged(parsed, 1, 0, 23, &parsed->hour);
    case PIECE_HOUR: return parse_ranged(parsed, 1, 0, 12, &parsed->hour);
    case PIECE_HOUR_2: return parse_ranged(parsed, 2, 0, 12, &parsed->hour);
    case PIECE_MINUTE: return parse_ranged(parsed, 1, 0, 59, &parsed->minute);
    case PIECE_MINUTE_2: return parse_ranged(parsed, 2, 0, 59, &parsed->minute);
    case PIECE_SECOND: return parse_seconds(parsed, 1, chunk);
    case PIECE_SECOND_2: return parse_seconds(parsed, 2, chunk);
    case PIECE_PM: return parse_pm(parsed, "AM", "PM");
    case PIECE_PM_LOWER: return parse_pm(parsed, "am", "pm");
    case PIECE_ZONE: return parse_zone(parsed);
    case PIECE_OFFSET: return parse_offset(parsed, layout);
    case PIECE_FRACTION_ZEROS:
      return parsed->at < parsed->text.size && strchr(".,", parsed->text.bytes[parsed->at]) != NULL &&
             parse_fraction(parsed, layout.size - 1);
    case PIECE_FRACTION_NINES:
      ignored = (int)(parsed->at < parsed->text.size ? count_digits(parsed, parsed->at + 1) : 0);
      if (ignored == 0 || strchr(".,", parsed->text.bytes[parsed->at]) == NULL) return true;
      return parse_fraction(parsed, ignored > 9 ? 9 : (size_t)ignored);
  }
  return false;
}

/* Literal text of the layout; a run of spaces there stands for one of any length. */
static bool parse_literal(struct parsed *parsed, struct text literal) {
  for (size_t i = 0; i < literal.size;) {
    bool more = parsed->at < parsed->text.size;
    if (literal.bytes[i] == ' ') {
      if (more && parsed->text.bytes[parsed->at] != ' ') return false;
      while (i < literal.size && literal.bytes[i] == ' ')
        i++;
      while (parsed->at < parsed->text.size && parsed->text.bytes[parsed->at] == ' ')
        parsed->at++;
    } else if (!more || parsed->text.bytes[parsed->at++] != literal.bytes[i++]) {
      return false;
    }
  }
  return true;
}

static int days_in_month(int year, int month) {
  int64_t next = bo_days_from_civil(month == 12 ? year + 1 : year, month % 12 + 1, 1);
  return (int)(next - bo_days_from_civil(year, month, 1));
}

/* The pieces together; false when there is no such day. */
static bool assemble(struct parsed *parsed, struct moment *moment) {
  if (parsed->is_utc) {
    parsed->offset_seconds = 0;
    parsed->zone = NULL;
  }
  if (parsed->pm == 1 && parsed->hour < 12) parsed->hour += 12;
  if (parsed->pm == 0 && parsed->hour == 12) parsed->hour = 0;
  int64_t days = bo_days_from_civil(parsed->year, 1, 1);
  if (parsed->year_day > 0) {
    int length = (int)(bo_days_from_civil(parsed->year + 1, 1, 1) - days);
    int64_t year = 0;
    int month = 0, day = 0;
    if (parsed->year_day > length) return false;
    bo_civil_from_days(days + parsed->year_day - 1, &year, &month, &day);
    if ((parsed->month > 0 && parsed->month != month) || (parsed->day > 0 && parsed->day != day)) return false;
    days += parsed->year_day - 1;
  } else {
    int month = parsed->month > 0 ? parsed->month : 1, day = parsed->day > 0 ? parsed->day : 1;
    if (day > days_in_month(parsed->year, month)) return false;
    days = bo_days_from_civil(parsed->year, month, day);
  }
  moment->seconds = days * 86400 + parsed->hour * 3600 + parsed->minute * 60 + parsed->second - parsed->offset_seconds;
  moment->nanoseconds = parsed->nanoseconds;
  moment->offset_seconds = parsed->offset_seconds;
  bool utc = parsed->offset_seconds == 0 && (parsed->zone == NULL || strcmp(parsed->zone, "UTC") == 0);
  moment->zone = utc ? "UTC" : parsed->zone != NULL ? parsed->zone : "";
  return true;
}

const char *layout_parse(struct render *render, struct text layout, struct text text, struct moment *moment) {
  struct parsed parsed = {.render = render, .text = text, .layout = layout, .pm = -1};
  for (size_t at = 0; at < layout.size;) {
    struct chunk chunk = next_chunk(layout, at);
    if (!parse_literal(&parsed, text_part(layout, at, chunk.start)) || !parse_piece(&parsed, &chunk))
      return "it does not fit the layout";
    at = chunk.end;
  }
  if (parsed.at < text.size) return "something follows what the layout describes";
  return assemble(&parsed, moment) ? NULL : "there is no such day";
}

/* ---- durations */

void duration_print(struct builder *builder, int64_t nanoseconds) {
  uint64_t size = nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;
  if (nanoseconds < 0) build_string(builder, "-");
  char text[NUMBER_TEXT_MAX];
  if (size == 0) {
    build_string(builder, "0s");
  } else if (size < 1000000000) {
    uint64_t unit = size < 1000 ? 1 : size < 1000000 ? 1000 : 1000000;
    number_format((double)size / (double)unit, 'f', text);
    build_printf(builder, "%s%s", text, unit == 1 ? "ns" : unit == 1000 ? "\302\265s" : "ms");
  } else {
    uint64_t seconds = size / 1000000000;
    if (seconds >= 3600) build_printf(builder, "%lluh", (unsigned long long)(seconds / 3600));
    if (seconds >= 60) build_printf(builder, "%llum", (unsigned long long)(seconds / 60 % 60));
    (void)snprintf(text, sizeof(text), "%llu.%09llu", (unsigned long long)(seconds % 60),
                   (unsigned long long)(size % 1000000000));
    size_t length = strlen(text);
    while (text[length - 1] == '0')
      length--;
    build_bytes(builder, text, text[length - 1] == '.' ? length - 1 : length);
    build_string(builder, "s");
  }
}

/* The unit at `at`, in nanoseconds. */
static double take_unit(struct text text, size_t *at) {
  static const struct {
    const char *name;
    double nanoseconds;
  } units[] = {{"ns", 1},   {"us", 1e3}, {"\302\265s", 1e3}, {"\316\274s", 1e3},
               {"ms", 1e6}, {"s", 1e9},  {"m", 60e9},        {"h", 3600e9}};
  for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
    if (!has_prefix(text, *at, units[i].name)) continue;
    *at += strlen(units[i].name);
    return units[i].nanoseconds;
  }
  return 0;
}

bool duration_parse(struct text text, int64_t *nanoseconds) {
  bool negative = text.size > 0 && text.bytes[0] == '-';
  size_t at = negative || (text.size > 0 && text.bytes[0] == '+') ? 1 : 0;
  long double sum = 0;
  *nanoseconds = 0;
  if (at == text.size) return false;
  if (text_is(text_part(text, at, text.size), "0")) return true;
  while (at < text.size) {
    size_t start = at;
    while (is_digit(text, at) || (at < text.size && text.bytes[at] == '.'))
      at++;
    char number[64];
    if (at == start || at - start >= sizeof(number)) return false;
    memcpy(number, text.bytes + start, at - start);
    number[at - start] = '\0';
    char *end = NULL;
    long double value = strtold(number, &end);
    long double unit = take_unit(text, &at);
    if (*end != '\0' || unit == 0) return false;
    /* Go cuts the fraction to whole nanoseconds. */
    sum += (long double)(uint64_t)(value * unit < 1.8e19L ? value * unit : 1.8e19L);
    if (sum > 0x1p63L) return false;
  }
  uint64_t size = (uint64_t)sum;
  if (size > (uint64_t)INT64_MAX && !negative) return false;
  *nanoseconds = (int64_t)(negative ? 0 - size : size);
  return true;
}
