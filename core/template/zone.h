/*
 * core/template/zone.h - time zones by their IANA names, from the machine's TZif files (RFC 9636) in
 * /usr/share/zoneinfo. The C library's own way (TZ and tzset) is one setting for all threads of a process; a zone here
 * is a value.
 */
#ifndef BO_TEMPLATE_ZONE_H
#define BO_TEMPLATE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

struct bo_zone; /* read only once opened: any number of threads may use it */

struct bo_zone_offset {
  int32_t seconds; /* east of UTC */
  bool is_dst;
  char abbreviation[16]; /* "CEST" */
};

/* "Europe/Berlin"; "", "UTC" and "Local" are UTC. The caller frees `*zone` with bo_zone_close. BO_CLASS_NOT_FOUND:
 * there is no such zone; BO_CLASS_CONFIG: the machine has no time zone database; BO_CLASS_CORRUPT: its file is damaged.
 */
int bo_zone_open(const char *name, struct bo_zone **zone, struct bo_error *error);
void bo_zone_close(struct bo_zone *zone);

/* What clocks in the zone showed at that moment, seconds since 1970-01-01T00:00:00Z. */
void bo_zone_at(const struct bo_zone *zone, int64_t unix_seconds, struct bo_zone_offset *offset);

#endif
