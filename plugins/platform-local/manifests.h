/*
 * manifests.h - the user's folder of manifests, which is read and never written. Its files *.yaml, *.yml and *.json
 * count, hidden ones and those of sub-folders do not.
 *
 * A changed manifest is taken over as `kubectl apply` does it: what differs from the manifest as it was last taken over
 * is merged into the object, so what the program itself set stays. A manifest with errors leaves its object as it was
 * and hides no other one; an object is deleted only when its file was read without errors, or is gone, and that is
 * still so MISSING_MS later: an editor that saves must not delete a backup.
 */
#ifndef BO_PLATFORM_LOCAL_MANIFESTS_H
#define BO_PLATFORM_LOCAL_MANIFESTS_H

#include <sys/stat.h>

#include "store.h"

struct manifest_file {
  char *name;
  struct stat status; /* as of the last reading */
  bool known;         /* it was read */
  bool changed;       /* it is to be read in this scan */
  bool again;         /* it is to be read with the next change of any file */
  bool soon;          /* it may have changed since without a trace in `status` */
  bool broken;        /* it has errors */
  bool has_secrets;
};

/* With store->lock held. Problems of manifests are warnings in the log; errors are the state folder's. */
int manifests_scan_when_due(struct store *store, struct bo_error *error);
/* The folder may have changed: a scan is due in a moment. */
void manifests_notified(struct store *store);
void manifests_close(struct store *store);

/* Reads a file; on BO_OK the caller frees `set`, which may be of a file with errors. */
int manifests_read(const struct store *store, const char *name, struct stat *status, struct bo_manifest_set *set,
                   bool *broken, struct bo_error *error);

#endif
