/* backup-operator/plugin.h - the whole plugin ABI in one include. */
#ifndef BACKUP_OPERATOR_PLUGIN_H
#define BACKUP_OPERATOR_PLUGIN_H

#include "abi.h"
#include "platform.h"
#include "storage.h"
#include "transform.h"

#endif
