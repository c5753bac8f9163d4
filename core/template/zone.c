/*
 * A TZif file has its data twice: with 32-bit times for old readers, then with 64-bit ones, of which alone use is made;
 * at its end stands a rule, in the TZ variable's syntax (POSIX), for the time after the last transition it lists.
 */
#include "core/template/zone.h"

#include <ctype.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/io.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define HEADER_BYTES ((size_t)44)

/* One change of a year in a TZ rule. */
struct change {
  char kind; /* 'M' month.week.weekday, 'J' day 1 to 365 without 29 February, 'N' day 0 to 365 */
  int month, week, day;
  int32_t time; /* seconds after local midnight */
};

struct rule {
  bool present, has_dst;
  struct bo_zone_offset standard, dst;
  struct change start, end;
};

struct bo_zone {
  struct bo_buffer file;
  size_t transition_count, type_count, name_bytes;
  const unsigned char *times; /* into `file` */
  const unsigned char *indexes;
  const unsigned char *types; /* 6 bytes each: offset, is_dst, where its name begins */
  const unsigned char *names;
  struct rule rule;
};

static int64_t read_integer(const unsigned char *bytes, int size) {
  uint64_t value = (bytes[0] & 0x80) != 0 ? UINT64_MAX : 0;
  for (int i = 0; i < size; i++)
    value = value << 8 | bytes[i];
  return (int64_t)value;
}

/* ---- the rule at the end */

static bool take(const char **cursor, char c) {
  if (**cursor != c) return false;
  ++*cursor;
  return true;
}

static bool take_number(const char **cursor, int maximum, int *number) {
  if (!isdigit((unsigned char)**cursor)) return false;
  for (*number = 0; isdigit((unsigned char)**cursor) && *number <= maximum; ++*cursor)
    *number = *number * 10 + (**cursor - '0');
  return *number <= maximum;
}

static bool take_name(const char **cursor, char *name, size_t capacity) {
  bool quoted = take(cursor, '<');
  size_t size = 0;
  while (quoted ? **cursor != '>' && **cursor != '\0' : isalpha((unsigned char)**cursor) != 0) {
    if (size + 1 == capacity) return false;
    name[size++] = *(*cursor)++;
  }
  name[size] = '\0';
  return size > 0 && (!quoted || take(cursor, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **cursor, int32_t *seconds) {
  int hours = 0, minutes = 0, rest = 0;
  int sign = take(cursor, '-') ? -1 : 1;
  if (sign == 1) (void)take(cursor, '+');
  if (!take_number(cursor, 167, &hours)) return false;
  if (take(cursor, ':') && !take_number(cursor, 59, &minutes)) return false;
  if (take(cursor, ':') && !take_number(cursor, 59, &rest)) return false;
  *seconds = sign * (hours * 3600 + minutes * 60 + rest);
  return true;
}

static bool take_change(const char **cursor, struct change *change) {
  change->time = 7200;
  change->kind = take(cursor, 'M') ? 'M' : take(cursor, 'J') ? 'J' : 'N';
  if (change->kind == 'M') {
    if (!take_number(cursor, 12, &change->month) || change->month < 1 || !take(cursor, '.') ||
        !take_number(cursor, 5, &change->week) || change->week < 1 || !take(cursor, '.') ||
        !take_number(cursor, 6, &change->day))
      return false;
  } else if (!take_number(cursor, 365, &change->day)) {
    return false;
  }
  return !take(cursor, '/') || take_time(cursor, &change->time);
}

/* In the TZ syntax offsets count west of UTC. */
static bool parse_rule(const char *text, struct rule *rule) {
  const char *c = text;
  int32_t west = 0;
  if (*c == '\0') return true; /* no rule: the last transition holds for ever */
  if (!take_name(&c, rule->standard.abbreviation, sizeof(rule->standard.abbreviation)) || !take_time(&c, &west))
    return false;
  rule->standard.seconds = -west;
  rule->present = true;
  if (*c == '\0') return true;
  rule->has_dst = true;
  rule->dst.is_dst = true;
  rule->dst.seconds = rule->standard.seconds + 3600;
  if (!take_name(&c, rule->dst.abbreviation, sizeof(rule->dst.abbreviation))) return false;
  if (*c != ',') {
    if (!take_time(&c, &west)) return false;
    rule->dst.seconds = -west;
  }
  return take(&c, ',') && take_change(&c, &rule->start) && take(&c, ',') && take_change(&c, &rule->end) && *c == '\0';
}

static bool is_leap(int64_t year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The day of a change, counted from 1970-01-01. */
static int64_t change_day(const struct change *change, int64_t year) {
  int64_t new_year = bo_days_from_civil(year, 1, 1);
  if (change->kind == 'N') return new_year + change->day;
  if (change->kind == 'J') return new_year + change->day - 1 + (is_leap(year) && change->day >= 60 ? 1 : 0);
  int64_t first = bo_days_from_civil(year, change->month, 1);
  int64_t next_month = bo_days_from_civil(change->month == 12 ? year + 1 : year, change->month % 12 + 1, 1);
  int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
  int64_t day = first + (change->day - weekday + 7) % 7 + (int64_t)(change->week - 1) * 7;
  return day >= next_month ? day - 7 : day; /* week 5 is the last */
}

static void apply_rule(const struct rule *rule, int64_t unix_seconds, struct bo_zone_offset *offset) {
  *offset = rule->standard;
  if (!rule->has_dst) return;
  int64_t local = unix_seconds + rule->standard.seconds;
  int64_t year = 0;
  int month = 0, day = 0;
  bo_civil_from_days((local - (local % 86400 + 86400) % 86400) / 86400, &year, &month, &day);
  int64_t start = change_day(&rule->start, year) * 86400 + rule->start.time - rule->standard.seconds;
  int64_t end = change_day(&rule->end, year) * 86400 + rule->end.time - rule->dst.seconds;
  bool dst = start < end ? unix_seconds >= start && unix_seconds < end : !(unix_seconds >= end && unix_seconds < start);
  if (dst) *offset = rule->dst;
}

/* ---- the file */

struct counts {
  size_t ut, standard, leap, transitions, types, names;
};

static bool read_header(const unsigned char *bytes, size_t size, struct counts *counts) {
  if (size < HEADER_BYTES || memcmp(bytes, "TZif", 4) != 0) return false;
  size_t *fields[] = {&counts->ut,          &counts->standard, &counts->leap,
                      &counts->transitions, &counts->types,    &counts->names};
  for (size_t i = 0; i < 6; i++) {
    int64_t value = read_integer(bytes + 20 + 4 * i, 4);
    if (value < 0 || value > 100000) return false;
    *fields[i] = (size_t)value;
  }
  return counts->types > 0 && counts->names > 0;
}

static size_t block_bytes(const struct counts *counts, size_t time_bytes) {
  return counts->transitions * (time_bytes + 1) + counts->types * 6 + counts->names + counts->leap * (time_bytes + 4) +
         counts->standard + counts->ut;
}

static bool types_are_valid(const struct bo_zone *zone) {
  for (size_t i = 0; i < zone->transition_count; i++)
    if (zone->indexes[i] >= zone->type_count) return false;
  for (size_t i = 0; i < zone->type_count; i++)
    if (zone->types[6 * i + 5] >= zone->name_bytes) return false;
  return zone->names[zone->name_bytes - 1] == '\0';
}

static bool parse_file(struct bo_zone *zone) {
  const unsigned char *bytes = (const unsigned char *)bo_buffer_text(&zone->file);
  size_t left = zone->file.size;
  struct counts counts;
  if (!read_header(bytes, left, &counts) || bytes[4] < '2') return false;
  size_t first = HEADER_BYTES + block_bytes(&counts, 4);
  if (first > left || !read_header(bytes + first, left - first, &counts)) return false;
  bytes += first + HEADER_BYTES;
  left -= first + HEADER_BYTES;
  size_t size = block_bytes(&counts, 8);
  if (size > left) return false;
  zone->transition_count = counts.transitions;
  zone->type_count = counts.types;
  zone->name_bytes = counts.names;
  zone->times = bytes;
  zone->indexes = bytes + 8 * counts.transitions;
  zone->types = zone->indexes + counts.transitions;
  zone->names = zone->types + 6 * counts.types;
  if (!types_are_valid(zone)) return false;
  char footer[128];
  const unsigned char *line = bytes + size;
  left -= size;
  const unsigned char *end = left < 2 || line[0] != '\n' ? NULL : memchr(line + 1, '\n', left - 1);
  if (end == NULL || (size_t)(end - line) > sizeof(footer)) return false;
  memcpy(footer, line + 1, (size_t)(end - line) - 1);
  footer[end - line - 1] = '\0';
  return parse_rule(footer, &zone->rule);
}

/* Names come from templates: they must not lead out of the folder. */
static bool is_zone_name(const char *name) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
  return name[0] != '/' && name[0] != '\0' && strlen(name) <= 64 && strspn(name, allowed) == strlen(name);
}

static int read_zone(const char *name, struct bo_zone *zone, struct bo_error *error) {
  char path[128];
  (void)snprintf(path, sizeof(path), "%s/%s", ZONE_FOLDER, name);
  if (bo_read_file(path, (size_t)1024 * 1024, &zone->file, error) != BO_OK) {
    if (access(ZONE_FOLDER, F_OK) != 0)
      return bo_error_set(error, BO_CLASS_CONFIG, 0,
                          "no time zones: " ZONE_FOLDER " is missing; install the package tzdata");
    return bo_error_set(error, BO_CLASS_NOT_FOUND, 0, "there is no time zone %s in " ZONE_FOLDER, name);
  }
  if (!parse_file(zone)) return bo_error_set(error, BO_CLASS_CORRUPT, 0, "%s is no time zone file (TZif 2)", path);
  return BO_OK;
}

int bo_zone_open(const char *name, struct bo_zone **zone, struct bo_error *error) {
  bool utc = name[0] == '\0' || strcmp(name, "UTC") == 0 || strcmp(name, "Local") == 0;
  *zone = NULL;
  if (!utc && !is_zone_name(name)) return bo_error_set(error, BO_CLASS_NOT_FOUND, 0, "no name of a time zone");
  struct bo_zone *made = calloc(1, sizeof(*made));
  if (made == NULL) return bo_error_no_memory(error);
  made->file = (struct bo_buffer)BO_BUFFER_INIT;
  int result = BO_OK;
  if (utc)
    (void)parse_rule("UTC0", &made->rule);
  else
    result = read_zone(name, made, error);
  if (result == BO_OK)
    *zone = made;
  else
    bo_zone_close(made);
  return result;
}

void bo_zone_close(struct bo_zone *zone) {
  if (zone == NULL) return;
  bo_buffer_free(&zone->file);
  free(zone);
}

void bo_zone_at(const struct bo_zone *zone, int64_t unix_seconds, struct bo_zone_offset *offset) {
  size_t low = 0, high = zone->transition_count; /* the transitions that have happened */
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (read_integer(zone->times + 8 * middle, 8) <= unix_seconds)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == zone->transition_count && zone->rule.present) {
    apply_rule(&zone->rule, unix_seconds, offset);
    return;
  }
  const unsigned char *type = zone->types + 6 * (size_t)(low == 0 ? 0 : zone->indexes[low - 1]);
  offset->seconds = (int32_t)read_integer(type, 4);
  offset->is_dst = type[4] != 0;
  (void)snprintf(offset->abbreviation, sizeof(offset->abbreviation), "%s", (const char *)zone->names + type[5]);
}
