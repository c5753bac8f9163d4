/* ledger.h - events and leases, both files in the state folder: events.jsonl, .lease.NAMESPACE.NAME */
#ifndef BO_PLATFORM_LOCAL_LEDGER_H
#define BO_PLATFORM_LOCAL_LEDGER_H

#include "store.h"

/* Appends a line. Beyond EVENTS_MAX_BYTES the file becomes events.jsonl.1, in the place of the one before. */
int event_record(void *platform, const char *event_json, struct bo_error *error);
#define EVENTS_MAX_BYTES (1 << 20)

/* A lease is a lock on a file, so it ends with its process whatever happens, and `duration_ms` means nothing. */
int lease_acquire(void *platform, const char *namespace_name, const char *name, const char *holder,
                  uint32_t duration_ms, int *held, struct bo_error *error);
void leases_close(struct store *store);

#endif
