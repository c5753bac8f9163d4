/*
 * secrets.h - secrets of this machine. Never kept: each is read when it is asked for.
 *
 *   MANIFESTS/secrets/NAMESPACE/NAME/KEY   a file for each key, its content the value (one newline at its end is cut)
 *   MANIFESTS/...yaml                      a manifest of the kind Secret
 *
 * Either file must belong to us or to root and give no right to anybody else. A folder goes before a manifest.
 */
#ifndef BO_PLATFORM_LOCAL_SECRETS_H
#define BO_PLATFORM_LOCAL_SECRETS_H

#include "store.h"

/* The Secret as JSON from host->alloc, its values under `data` in base64. With store->lock held. */
int secret_get(struct store *store, const char *namespace_name, const char *name, char **json, struct bo_error *error);

#endif
