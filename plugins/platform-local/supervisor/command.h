/* command.h - starting one command of a workload. */
#ifndef BO_PLATFORM_LOCAL_SUPERVISOR_COMMAND_H
#define BO_PLATFORM_LOCAL_SUPERVISOR_COMMAND_H

#include <stdint.h>
#include <sys/types.h>

/* Starts what the request in descriptors[BO_LOCAL_FD_REQUEST] describes, with the streams of the others, in a process
 * group of its own and, unless the request names another, in `folder`. Failures, also later ones of the new process,
 * go to descriptors[BO_LOCAL_FD_STATUS]. Returns its pid, or -1. Closes no descriptor. */
pid_t command_start(const int *descriptors, int restore, const char *folder);

/* Writes a struct bo_local_status. */
void command_report(int status, int32_t step, int code);

#endif
